"""The store read beside the gateway that writes it: from another process, in short reads, with every proof.

A segment's batches end where the next segment begins. What can't be proved is passed over and told as a gap,
like every loss the gateway itself has recorded.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from connectors import Delivery
from gateway.buffer.codec import Undecodable, decode
from gateway.buffer.contract import STORE
from gateway.buffer.reader import Damaged, SegmentReader
from gateway.buffer.segment import SUFFIX
from gateway.ledger import Gap
from gateway.sqlite import files_of
from gateway.stream.position import Ends, Position, prove
from gateway.stream.state import StateReader

_NO_END: Final = 2**62
_ONE_BY_ONE: Final = 20_000
"""Most seqs looked for singly in a damaged file; few segments hold as many batches."""


@dataclass(slots=True)
class Page:
    """What follows a position."""

    after: Position
    """Where the page ends; the same as before when there is nothing new."""
    deliveries: list[Delivery] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    """What is missing among what follows, or before it."""
    more: bool = False
    """More is stored already."""


class StoredLog:
    """One reader of a store. Used by one thread at a time."""

    def __init__(self, directory: Path) -> None:
        self._folder = directory / STORE
        self._open: dict[Path, SegmentReader] = {}

    def ends(self) -> Ends:
        """Return what there is; raises sqlite3.Error or OSError where no gateway has run."""
        with StateReader(self._folder) as state:
            return self._ends(state)

    def _ends(self, state: StateReader) -> Ends:
        files = self._files()
        epochs = state.epochs()
        begun = epochs[-1].first_seq if epochs else 0
        if not files:
            return Ends(epochs, begun, begun)
        newest = files[-1]
        last = self._bounds(newest)
        end = int(newest.stem) if last is None else last + 1
        return Ends(epochs, int(files[0].stem), max(begun, end))

    def read(self, position: Position, max_rows: int) -> Page:
        """Return whole batches behind a position, at least one if there is any.

        Raises:
            Lost: there is no going on from there.
            sqlite3.Error, OSError: no gateway has run here, or the disk refuses.
        """
        with StateReader(self._folder) as state:
            return self._page(position, max_rows, state)

    def _page(self, position: Position, max_rows: int, state: StateReader) -> Page:
        ends = self._ends(state)
        start = prove(position, ends)
        page = Page(after=position)
        rows = 0
        for path, stop in self._from(start):
            try:
                found, lost = self._read(path, start, stop, max_rows - rows, state)
            except FileNotFoundError:  # retention was here: what is gone was perhaps not read yet
                ends = self._ends(state)
                prove(Position(position.epoch, start - 1), ends)
                continue
            page.gaps += lost
            page.deliveries += found
            rows += sum(len(each.batch) for each in found)
            if found:
                start = found[-1].seq + 1
            if rows >= max_rows or (found and start < min(stop, ends.end)):
                break
        last = max([start - 1, *(gap.last_seq for gap in page.gaps)])
        at_end = last + 1 >= ends.end or not page.deliveries
        page.gaps += state.losses(position.seq, ends.end - 1 if at_end else last)
        last = max([last, *(gap.last_seq for gap in page.gaps)])
        if last > position.seq:
            page.after = position.to(ends.epoch_at(last), last)
        missing = state.missing(position, ends.newest_epoch, None if at_end else last)
        if missing:
            page.gaps += missing
            # Behind all rows of the epochs before: gaps are counted within the running one.
            place = max(last, ends.begun - 1) if at_end else last
            epoch = ends.newest_epoch if place >= ends.begun - 1 else ends.epoch_at(place)
            page.after = Position(epoch, place, missing[-1].revision)
        page.gaps.sort(key=place_of)
        # Numbers left free behind an unclean stop are nothing that is stored: an empty page ends it.
        page.more = page.after != position and last + 1 < ends.end
        return page

    def close(self) -> None:
        """Close every file."""
        while self._open:
            self._open.popitem()[1].close()

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{SUFFIX}"))

    def _from(self, seq: int) -> Iterator[tuple[Path, int]]:
        """Yield each file that can hold `seq` or something after it, and the seq its batches end before."""
        files = self._files()
        ends = [*(int(path.stem) for path in files[1:]), _NO_END]
        for path, stop in zip(files, ends, strict=False):  # where nothing is stored yet there is no file
            if seq < stop:
                yield path, stop

    def _read(
        self, path: Path, start: int, stop: int, max_rows: int, state: StateReader
    ) -> tuple[list[Delivery], list[Gap]]:
        start = max(start, int(path.stem))
        try:
            last = self._bounds(path)
            if last is None or last < start:
                return [], []
            stop = min(stop, last + 1)
            whole = state.is_whole(int(path.stem))
            return self._reader(path).read(start, stop, max_rows, gapless=whole), []
        except Damaged:
            return self._what_holds(path, start, stop, max_rows)
        finally:
            self._forget_others(path)

    def _bounds(self, path: Path) -> int | None:
        found = self._reader(path).bounds()
        return None if found is None else found[1]

    def _what_holds(
        self, path: Path, start: int, stop: int, max_rows: int
    ) -> tuple[list[Delivery], list[Gap]]:
        """Read a damaged file batch by batch; what can't be proved is a gap."""
        reader = self._reader(path)
        found: list[Delivery] = []
        bad: list[int] = []
        rows = 0
        for seq in range(start, min(stop, start + _ONE_BY_ONE)):
            try:
                raw = next(reader.raw(seq, seq + 1))
                batch = decode(raw.data, raw.tags, raw.arrived)
            except (Damaged, Undecodable, StopIteration, sqlite3.Error):
                bad.append(seq)
                continue
            found.append(Delivery(batch, reader.epoch, seq))
            rows += raw.rows
            if rows >= max_rows:
                break
        return found, [_unproved(first, last) for first, last in _runs(bad)]

    def _reader(self, path: Path) -> SegmentReader:
        reader = self._open.get(path)
        if reader is None:
            if not path.exists():
                raise FileNotFoundError(path)
            # Whoever writes it has its WAL beside it; without one nobody will write it again.
            reader = self._open[path] = SegmentReader(path, sealed=not files_of(path)[1].exists())
        return reader

    def _forget_others(self, path: Path) -> None:
        for other in [each for each in self._open if each != path]:
            self._open.pop(other).close()


def place_of(gap: Gap) -> int:
    """Return the seq before whose row a gap is told."""
    return gap.first_seq or gap.place


def _runs(seqs: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of each run of neighbours."""
    if seqs:
        breaks = [b for a, b in pairwise(seqs) if b != a + 1]
        starts = [seqs[0], *breaks]
        for first, following in zip(starts, [*breaks, _NO_END], strict=True):
            yield first, max(seq for seq in seqs if first <= seq < following)


def _unproved(first: int, last: int) -> Gap:
    return Gap("damaged", first, last, last - first + 1, 0, 0)
