"""Many meters at once: a month of daily totals of thousands, as columns a browser takes as they are."""

from typing import Any, Final

import numpy as np

from gateway.web.energy_books import Accounts, begun
from gateway.web.energy_figures import TooMany
from gateway.web.energy_models import Every

MOST_CELLS: Final = 500_000
_MS: Final = 1_000_000
_SHORTEST: Final[dict[str, int]] = {"15min": 900, "60min": 3_600}


def table_of(accounts: Accounts, medium: str, interval: Every, first: int, last: int) -> dict[str, Any]:
    """Return a `models.EnergyTable`; ns UTC. Raises TooMany, and as `Query.table`."""
    names = [
        name for name, each in accounts.query.meters.items() if each.medium.name == medium and each.is_read
    ]
    seconds = _SHORTEST.get(interval, 3 * 3_600)
    end = max(first + 1, begun(accounts, last))
    if interval == "batch" or len(names) * ((end - first) // (seconds * 10**9) + 1) > 8 * MOST_CELLS:
        raise TooMany
    table = accounts.query.table(names, interval, first, end)
    if table.quanta.size > MOST_CELLS:
        raise TooMany
    meters = accounts.query.meters
    # None of what is not known: JSON has no NaN, and 0 would be a lie.
    quanta = np.where(table.known, table.quanta.astype(np.float64), np.nan)
    return {
        "names": names,
        "units": [meters[name].medium.unit.symbol for name in names],
        "quantum": [str(each) for each in table.quantum],
        "start": [each.first // _MS for each in table.spans],
        "end": [each.last // _MS for each in table.spans],
        "quanta": [np.ascontiguousarray(row) for row in quanta],
    }
