"""From stored columns to InfluxDB line protocol, a line per row (ADR 0026). Pure, no I/O.

    wanglian,area=hall,device=m1,line=l_1,site=cz,tag=power,unit=KWT value=12.5 1795444450123045678
    └── once per tag, made when first asked for ─────────────────┘                           └────┘
                                                        in the millisecond: which stored row it is

Numbers and truth values go to the field `value` (float), INT64 to `integer`, UINT64 to `unsigned`, text to
`text`: a field has one type. A Bad row has no value, only its `quality`. A row that is not Good always says
its quality; a Good one says `quality=0i` when its tag was not Good before, and once a minute.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from connectors.batch import Columns
from connectors.contract import Delivery
from connectors.quality import BAD_OUT_OF_RANGE, is_bad
from connectors.tags import Kind, Tag, TagTable

_CACHED_ROWS: Final = 400_000
"""Prepared layouts; 16 bytes a row. A plant whose batches never repeat must not fill the memory."""
_BUCKET: Final = 1_000_000
"""A row keeps its millisecond; the ns in it tell which row it is."""
_STEP: Final = 9_973
"""Places in the millisecond from one stored batch to the next; a prime."""
_LATEST: Final = 9_223_372_036_000_000_000
"""Times are within this many ns of 1970, in 2262 and 1677: InfluxDB's own range, whole seconds."""
_MINUTE: Final = 60_000_000_000
_UNKNOWN: Final = np.uint32(0xFFFFFFFF)
_ESCAPED: Final = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})
_FIELD: Final = {
    Kind.BOOL: b"value=",
    Kind.INT32: b"value=",
    Kind.FLOAT64: b"value=",
    Kind.INT64: b"integer=",
    Kind.UINT64: b"unsigned=",
    Kind.TEXT: b"text=",
}


