"""From stored columns to JSON text: one message per device and stored batch. Pure, no I/O.

What repeats with every scan is prepared once per layout. A layout is the tag numbers of a batch, part by
part; for each device in it a `_Share` holds the names as JSON text and the places of the device's rows. What
is left to do for a delivery is to let orjson write one array of values:

    {"gw":…,"epoch":…,"seq":  7  ,"dev":"cz/press/l1/m1","t0":  1764…  ,"tags":["v_0",…],"v":  [1.0,…]  }
    └── once per epoch ─────┘     └── once per layout ──┘               └── once ──────┘

Columns pay at any size here: the whole path costs 6.5 µs for one row, 30 µs for a thousand (30 ns a value).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from connectors.batch import Columns, Origin
from connectors.contract import Delivery, Epoch
from connectors.quality import is_bad
from connectors.tags import Kind, TagTable

_CACHED_ROWS: Final = 200_000
"""About 10 MB of prepared layouts; a plant whose batches never repeat must not fill the memory."""
_HISTORICAL: Final = b',"hist":true'
_BACKFILL: Final = b',"fill":true'


@dataclass(frozen=True, slots=True)
class Message:
    """What is published for one device."""

    device: str
    """site/area/line/device"""
    payload: bytes
    rows: NDArray[np.int32]
    """Stored row numbers it carries."""
    fits: bool
    """False for a single row that is larger than any message may be."""


def _unlimited(device: str) -> int:  # noqa: ARG001  the same for any
    return 1 << 62


class Encoder:
    """Turn deliveries into messages; `limit` tells how many bytes of payload a device's topic may carry."""

    def __init__(self, gateway: str, tags: TagTable, limit: Callable[[str], int] = _unlimited) -> None:
        self._tags = tags
        self._limit = limit
        self._gateway = b'{"gw":' + orjson.dumps(gateway) + b',"epoch":"'
        self._names = _Names(tags)
        self._layouts: dict[tuple[bytes, ...], tuple[_Share, ...]] = {}
        self._cached_rows = 0
        self._version = tags.version
        self._epoch: Epoch | None = None
        self._head = b""

    def messages(self, delivery: Delivery) -> list[Message]:
        """Return one message per device, in the order of the devices' numbers, more where one is too large.

        A message over the limit is halved by rows until its pieces fit: the same rows give the same pieces,
        live or historical, and row numbers keep their identity.
        """
        if delivery.epoch != self._epoch:
            self._epoch = delivery.epoch
            self._head = self._gateway + str(delivery.epoch).encode() + b'","seq":'
        head = b"%b%d" % (self._head, delivery.seq)
        shares = self._layout(delivery.batch.parts)
        return [message for share in shares for message in self._messages(head, share, delivery)]

    def _messages(self, head: bytes, share: "_Share", delivery: Delivery) -> Iterator[Message]:
        message = _encode(head, share, delivery)
        if message.fits or len(share) == 1:
            yield message
        else:
            for half in self._halves(share, delivery.batch.parts):
                yield from self._messages(head, half, delivery)

    def _layout(self, parts: tuple[Columns, ...]) -> tuple["_Share", ...]:
        if self._version != self._tags.version:  # a renamed tag keeps its number
            self._version = self._tags.version
            self._names.clear()
            self._forget()
        key = tuple([part.tag.tobytes() for part in parts])
        shares = self._layouts.get(key)
        if shares is None:
            shares = tuple(self._shares(parts))
            rows = sum(len(share) for share in shares)
            if self._cached_rows + rows > _CACHED_ROWS:
                self._forget()
            self._cached_rows += rows
            self._layouts[key] = shares
        return shares

    def _forget(self) -> None:
        self._layouts.clear()
        self._cached_rows = 0

    def _shares(self, parts: tuple[Columns, ...]) -> Iterator["_Share"]:
        devices = [self._tags.device[part.tag] for part in parts]
        for device in np.unique(np.concatenate(devices)).tolist():
            yield self._share(device, [np.flatnonzero(each == device) for each in devices], parts)

    def _halves(self, share: "_Share", parts: tuple[Columns, ...]) -> Iterator["_Share"]:
        places = {piece.part: piece.places for piece in share.pieces}
        all_places = [
            np.arange(len(part))[places[i]] if i in places else np.empty(0, np.intp)
            for i, part in enumerate(parts)
        ]
        middle = len(share) // 2
        starts = [0, *accumulate(len(each) for each in all_places)]
        for keep in (slice(0, middle), slice(middle, len(share))):
            half = [
                each[max(0, keep.start - start) : max(0, keep.stop - start)]
                for each, start in zip(all_places, starts, strict=False)
            ]
            yield self._share(share.device_number, half, parts)

    def _share(self, device: int, places: Sequence[NDArray[np.intp]], parts: tuple[Columns, ...]) -> "_Share":
        path = self._tags.device_path(device)
        pieces: list[_Piece] = []
        numbers: list[int] = []
        rows: list[NDArray[np.intp]] = []
        first_row = 0
        for i, (place, part) in enumerate(zip(places, parts, strict=True)):
            if len(place):
                tag = part.tag[place]
                numbers += tag.tolist()
                rows.append(place + first_row)
                pieces.append(_Piece(i, _as_slice(place), _one_or_many(self._tags.kind[tag])))
            first_row += len(part)
        row = np.concatenate(rows).astype(np.int32)
        return _Share(
            device_number=device,
            device=path,
            limit=self._limit(path),
            head=b',"dev":' + orjson.dumps(path),
            tags=b',"tags":[' + b",".join(map(self._names.__getitem__, numbers)) + b"]",
            pieces=tuple(pieces),
            row=row,
            row_text=_row_text(row),
            units=self._units(numbers),
        )

    def _units(self, numbers: list[int]) -> bytes:
        """Return the rows' units where the retained catalogue tells others, or none: an old backlog."""
        if all(map(self._tags.is_told, numbers)):
            return b""
        return b',"unit":' + orjson.dumps([self._tags[number].unit for number in numbers])


