"""What a template knows: names, and the fields of a row and of a loop."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_GATEWAY: Final = frozenset(
    ["id", "gateway", "epoch", "seq", "site", "area", "line", "device", "path", "late"]
)
TIME_FIELDS: Final = frozenset(["time_s", "time_ms", "time_us", "time_ns", "time_iso"])
ROW_FIELDS: Final = frozenset(["tag", "value", "quality", "good", "unit", "symbol", "number"]) | TIME_FIELDS
LOOP_FIELDS: Final = frozenset(["first", "last", "index", "index0", "length"])
NAMES: Final[Mapping[str, frozenset[str]]] = {
    "device": _GATEWAY | {"rows"},
    "time": _GATEWAY | TIME_FIELDS | {"rows", "values"},
    "value": _GATEWAY | ROW_FIELDS,
}
"""What a template knows, by what its message carries."""


class Row(NamedTuple):
    """A stored row as a template sees it."""

    tag: str
    value: Any
    """None where it is Bad."""
    quality: int
    unit: str
    symbol: str
    number: int
    """Its place in the stored batch."""
    time_ns: int

    @property
    def good(self) -> bool:
        """Whether the quality is Good."""
        return self.quality < 0x40000000

    @property
    def time_s(self) -> int:
        """Return whole seconds since 1970."""
        return self.time_ns // 1_000_000_000

    @property
    def time_ms(self) -> int:
        """Return whole milliseconds since 1970."""
        return self.time_ns // 1_000_000

    @property
    def time_us(self) -> int:
        """Return whole microseconds since 1970."""
        return self.time_ns // 1_000

    @property
    def time_iso(self) -> str:
        """Return ISO 8601, UTC, with milliseconds."""
        return iso8601(self.time_ns)


class Values(dict[str, Any]):
    """Values by tag; what a message does not have is None, as what is Bad is."""

    __slots__ = ()

    def __missing__(self, _tag: str) -> None:
        """Have no value of it."""


def iso8601(ns: int) -> str:
    """Return a time as ISO 8601, UTC, with milliseconds."""
    seconds, rest = divmod(ns, 1_000_000_000)
    moment = _EPOCH + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03}Z"


def known_of_rows(each: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Return what a template knows of the rows of one message, and of their time if they have one."""
    if each == "device":
        return {"rows": tuple(rows)}
    first = rows[0]
    times = {field: getattr(first, field) for field in TIME_FIELDS}
    if each == "time":
        return {"rows": tuple(rows), "values": Values([(row.tag, row.value) for row in rows])} | times
    return first._asdict() | {"good": first.good} | times
