"""What repeats with every scan, prepared once per layout. Pure, no I/O.

A layout is the tag numbers of a batch, part by part; each device in it has a `Share`: where its rows are, and
what a form has prepared of their names. Shares are kept until a tag changes or they are too many.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from connectors.batch import Columns
from connectors.contract import Delivery
from connectors.quality import is_bad
from connectors.tags import Kind, TagTable

_CACHED_ROWS: Final = 200_000
"""About 10 MB of prepared layouts; a plant whose batches never repeat must not fill the memory."""

T = TypeVar("T")
"""What a form prepares of a share."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One device's rows of one part."""

    part: int
    """Index into the batch's parts."""
    places: slice | NDArray[np.intp]
    kind: Kind | NDArray[np.uint8]
    """The one kind of all rows, or the kind of each."""


@dataclass(frozen=True, slots=True)
class Share:
    """One device's rows of one layout."""

    device_number: int
    device: str
    """site/area/line/device"""
    tag: NDArray[np.int32]
    """Tag number of each row."""
    pieces: tuple[Piece, ...]
    row: NDArray[np.int32]
    """Row numbers in a whole batch."""

    def __len__(self) -> int:
        return len(self.row)

    def time_and_quality(self, delivery: Delivery) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """Return each row's time and quality."""
        parts = delivery.batch.parts
        if len(self.pieces) == 1:
            piece = self.pieces[0]
            part = parts[piece.part]
            return part.time[piece.places], part.quality[piece.places]
        time = np.concatenate([parts[piece.part].time[piece.places] for piece in self.pieces])
        quality = np.concatenate([parts[piece.part].quality[piece.places] for piece in self.pieces])
        return time, quality

    def values(self, delivery: Delivery, quality: NDArray[np.uint32]) -> list[Any]:
        """Return each row's value as JSON has it, None where it is Bad."""
        bad = is_bad(quality) if quality.any() else None
        found: list[Any] = []
        for piece in self.pieces:
            value = delivery.batch.parts[piece.part].value[piece.places]
            first = len(found)
            found += plain_values(value, None if bad is None else bad[first : first + len(value)], piece.kind)
        return found

    def stored_rows(self, delivery: Delivery) -> NDArray[np.int32]:
        """Return each row's number in the stored batch."""
        rows = delivery.rows
        if rows is None:
            return self.row
        return np.concatenate([rows[piece.part][piece.places] for piece in self.pieces])


class Layouts(ABC, Generic[T]):
    """Shares of layouts, each with what an heir prepares of it."""

    def __init__(self, tags: TagTable) -> None:
        self._tags = tags
        self._layouts: dict[tuple[bytes, ...], tuple[tuple[Share, T], ...]] = {}
        self._cached_rows = 0
        self._version = tags.version

    @abstractmethod
    def _prepare(self, share: Share) -> T:
        """Return what of a share's messages is the same each time."""

    def _renamed(self) -> None:
        """Forget what is known of tags by number: a renamed tag keeps its number."""

    def _layout(self, parts: tuple[Columns, ...]) -> tuple[tuple[Share, T], ...]:
        """Return a share for each device of a batch, in the order of the devices' numbers."""
        if self._version != self._tags.version:
            self._version = self._tags.version
            self._renamed()
            self._forget()
        key = tuple([part.tag.tobytes() for part in parts])
        shares = self._layouts.get(key)
        if shares is None:
            shares = tuple((share, self._prepare(share)) for share in self._shares(parts))
            rows = sum(len(share) for share, _ in shares)
            if self._cached_rows + rows > _CACHED_ROWS:
                self._forget()
            self._cached_rows += rows
            self._layouts[key] = shares
        return shares

    def _halves(self, share: Share, parts: tuple[Columns, ...]) -> Iterator[tuple[Share, T]]:
        """Yield the first and the second half of a share's rows."""
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
            found = self._share(share.device_number, half, parts)
            yield found, self._prepare(found)

    def _forget(self) -> None:
        self._layouts.clear()
        self._cached_rows = 0

    def _shares(self, parts: tuple[Columns, ...]) -> Iterator[Share]:
        devices = [self._tags.device[part.tag] for part in parts]
        for device in np.unique(np.concatenate(devices)).tolist():
            yield self._share(device, [np.flatnonzero(each == device) for each in devices], parts)

    def _share(self, device: int, places: Sequence[NDArray[np.intp]], parts: tuple[Columns, ...]) -> Share:
        pieces: list[Piece] = []
        tags: list[NDArray[np.int32]] = []
        rows: list[NDArray[np.intp]] = []
        first_row = 0
        for i, (place, part) in enumerate(zip(places, parts, strict=True)):
            if len(place):
                tag = part.tag[place]
                tags.append(tag)
                rows.append(place + first_row)
                pieces.append(Piece(i, _as_slice(place), _one_or_many(self._tags.kind[tag])))
            first_row += len(part)
        row = np.concatenate(rows).astype(np.int32)
        tag = np.concatenate(tags)
        return Share(device, self._tags.device_path(device), tag, tuple(pieces), row)


def _as_slice(places: NDArray[np.intp]) -> slice | NDArray[np.intp]:
    """Return the places as a slice where they are neighbours: slicing copies nothing."""
    first, last = int(places[0]), int(places[-1])
    return slice(first, last + 1) if last - first == len(places) - 1 else places


def _one_or_many(kind: NDArray[np.uint8]) -> Kind | NDArray[np.uint8]:
    return Kind(int(kind[0])) if (kind == kind[0]).all() else kind


def plain_values(
    value: NDArray[Any], bad: NDArray[np.bool_] | None, kind: Kind | NDArray[np.uint8]
) -> list[Any]:
    """Return one part's values as JSON has them, None where Bad; `bad` is None when no row is.

    Python objects: about 90 ns a value.
    """
    if value.dtype == np.float64:
        return _plain_numbers(value, bad, kind)
    plain = value.astype(object)
    if value.dtype == np.int64:
        unsigned = np.broadcast_to(np.equal(kind, Kind.UINT64), value.shape)
        plain[unsigned] = value[unsigned].view(np.uint64)
    return _with_none(plain, bad)


def _plain_numbers(
    value: NDArray[np.float64], bad: NDArray[np.bool_] | None, kind: Kind | NDArray[np.uint8]
) -> list[Any]:
    unknown = ~np.isfinite(value)
    if bad is not None:
        unknown |= bad
    if kind is Kind.FLOAT64:
        return _with_none(value.astype(object), unknown) if unknown.any() else value.tolist()
    known = np.where(unknown, 0.0, value)
    plain = known.astype(object)
    boolean = np.broadcast_to(np.equal(kind, Kind.BOOL), value.shape)
    plain[boolean] = known[boolean] != 0
    integer = np.broadcast_to(np.equal(kind, Kind.INT32), value.shape)
    plain[integer] = known[integer].astype(np.int64)
    return _with_none(plain, unknown)


def _with_none(plain: NDArray[Any], unknown: NDArray[np.bool_] | None) -> list[Any]:
    if unknown is not None:
        plain[unknown] = None
    found: list[Any] = plain.tolist()
    return found