class _Names(dict[int, bytes]):
    """The JSON text of each tag's name, made when first asked for."""

    def __init__(self, tags: TagTable) -> None:
        self._tags = tags

    def __missing__(self, number: int) -> bytes:
        # A copy: orjson leaves the kilobytes it worked in behind every text, 41 MB for 10,000 tags.
        name = self[number] = bytes(memoryview(orjson.dumps(self._tags[number].name)))
        return name


@dataclass(frozen=True, slots=True)
class _Piece:
    """One device's rows of one part."""

    part: int
    """Index into the batch's parts."""
    places: slice | NDArray[np.intp]
    kind: Kind | NDArray[np.uint8]
    """The one kind of all rows, or the kind of each."""


@dataclass(frozen=True, slots=True)
class _Share:
    """One device's rows of one layout, with everything that repeats already written."""

    device_number: int
    device: str
    limit: int
    head: bytes
    tags: bytes
    pieces: tuple[_Piece, ...]
    row: NDArray[np.int32]
    """Row numbers in a whole batch."""
    row_text: bytes
    units: bytes

    def __len__(self) -> int:
        return len(self.row)


def _encode(head: bytes, share: _Share, delivery: Delivery) -> Message:
    parts = delivery.batch.parts
    if len(share.pieces) == 1:
        piece = share.pieces[0]
        part = parts[piece.part]
        time, quality = part.time[piece.places], part.quality[piece.places]
        clean = not quality.any()
        values = _values(part.value[piece.places], None if clean else is_bad(quality), piece.kind)
    else:
        time = np.concatenate([parts[piece.part].time[piece.places] for piece in share.pieces])
        quality = np.concatenate([parts[piece.part].quality[piece.places] for piece in share.pieces])
        clean = not quality.any()
        values = b"[" + b",".join(_inner_values(share, parts, clean=clean)) + b"]"
    row, row_text = share.row, share.row_text
    if delivery.rows is not None:
        row = np.concatenate([delivery.rows[piece.part][piece.places] for piece in share.pieces])
        row_text = _row_text(row)
    start = int(time[0])
    same_time = bool((time == start).all())
    payload = b"".join(
        (
            head,
            share.head,
            _HISTORICAL if delivery.is_past else b"",
            b',"t0":%d' % start,
            share.tags,
            b"" if same_time else b',"dt":' + _dumps(time - start),
            b',"v":',
            values,
            b"" if clean else b',"q":' + _dumps(quality),
            row_text,
            share.units,
            _BACKFILL if delivery.batch.origin is Origin.BACKFILL else b"",
            b"}",
        )
    )
    # Room for the mark is always kept, so that a live message and its historical repeat split alike.
    size = len(payload) + (0 if delivery.is_past else len(_HISTORICAL))
    return Message(share.device, payload, row, size <= share.limit)


