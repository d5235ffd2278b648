"""Deliveries for the tests of messages, with what each should say."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from connectors import DTYPE_OF_PART, PART_OF_KIND, Batch, Columns, Delivery, Epoch, Kind, Part, Tag, TagTable

EPOCH = Epoch(3, 0x9F86D081884C7D65)
T0 = 1_764_000_000_123_456_789

Row = tuple[int, int, Any, int]
"""tag number, time, value as a platform should see it, quality"""

VALUES = {
    Kind.BOOL: st.booleans(),
    Kind.INT32: st.integers(-(2**31), 2**32 - 1),
    Kind.FLOAT64: st.floats(allow_nan=False, allow_infinity=False),
    Kind.INT64: st.integers(-(2**63), 2**63 - 1),
    Kind.UINT64: st.integers(0, 2**64 - 1),
    Kind.TEXT: st.text(),
}
QUALITIES = st.sampled_from([0, 0, 0, 0x40940000, 0x80310000, 0x803C0000])


def table_of(kinds: list[Kind], devices: int = 1) -> TagTable:
    table = TagTable()
    table.announce(
        [Tag(f"cz/press/line1/m{i % devices}/tag “{i}”", kind, "C62", "plc") for i, kind in enumerate(kinds)]
    )
    return table


def delivery_of(
    table: TagTable,
    rows: list[Row],
    *,
    seq: int = 7,
    historical: bool = False,
    keep: list[bool] | None = None,
) -> tuple[Delivery, list[tuple[int, Row]]]:
    """Build the delivery that holds these rows; return it with what it should say: (row number, row)."""
    parts, numbers, said, first = [], [], [], 0
    for part in Part:
        mine = [row for row in rows if PART_OF_KIND[Kind(table.kind[row[0]])] is part]
        kept = [i for i in range(len(mine)) if keep is None or keep[(first + i) % len(keep)]]
        said += [(first + i, mine[i]) for i in kept]
        if kept:
            stored = [_stored(mine[i][2], Kind(table.kind[mine[i][0]])) for i in kept]
            value = np.empty(len(kept), DTYPE_OF_PART[part])
            value[:] = stored
            parts.append(
                Columns(
                    np.array([mine[i][0] for i in kept], np.int32),
                    np.array([mine[i][1] for i in kept], np.int64),
                    value,
                    np.array([mine[i][3] for i in kept], np.uint32),
                )
            )
            numbers.append(np.array([first + i for i in kept], np.int32))
        first += len(mine)
    chosen = None if keep is None else tuple(numbers)
    return Delivery(Batch(tuple(parts), T0), EPOCH, seq, historical, chosen), said


def _stored(value: Any, kind: Kind) -> Any:
    if kind is Kind.UINT64:
        return value - 2**64 if value >= 2**63 else value
    return float(value) if PART_OF_KIND[kind] is Part.NUMBER else value


@st.composite
def cases(draw: st.DrawFn) -> tuple[TagTable, list[Row], list[bool] | None, bool]:
    kinds = draw(st.lists(st.sampled_from(Kind), min_size=1, max_size=8))
    table = table_of(kinds, draw(st.integers(1, 3)))
    times = st.one_of(st.just(T0), st.integers(0, 2**62))
    rows = draw(
        st.lists(
            st.integers(0, len(kinds) - 1).flatmap(
                lambda tag: st.tuples(st.just(tag), times, VALUES[kinds[tag]], QUALITIES)
            ),
            min_size=1,
            max_size=30,
        )
    )
    keep = draw(st.none() | st.lists(st.booleans(), min_size=1, max_size=7).filter(lambda k: k[0]))
    return table, rows, keep, draw(st.booleans())
