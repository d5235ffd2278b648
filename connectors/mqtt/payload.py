"""From stored columns to JSON text: one message per device and stored batch. Pure, no I/O.

What repeats with every scan is prepared once per layout (`forms.shares`): the names are already JSON text.
What is left to do for a delivery is to let orjson write one array of values:

    {"gw":…,"epoch":…,"seq":  7  ,"dev":"cz/press/l1/m1","t0":  1764…  ,"tags":["v_0",…],"v":  [1.0,…]  }
    └── once per epoch ─────┘     └── once per layout ──┘               └── once ──────┘

Columns pay at any size here: the whole path costs 6.5 µs for one row, 30 µs for a thousand (30 ns a value).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from connectors.batch import Columns, Origin
from connectors.contract import Delivery, Epoch
from connectors.mqtt.forms.shares import Layouts, Share, plain_values
from connectors.quality import is_bad
from connectors.tags import Kind, TagTable

_HISTORICAL: Final = b',"hist":true'
_BACKFILL: Final = b',"fill":true'
_FURTHEST: Final = 2**63
"""A row's time less the first one's must be an int64, for us and for who reads it."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is published for one device."""

    device: str
    """site/area/line/device"""
    payload: bytes
    rows: NDArray[np.int32]
    """Stored row numbers it carries."""
    fits: bool
    """False where it must be halved, and for a single row that is larger than what is split."""
    size: int
    """Bytes of the payload, with room for the mark of lateness."""


def _unlimited(device: str) -> int:  # noqa: ARG001  the same for any
    return 1 << 62


@dataclass(frozen=True, slots=True)
class _Texts:
    """What of a share's message is already written."""

    limit: int
    head: bytes
    tags: bytes
    row: bytes
    units: bytes


class Encoder(Layouts[_Texts]):
    """Turn deliveries into messages; `limit` tells how many bytes of payload a device's topic may carry."""

    def __init__(self, gateway: str, tags: TagTable, limit: Callable[[str], int] = _unlimited) -> None:
        super().__init__(tags)
        self._limit = limit
        self._gateway = b'{"gw":' + orjson.dumps(gateway) + b',"epoch":"'
        self._names = _Names(tags)
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
        return [message for share, texts in shares for message in self._fit(head, share, texts, delivery)]

    def _fit(self, head: bytes, share: Share, texts: _Texts, delivery: Delivery) -> Iterator[Message]:
        message = _encode(head, share, texts, delivery)
        if message.fits or len(share) == 1:
            yield message
        else:
            for half, its_texts in self._halves(share, delivery.batch.parts):
                yield from self._fit(head, half, its_texts, delivery)

    def _renamed(self) -> None:
        self._names.clear()

    def _prepare(self, share: Share) -> _Texts:
        numbers = share.tag.tolist()
        return _Texts(
            limit=self._limit(share.device),
            head=b',"dev":' + orjson.dumps(share.device),
            tags=b',"tags":[' + b",".join(map(self._names.__getitem__, numbers)) + b"]",
            row=_row_text(share.row),
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


def _encode(head: bytes, share: Share, texts: _Texts, delivery: Delivery) -> Message:
    parts = delivery.batch.parts
    time, quality = share.time_and_quality(delivery)
    clean = not quality.any()
    if len(share.pieces) == 1:
        piece = share.pieces[0]
        part = parts[piece.part]
        values = _values(part.value[piece.places], None if clean else is_bad(quality), piece.kind)
    else:
        values = b"[" + b",".join(_inner_values(share, parts, clean=clean)) + b"]"
    row, row_text = share.row, texts.row
    if delivery.rows is not None:
        row = share.stored_rows(delivery)
        row_text = _row_text(row)
    start = int(time[0])
    same_time = bool((time == start).all())
    is_near = same_time or -_FURTHEST <= int(time.min()) - start <= int(time.max()) - start < _FURTHEST
    payload = b"".join(
        (
            head,
            texts.head,
            _HISTORICAL if delivery.is_past else b"",
            b',"t0":%d' % start,
            texts.tags,
            b"" if same_time else b',"dt":' + _dumps(time - start),
            b',"v":',
            values,
            b"" if clean else b',"q":' + _dumps(quality),
            row_text,
            texts.units,
            _BACKFILL if delivery.batch.origin is Origin.BACKFILL else b"",
            b"}",
        )
    )
    # Room for the mark is always kept, so that a live message and its historical repeat split alike.
    size = len(payload) + (0 if delivery.is_past else len(_HISTORICAL))
    return Message(share.device, payload, row, size <= texts.limit and is_near, size)


def _inner_values(share: Share, parts: tuple[Columns, ...], *, clean: bool) -> Iterator[bytes]:
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
    return orjson.dumps(plain_values(value, bad, kind))


def _numbers(
    value: NDArray[np.float64], bad: NDArray[np.bool_] | None, kind: Kind | NDArray[np.uint8]
) -> bytes:
    if kind is Kind.FLOAT64:
        # orjson writes NaN as null, so a Bad row costs no Python object.
        return _dumps(value if bad is None else np.where(bad, np.nan, value))
    if isinstance(kind, Kind) and np.isfinite(value).all() and (bad is None or not bad.any()):
        return _dumps(value != 0 if kind is Kind.BOOL else value.astype(np.int64))
    return orjson.dumps(plain_values(value, bad, kind))


def _integers(
    value: NDArray[np.int64], bad: NDArray[np.bool_] | None, kind: Kind | NDArray[np.uint8]
) -> bytes:
    if isinstance(kind, Kind) and bad is None:
        return _dumps(value.view(np.uint64) if kind is Kind.UINT64 else value)
    return orjson.dumps(plain_values(value, bad, kind))


def _row_text(row: NDArray[np.int32]) -> bytes:
    if row[0] == 0 and row[-1] == len(row) - 1 and np.array_equal(row, np.arange(len(row))):
        return b""
    return b',"row":' + _dumps(row)


def _dumps(column: NDArray[Any]) -> bytes:
    return orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY)