def _inner_values(share: _Share, parts: tuple[Columns, ...], *, clean: bool) -> Iterator[bytes]:
    for piece in share.pieces:
        part = parts[piece.part]
        bad = None if clean else is_bad(part.quality[piece.places])
        yield _values(part.value[piece.places], bad, piece.kind)[1:-1]


def _values(value: NDArray[Any], bad: NDArray[np.bool_] | None, kind: Kind | NDArray[np.uint8]) -> bytes:
    """Write one part's values; `bad` is None when no row of the message is Bad."""
    if value.dtype == np.float64:
        return _numbers(value, bad, kind)
    if value.dtype == np.int64:
        return _integers(value, bad, kind)
    return _with_nulls(value.astype(object), bad)


def _numbers(
    value: NDArray[np.float64], bad: NDArray[np.bool_] | None, kind: Kind | NDArray[np.uint8]
) -> bytes:
    if kind is Kind.FLOAT64:
        # orjson writes NaN as null, so a Bad row costs no Python object.
        return _dumps(value if bad is None else np.where(bad, np.nan, value))
    unknown = ~np.isfinite(value)
    if bad is not None:
        unknown |= bad
    if isinstance(kind, Kind) and not unknown.any():
        return _dumps(value != 0 if kind is Kind.BOOL else value.astype(np.int64))
    # Python objects: about 90 ns a value.
    known = np.where(unknown, 0.0, value)
    plain = known.astype(object)
    boolean = np.broadcast_to(np.equal(kind, Kind.BOOL), value.shape)
    plain[boolean] = known[boolean] != 0
    integer = np.broadcast_to(np.equal(kind, Kind.INT32), value.shape)
    plain[integer] = known[integer].astype(np.int64)
    return _with_nulls(plain, unknown)


def _integers(
    value: NDArray[np.int64], bad: NDArray[np.bool_] | None, kind: Kind | NDArray[np.uint8]
) -> bytes:
    if isinstance(kind, Kind) and bad is None:
        return _dumps(value.view(np.uint64) if kind is Kind.UINT64 else value)
    plain = value.astype(object)
    unsigned = np.broadcast_to(np.equal(kind, Kind.UINT64), value.shape)
    plain[unsigned] = value[unsigned].view(np.uint64)
    return _with_nulls(plain, bad)


def _with_nulls(plain: NDArray[Any], unknown: NDArray[np.bool_] | None) -> bytes:
    if unknown is not None:
        plain[unknown] = None
    return orjson.dumps(plain.tolist())


def _row_text(row: NDArray[np.int32]) -> bytes:
    if row[0] == 0 and row[-1] == len(row) - 1 and np.array_equal(row, np.arange(len(row))):
        return b""
    return b',"row":' + _dumps(row)


def _as_slice(places: NDArray[np.intp]) -> slice | NDArray[np.intp]:
    """Return the places as a slice where they are neighbours: slicing copies nothing."""
    first, last = int(places[0]), int(places[-1])
    return slice(first, last + 1) if last - first == len(places) - 1 else places


def _one_or_many(kind: NDArray[np.uint8]) -> Kind | NDArray[np.uint8]:
    return Kind(int(kind[0])) if (kind == kind[0]).all() else kind


def _dumps(column: NDArray[Any]) -> bytes:
    return orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY)
