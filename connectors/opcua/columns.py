"""From decoded rows to a batch: each finds its tag, its time and its part, or is Bad with the reason."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from connectors.batch import Batch, Columns
from connectors.opcua.items import DATE_TIME, KIND_OF_BUILTIN, PULSE_HANDLE, Items
from connectors.opcua.rows import Other, Run
from connectors.opcua.statistics import Statistics
from connectors.opcua.times import as_text
from connectors.opcua.told import Told
from connectors.opcua.types.spreading import (
    LONGEST_TEXT,
    NOTHING,
    Row,
    Spreading,
    Value,
    columns,
    digest,
    of_other,
    of_run,
)
from connectors.quality import (
    BAD,
    BAD_ENCODING_LIMITS_EXCEEDED,
    BAD_NOT_SUPPORTED,
    BAD_TYPE_MISMATCH,
    BAD_WAITING_FOR_INITIAL_DATA,
    UNCERTAIN,
    UNCERTAIN_ENGINEERING_UNITS_EXCEEDED,
    has_overflowed,
)
from connectors.tags import DTYPE_OF_PART, Part, as_float

_EXACT: Final = 2**53
_UINT64: Final = 9
_READABLE: Final = np.uint32(sum(1 << builtin for builtin in KIND_OF_BUILTIN))
_MOST_REMEMBERED: Final = 64


class Piece(NamedTuple):
    """Rows of one message and one part; `place` is their order in the message."""

    place: NDArray[np.int32]
    columns: Columns


class Gathering:
    """Collects the rows of one batch."""

    def __init__(
        self, items: Items, statistics: Statistics, *, told: Told | None = None, by_source: bool = False
    ) -> None:
        """`told` is what was told before; `by_source` dates what is read as what is published."""
        self._items = items
        self._statistics = statistics
        self._by_source = by_source
        self._parts: dict[Part, list[Columns]] = {part: [] for part in Part}
        self._remembered: dict[tuple[Part, int, int, int], NDArray[np.int32]] = {}
        self.strange_types: set[int] = set()
        """Items that brought a value of a type that is not theirs."""
        self.rows = 0
        self.told = Told(len(items)) if told is None else told
        self.spreading = Spreading(items, statistics)

    def add(
        self,
        runs: Sequence[Run],
        others: Sequence[Other],
        arrived: int,
        nodes: NDArray[np.intp] | None = None,
    ) -> None:
        """Take in one message; `nodes` are the items by place when it answers a read."""
        pieces: dict[Part, list[Piece]] = {part: [] for part in Part}
        for run in runs:
            item = run.handle if nodes is None else nodes[run.place]
            is_read = nodes is not None and not self._by_source
            time = _time(run, arrived, is_read=is_read, by_server=self._items.by_server)
            for part, piece in self._pieces(run, item, time):
                pieces[part].append(piece)
        if others:
            for part, piece in self._spread(self._values(others, arrived, nodes)):
                pieces[part].append(piece)
        for part, found in pieces.items():
            if found:
                self._keep(part, found[0].columns if len(found) == 1 else _in_order(found))

    def add_waiting(self) -> None:
        """Take in the values that waited for the structures they are."""
        for part, piece in self._spread(self.spreading.again(), is_again=True):
            self._keep(part, piece.columns)

    def add_bad(self, items: NDArray[np.intp], quality: NDArray[np.uint32] | int, time: int) -> None:
        """Say of these items that they are Bad from `time` on."""
        status = np.broadcast_to(np.asarray(quality, np.uint32), items.shape)
        self.told.take_status(items, status)
        spread = self._items.is_spread[items]
        for part in Part:
            mine = (self._items.part[items] == part) & ~spread
            if mine.any():
                count = int(np.count_nonzero(mine))
                times = np.full(count, time, np.int64)
                tag = self._items.number[items[mine]]
                self._keep(part, Columns(tag, times, _nothing(part, count), status[mine].copy()))
        values = [Value(int(items[i]), 0, time, int(status[i])) for i in spread.nonzero()[0].tolist()]
        for part, piece in self._spread(values):
            self._keep(part, piece.columns)

    def batch(self, arrived: int) -> Batch:
        """Return what was gathered and begin anew."""
        parts = []
        for part, found in self._parts.items():
            if found:
                whole = found[0] if len(found) == 1 else _joined(found)
                parts.append(Columns(self._known(part, whole.tag), whole.time, whole.value, whole.quality))
                found.clear()
        self.rows = 0
        return Batch(tuple(parts), arrived)

    def _keep(self, part: Part, columns: Columns) -> None:
        if len(columns):
            self._parts[part].append(columns)
            self.rows += len(columns)

    def _known(self, part: Part, tag: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the same array object for the same tags as before.

        The pipeline works out what it needs to know of a tag column once per array object.
        """
        key = (part, len(tag), int(tag[0]), int(tag[-1]))
        known = self._remembered.get(key)
        if known is not None and np.array_equal(known, tag):
            return known
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.pop(next(iter(self._remembered)))
        self._remembered[key] = tag
        return tag

    def _pieces(self, run: Run, item: NDArray[Any], time: NDArray[np.int64]) -> Iterable[tuple[Part, Piece]]:
        items, statistics = self._items, self._statistics
        statistics.values += len(run)
        if len(item) and item.max() >= len(items):
            asked = item < len(items)
            statistics.strange += int(np.count_nonzero(~asked & (item < PULSE_HANDLE)))
            run, item, time = _taken(run, asked), item[asked], time[asked]
        status = run.status
        statistics.overflows += int(np.count_nonzero(has_overflowed(status)))
        fits = (items.accepted[item] >> run.builtin) & 1 == 1
        part_of = items.part[item]
        own = _OWN_PART[run.value.dtype.char]
        if fits.all() and (part_of == own).all():
            if own is Part.TEXT:
                status = _shortened(run.value, status)
            self.told.take(own, item, run.value, status)
            yield own, Piece(run.place, Columns(items.number[item], time, run.value, status))
            return
        spread = items.is_spread[item]
        if spread.any():
            yield from self._spread(list(of_run(run, item, time, spread.nonzero()[0])))
            run, item, time, fits = _taken(run, ~spread), item[~spread], time[~spread], fits[~spread]
            part_of = part_of[~spread]
        status = self._misfits(run, item, fits)
        for part in Part:
            mine = part_of == part
            if mine.any():
                value, marked = _converted(run, part, fits, status)
                self.told.take(part, item[mine], value[mine], marked[mine])
                columns = Columns(items.number[item[mine]], time[mine], value[mine], marked[mine])
                yield part, Piece(run.place[mine], columns)

    def _misfits(self, run: Run, item: NDArray[Any], fits: NDArray[np.bool_]) -> NDArray[np.uint32]:
        wrong = ~fits & (run.status < np.uint32(BAD))
        if not wrong.any():
            return run.status
        self.strange_types.update(item[wrong & (run.builtin > 0)].tolist())
        reason = np.where(
            run.builtin == 0,
            np.uint32(BAD_WAITING_FOR_INITIAL_DATA),
            np.where(
                (_READABLE >> run.builtin) & 1 == 1,
                np.uint32(BAD_TYPE_MISMATCH),
                np.uint32(BAD_NOT_SUPPORTED),
            ),
        )
        self._statistics.type_mismatches += int(np.count_nonzero(wrong & (reason == BAD_TYPE_MISMATCH)))
        self._statistics.unsupported += int(np.count_nonzero(wrong & (reason == BAD_NOT_SUPPORTED)))
        return np.where(wrong, reason, run.status).astype(np.uint32)

    def _values(self, others: Sequence[Other], arrived: int, nodes: NDArray[np.intp] | None) -> list[Value]:
        items = self._items
        found = [(each.handle if nodes is None else int(nodes[each.place]), each) for each in others]
        known = [
            of_other(each, item, arrived, by_server=items.by_server)
            for item, each in found
            if item < len(items)
        ]
        self._statistics.strange += len(found) - len(known)
        self._statistics.values += len(known)
        return known

    def _spread(self, values: Sequence[Value], *, is_again: bool = False) -> Iterable[tuple[Part, Piece]]:
        """Yield the rows of values that are more than one, or of items that are; again when they waited."""
        if not values:
            return
        own = {value.item: self._own(value) for value in values if not self._items.is_spread[value.item]}
        rows = self.spreading.rows(values)
        for item, (part, row) in own.items():
            if self.told.times[item] and self.told.quality[item] < BAD and not is_again:
                # It was one value until now; its own name stands for nothing any more.
                status = BAD_TYPE_MISMATCH if row.status == BAD_NOT_SUPPORTED else row.status
                rows.append((part, row._replace(status=status)))
            elif not self._items.is_spread[item] and not self.spreading.unknown:
                rows.append((part, row))
        for value in values:
            place = np.array([value.item])
            self.told.take(Part.NUMBER, place, np.array([digest(value)]), np.array([value.status], np.uint32))
        for part in Part:
            mine = [row for each, row in rows if each is part]
            if mine:
                yield part, Piece(*columns(part, mine))

    def _own(self, value: Value) -> tuple[Part, Row]:
        """Return the row of an item's own tag for a value that has no single one."""
        part = Part(int(self._items.part[value.item]))
        status = value.status if value.status >= BAD else BAD_NOT_SUPPORTED
        return part, Row(value.place, int(self._items.number[value.item]), value.time, NOTHING[part], status)


