"""What an acknowledgement moves: rows delivered, refused, and never wanted."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from connectors import Delivery, Refusal
from gateway.ledger import Passing
from gateway.ledger.books import add


def distinct(pending: Sequence[Delivery], refused: Sequence[Refusal]) -> list[Refusal]:
    """Return the refusals with the rows each names, no row twice; those that name none are left out."""
    named: dict[int, NDArray[np.int32]] = {}
    found = []
    for each in refused:
        rows = np.concatenate(pending[each.delivery].row_numbers())
        if each.rows is not None:
            rows = rows[np.isin(rows, each.rows)]
        before = named.get(each.delivery)
        if before is not None:
            rows = rows[~np.isin(rows, before)]
        if len(rows):
            named[each.delivery] = rows if before is None else np.concatenate((before, rows))
            found.append(Refusal(each.delivery, rows, each.reason))
    return found


def passing_of(
    pending: Sequence[Delivery],
    sizes: Sequence[int],
    held: Sequence[Refusal],
    wanted: Sequence[int] | None,
    *,
    is_retry: bool,
) -> Passing:
    """Return what an acknowledgement of `pending` moves; `sizes` are the rows of each delivery."""
    passing = Passing()
    delivered = passing.delivered
    for each, rows, mine in zip(pending, sizes, sizes if wanted is None else wanted, strict=True):
        source = each.source
        delivered[source] = delivered.get(source, 0) + mine
        if mine < rows:
            add(passing.not_selected, {source: rows - mine})
        if is_retry:
            add(passing.retried, {source: rows})
    for refusal in held:
        refused = {pending[refusal.delivery].source: 0 if refusal.rows is None else len(refusal.rows)}
        add(passing.quarantined, refused)
        add(passing.delivered, refused, -1)
    return passing