def point_times(time: NDArray[np.int64], seq: int, row: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the times of the points of stored rows, (n,) int64 ns.

    A point's time is its row's millisecond and, in it, the place of (seq, row): the same row has the same
    time at every re-send, nothing is remembered. Two rows of one tag in one millisecond are apart when they
    are of one batch, or fewer than 100 batches and fewer than 9,973 rows apart; beyond that two meet once in
    a million.
    """
    place = (row + np.int64(seq * _STEP % _BUCKET)) % _BUCKET
    return time - time % _BUCKET + place


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of one delivery, and what can't be told."""

    body: bytes
    """Each line ends with a line break, and holds no other."""
    rows: NDArray[np.int32]
    """Stored row number of each line."""
    untold: tuple[tuple[int, str], ...] = ()
    """Stored row number and why the row can't be told in line protocol."""


class Encoder:
    """Turn deliveries into lines; it remembers of each tag only whether its quality was told."""

    def __init__(self, measurement: str, tags: TagTable) -> None:
        self._measurement = measurement.encode()
        self._tags = tags
        self._heads: dict[int, bytes | None] = {}
        self._layouts: dict[bytes, _Layout] = {}
        self._cached_rows = 0
        self._version = tags.version
        self._quality = np.full(0, _UNKNOWN)
        self._minute = np.zeros(0, np.int64)

    def lines(self, delivery: Delivery, most_rows: int) -> Iterator[Lines]:
        """Yield the lines of a delivery in stored order, at most so many at a time."""
        self._follow_the_table()
        for part, rows in zip(delivery.batch.parts, delivery.row_numbers(), strict=True):
            for start in range(0, len(part), most_rows):
                cut = slice(start, start + most_rows)
                piece = Columns(part.tag[cut], part.time[cut], part.value[cut], part.quality[cut])
                yield self._encode(piece, delivery.seq, rows[cut])

    def forget(self) -> None:
        """Tell every tag's quality again: a row that told it was refused."""
        self._quality[:] = _UNKNOWN

    def _follow_the_table(self) -> None:
        if self._version != self._tags.version:  # a renamed tag keeps its number
            self._version = self._tags.version
            self._heads.clear()
            self._layouts.clear()
            self._cached_rows = 0
        missing = len(self._tags) - len(self._quality)
        if missing > 0:
            self._quality = np.concatenate([self._quality, np.full(missing, _UNKNOWN)])
            self._minute = np.concatenate([self._minute, np.zeros(missing, np.int64)])

    def _encode(self, part: Columns, seq: int, rows: NDArray[np.int32]) -> Lines:
        layout = self._layout(part.tag)
        values, refused = _values(part, layout.unsigned)
        refused |= layout.untellable
        if part.time.max() > _LATEST or part.time.min() < -_LATEST:
            refused |= {
                int(i): "its time is beyond what the database can hold"
                for i in np.flatnonzero(np.abs(part.time.astype(np.float64)) > _LATEST)
            }
        quality, has_value = part.quality, ~is_bad(part.quality)
        if part.value.dtype == np.float64 and not (known := np.isfinite(part.value)).all():
            quality = np.where(has_value & ~known, np.uint32(BAD_OUT_OF_RANGE), quality)
            has_value &= known
        heads = layout.heads
        told = np.flatnonzero(self._must_tell(part.tag, part.time, quality, distinct=layout.distinct))
        if len(told):
            heads, values = list(heads), list(values)
            for i, code, is_valued in zip(
                told.tolist(), quality[told].tolist(), has_value[told].tolist(), strict=True
            ):
                head = self._heads[int(part.tag[i])] or b""
                if is_valued:
                    heads[i] = b"%bquality=%di,%b" % (head, code, heads[i][len(head) :])
                else:
                    heads[i], values[i] = b"%bquality=%di" % (head, code), b""
        pieces = [b""] * (3 * len(part))
        pieces[0::3], pieces[1::3] = heads, values
        pieces[2::3] = _split(_dumps(point_times(part.time, seq, rows)), b" ", b"\n")
        if refused:
            for i in refused:
                pieces[3 * i : 3 * i + 3] = [b""] * 3
            untold = tuple((int(rows[i]), why) for i, why in sorted(refused.items()))
            return Lines(b"".join(pieces), np.delete(rows, list(refused)), untold)
        return Lines(b"".join(pieces), rows)

    def _must_tell(
        self, tag: NDArray[np.int32], time: NDArray[np.int64], quality: NDArray[np.uint32], *, distinct: bool
    ) -> NDArray[np.bool_]:
        """Tell which rows carry their quality, and remember that they did; (n,) bool."""
        minute = time // _MINUTE
        if distinct or not quality.any():
            tell: NDArray[np.bool_] = (
                (quality != 0) | (self._quality[tag] != 0) | (self._minute[tag] != minute)
            )
        else:
            tell = np.ones(len(tag), np.bool_)  # a tag may be Bad in one row and Good in the next
        self._quality[tag] = quality
        self._minute[tag] = minute
        return tell

    def _layout(self, tag: NDArray[np.int32]) -> "_Layout":
        key = tag.tobytes()
        layout = self._layouts.get(key)
        if layout is None:
            numbers = tag.tolist()
            heads = [self._head(number) for number in numbers]
            kinds = [Kind(kind) for kind in self._tags.kind[tag].tolist()]
            layout = _Layout(
                heads=[(head or b"") + _FIELD[kind] for head, kind in zip(heads, kinds, strict=True)],
                unsigned=np.array([kind is Kind.UINT64 for kind in kinds]),
                distinct=len(set(numbers)) == len(numbers),
                untellable={
                    i: "its path can't be told in line protocol" for i, head in enumerate(heads) if not head
                },
            )
            if self._cached_rows + len(tag) > _CACHED_ROWS:
                self._layouts.clear()
                self._cached_rows = 0
            self._cached_rows += len(tag)
            self._layouts[key] = layout
        return layout

    def _head(self, number: int) -> bytes | None:
        if number not in self._heads:
            self._heads[number] = _head(self._measurement, self._tags[number])
        return self._heads[number]


@dataclass(frozen=True, slots=True)
class _Layout:
    """What repeats with every batch of the same tags, a piece of line per row."""

    heads: list[bytes]
    """Up to the value: measurement, tag set, field."""
    unsigned: NDArray[np.bool_]
    distinct: bool
    """No tag has two rows."""
    untellable: dict[int, str]


def _head(measurement: bytes, tag: Tag) -> bytes | None:
    """Return measurement, tag set and the space behind them; None for a path that can't be told."""
    levels = tag.path.split("/")
    if len(levels) != 5 or not all(map(_is_tellable, levels)):
        return None
    site, area, line, device, name = (level.translate(_ESCAPED).encode() for level in levels)
    unit = b",unit=" + tag.unit.translate(_ESCAPED).encode() if tag.unit else b""
    return b"%b,area=%b,device=%b,line=%b,site=%b,tag=%b%b " % (
        measurement, area, device, line, site, name, unit,
    )  # fmt: skip


def _is_tellable(level: str) -> bool:
    # A backslash can't be escaped in a tag, and would escape what follows it.
    return bool(level) and level.isprintable() and "\\" not in level


def _values(part: Columns, unsigned: NDArray[np.bool_]) -> tuple[Sequence[bytes], dict[int, str]]:
    """Return each row's value as text, and which can't be told; the text of a Bad row means nothing."""
    value = part.value
    if value.dtype == object:
        return _texts(value.tolist(), is_bad(part.quality).tolist())
    if value.dtype == np.int64 and unsigned.any():
        if not unsigned.all():
            plain = value.astype(object)
            plain[unsigned] = value[unsigned].view(np.uint64)
            kind = np.where(unsigned, "u", "i").tolist()
            return [b"%d%b" % (v, k.encode()) for v, k in zip(plain.tolist(), kind, strict=True)], {}
        return _split(_dumps(value.view(np.uint64)), b"", b"u"), {}
    return _split(_dumps(value), b"", b"i" if value.dtype == np.int64 else b""), {}


def _texts(values: list[Any], bad: list[bool]) -> tuple[list[bytes], dict[int, str]]:
    texts, refused = [], {}
    for i, (text, is_bad_row) in enumerate(zip(values, bad, strict=True)):
        told = b""
        if not is_bad_row:
            try:
                told = b'"%b"' % text.replace("\\", "\\\\").replace('"', '\\"').encode()
            except UnicodeEncodeError:
                refused[i] = "its text is not Unicode"
            if b"\n" in told:
                refused[i] = "its text has a line break, which line protocol can't tell"
        texts.append(told)
    return texts, refused


def _dumps(column: NDArray[Any]) -> bytes:
    """Return the numbers between commas; a float in the fewest digits that read back as the same."""
    return orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]


def _split(numbers: bytes, before: bytes, behind: bytes) -> list[bytes]:
    """Return each of some numbers with the same before and behind it."""
    if before or behind:
        numbers = before + numbers.replace(b",", behind + b"," + before) + behind
    return numbers.split(b",")