_OWN_PART: Final = {"d": Part.NUMBER, "l": Part.INTEGER, "q": Part.INTEGER, "O": Part.TEXT}


def _time(run: Run, arrived: int, *, is_read: bool, by_server: bool) -> NDArray[np.int64]:
    """Return when each value was true: the source's timestamp, else the server's, else the arrival.

    A value that was read is true when the server says so: its source's time may be that of a change long ago.
    """
    first, second = run.source_time, run.server_time
    if by_server:
        first, second = second, first
    elif is_read:
        first = np.maximum(first, second)
    if first.all():
        return first
    return np.where(first != 0, first, np.where(second != 0, second, np.int64(arrived)))


def _nothing(part: Part, count: int) -> NDArray[Any]:
    value = np.zeros(count, DTYPE_OF_PART[part])
    if part is Part.TEXT:
        value[:] = ""
    return value


def _shortened(value: NDArray[Any], status: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Make texts nobody can use Bad; the texts themselves go."""
    too_long = np.fromiter((len(text) > LONGEST_TEXT for text in value), np.bool_, len(value))  # 40 ns a text
    if not too_long.any():
        return status
    value[too_long] = ""
    is_good = too_long & (status < np.uint32(BAD))
    return np.where(is_good, np.uint32(BAD_ENCODING_LIMITS_EXCEEDED), status).astype(np.uint32)


def _converted(
    run: Run, part: Part, fits: NDArray[np.bool_], status: NDArray[np.uint32]
) -> tuple[NDArray[Any], NDArray[np.uint32]]:
    """Return the values as this part's column holds them, nothing where they don't fit, and the statuses."""
    own = _OWN_PART[run.value.dtype.char]
    if own is part:
        if own is Part.TEXT:
            value = np.where(fits, run.value, "")
            return value, _shortened(value, status)
        return np.where(fits, run.value, run.value.dtype.type(0)), status
    if part is Part.TEXT:
        value = _nothing(part, len(run))
        dates = (fits & (run.builtin == DATE_TIME)).nonzero()[0]
        value[dates] = [as_text(time) for time in run.value[dates].tolist()]
        return value, status
    if own is Part.TEXT:
        return _nothing(part, len(run)), status
    if part is Part.INTEGER:
        return np.where(fits, run.value, 0).astype(np.int64), status
    number = as_float(run.value, run.builtin == _UINT64)
    inexact = fits & (np.abs(number) > _EXACT) & (status < np.uint32(UNCERTAIN))
    marked = np.where(inexact, np.uint32(UNCERTAIN_ENGINEERING_UNITS_EXCEEDED), status).astype(np.uint32)
    return np.where(fits, number, 0.0), marked


def _taken(run: Run, rows: NDArray[np.bool_]) -> Run:
    return Run(
        run.place[rows],
        run.handle[rows],
        run.builtin[rows],
        run.value[rows],
        run.status[rows],
        run.source_time[rows],
        run.server_time[rows],
    )


def _in_order(pieces: Sequence[Piece]) -> Columns:
    """Join the pieces of one message in its order: an item's rows must not overtake each other."""
    joined = _joined([piece.columns for piece in pieces])
    order = np.argsort(np.concatenate([piece.place for piece in pieces]), kind="stable")
    return joined.take(order)


def _joined(found: Sequence[Columns]) -> Columns:
    return Columns(
        np.concatenate([each.tag for each in found]),
        np.concatenate([each.time for each in found]),
        np.concatenate([each.value for each in found]),
        np.concatenate([each.quality for each in found]),
    )
