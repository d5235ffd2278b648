"""Puts decoded columns and asyncua's objects into one form, so that they can be compared row by row."""

from dataclasses import dataclass
from datetime import UTC, datetime
from struct import pack

from asyncua import ua

from tests.unit.opcua.messages import Item

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNIX = 116_444_736_000_000_000
LAST = (2**63 - 1) // 100


@dataclass(frozen=True)
class Row:
    place: int
    handle: int
    builtin: int
    value: object
    status: int
    source_time: int
    server_time: int

    def comparable(self) -> tuple[object, ...]:
        """Return builtin, value, status and the times as far as a datetime tells them."""
        value = self.value
        if isinstance(value, str):
            pass
        elif self.builtin == 9:
            value %= 2**64
        elif self.builtin in {1, 2, 3, 4, 5, 6, 7, 19}:
            value = int(value)
        elif self.builtin == 13:
            value //= 1000
        return (
            self.builtin,
            comparable(value),
            self.status,
            self.source_time // 1000,
            self.server_time // 1000,
        )


def comparable(value: object) -> object:
    return pack("<d", value) if isinstance(value, float) else value


def rows_of(decoded) -> list[Row]:
    """Return every row by place, each a Python object."""
    rows = []
    for run in decoded.runs:
        columns = (
            run.place,
            run.handle,
            run.builtin,
            run.value,
            run.status,
            run.source_time,
            run.server_time,
        )
        rows += [Row(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
        assert all(len(column) == len(run) for column in columns)
        assert run.place.tolist() == sorted(run.place.tolist())
    for other in decoded.others:
        value = repr(other.variant())
        rows.append(
            Row(
                other.place,
                other.handle,
                other.builtin,
                value,
                other.status,
                other.source_time,
                other.server_time,
            )
        )
    rows.sort(key=lambda row: row.place)
    assert [row.place for row in rows] == list(range(len(rows)))
    return rows


def _clamped(ticks: int | None, units: int | None) -> int:
    if ticks is None or ticks <= 0:
        return 0
    at = min(max(ticks - UNIX, -LAST), LAST)
    more = 0 if at in {LAST, 0} else min(units or 0, 9999) // 100
    return at * 100 + more


def expected_times(item: Item) -> tuple[int, int]:
    return _clamped(item.source, item.source_pico), _clamped(item.server, item.server_pico)


def _microseconds(time: datetime | None) -> int:
    if time is None or time.replace(tzinfo=UTC) == datetime(1601, 1, 1, tzinfo=UTC):
        return 0
    elapsed = time.replace(tzinfo=UTC) - EPOCH
    since = (elapsed.days * 86400 + elapsed.seconds) * 10**6 + elapsed.microseconds
    return min(max(since, -LAST * 100 // 1000), LAST * 100 // 1000)


def asyncua_row(value: ua.DataValue) -> tuple[object, ...]:
    """Return what `Row.comparable` should be, by asyncua's decode."""
    kind = int(value.Value.VariantType.value)
    scalar = value.Value.Value
    status = 0 if value.StatusCode is None else value.StatusCode.value
    if value.Value.is_array or kind in {14, 15, 16, 17, 18, 20, 22, 23, 24, 25}:
        scalar = repr(value.Value)
    elif kind == 0:
        scalar = 0.0
    elif kind == 19:
        scalar = scalar.value
    elif kind == 21:
        scalar = scalar.Text or ""
    elif kind == 12:
        scalar = scalar or ""
    elif kind == 13:
        scalar = _microseconds(scalar)
    elif kind == 1:
        scalar = int(scalar)
    times = _microseconds(value.SourceTimestamp), _microseconds(value.ServerTimestamp)
    return kind, comparable(scalar), status, *times
