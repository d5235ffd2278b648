"""The newest row of every tag, in memory another process can read: what the page shows, what a birth tells.

    collect ─put→ columns under a sequence lock ◀─snapshot─ the page's process, at its own pace

One file of columns, mapped by both processes. The writer makes the sequence odd, writes, makes it even; a
reader that saw it odd, or changed, copies again. A processor that reorders stores (ARM) could still show half
a row, so each row carries a check over time, value and quality; a copy in which one fails is made again.
Nobody waits for anybody. When the tags outgrow the file the next one, twice as large, takes over.
"""

import contextlib
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from connectors import Batch, Columns, Origin, Part, TagTable
from gateway.mapped import TEXT_BYTES, MappedFile, check
from gateway.pipeline.gather import PerColumn

_GOOD_BELOW: Final = np.uint32(0x4000_0000)
_AT_ONCE: Final = 10
_MOST_TRIES: Final = 60


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of all columns at one instant, each (n,), by tag number."""

    version: int
    """Grows when tags are announced or retired."""
    time: NDArray[np.int64]
    """Source timestamp of the newest stored row, ns UTC."""
    arrived: NDArray[np.int64]
    """When the tag was last read, ns UTC, also where a deadband kept the row back; 0 is never."""
    good: NDArray[np.int64]
    """Arrival of the newest Good row in this run, ns UTC; 0 is none."""
    fault: NDArray[np.int64]
    """Arrival of the newest row in this run a source said was not Good, ns UTC; 0 is none."""
    fault_quality: NDArray[np.uint32]
    value: NDArray[np.int64]
    """The value's 64 bits: of a float64, of an int64; of text its checksum and length."""
    quality: NDArray[np.uint32]
    rows: NDArray[np.int64]
    """Rows stored in this run; 0 means that nothing is known yet."""
    active: NDArray[np.uint8]
    """1 where a running source announces the tag."""
    text: NDArray[np.uint8]
    """(n, TEXT_BYTES) UTF-8."""

    def text_of(self, number: int) -> str:
        """Return a text tag's value, cut at TEXT_BYTES."""
        length = int(self.value[number]) & 0xFF
        return bytes(self.text[number, :length]).decode("utf-8", "replace")


class LiveValues:
    """Written by the gateway's event loop; `contract.LastValues` for its sinks."""

    def __init__(self, folder: Path, tags: TagTable, capacity: int = 1024) -> None:
        self.folder = folder
        self._tags = tags
        self._text: dict[int, str] = {}
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for left in folder.glob("values-*"):  # by a gateway that was killed
                left.unlink()
        self._file = self._make(max(capacity, len(tags)))
        self._version = -1
        self._run_of = PerColumn(tags, _run)

    def put(self, read: Batch | None, stored: Batch | None) -> None:
        """Take in what a source returned, None when we speak for it, and what of it is on its way to disk."""
        self.refresh()
        file = self._file
        column, header = file.column, file.header
        header[2] += 1
        try:
            if read is not None and read.origin is not Origin.BACKFILL:  # what was is not read now
                for part in read.parts:
                    _write(column["arrived"], part.tag, self._run_of(part.tag), read.arrived)
            if stored is not None:
                for part in stored.parts:
                    self._put(part, stored, is_ours=read is None)
        finally:
            header[2] += 1

    def refresh(self) -> None:
        """Take over what the table learned: more tags, others active."""
        if self._version == self._tags.version and len(self._tags) <= self._file.capacity:
            return
        self._version = self._tags.version
        if len(self._tags) > self._file.capacity:
            self._grow()
        header, active = self._file.header, self._file.column["active"]
        header[2] += 1
        header[3:5] = self._version, len(self._tags)
        active[:] = 0
        active[self._tags.active()] = 1
        header[2] += 1

    def last(self, tags: NDArray[np.int32]) -> Sequence[Columns]:
        """Return the newest known row of each of these tags that has one, in parts."""
        column = self._file.column
        tags = tags[tags < self._file.capacity]
        tags = tags[column["rows"][tags] > 0]
        part_of = self._tags.part(tags)
        found = []
        for part in Part:
            mine = tags[part_of == part]
            if len(mine):
                found.append(
                    Columns(mine, column["time"][mine], self._values(part, mine), column["quality"][mine])
                )
        return found

    def close(self) -> None:
        """Remove the file."""
        self._file.remove()
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _put(self, part: Columns, stored: Batch, *, is_ours: bool) -> None:
        column = self._file.column
        if stored.origin is Origin.BACKFILL:
            part = part.where(part.time > column["time"][part.tag])
        tag = part.tag
        bits = self._texts(part) if part.value.dtype == object else part.value.view(np.int64)
        run = self._run_of(tag)
        _write(column["time"], tag, run, part.time)
        _write(column["value"], tag, run, bits)
        _write(column["quality"], tag, run, part.quality)
        _write(column["check"], tag, run, check(part.time, bits, part.quality))
        if run is not None:
            column["rows"][run] += 1
        else:  # a tag may stand in a batch twice
            np.add.at(column["rows"], tag, 1)
        if not part.quality.any():
            _write(column["good"], tag, run, stored.arrived)
            return
        is_good = part.quality < _GOOD_BELOW
        column["good"].put(tag[is_good], stored.arrived)
        if not is_ours:
            faulty = tag[~is_good]
            column["fault"].put(faulty, stored.arrived)
            column["fault_quality"].put(faulty, part.quality[~is_good])

    def _texts(self, part: Columns) -> NDArray[np.int64]:
        """Write the texts; return what stands for them in the value column. 1.5 µs a row; texts are few."""
        column = self._file.column["text"]
        bits = np.empty(len(part), np.int64)
        for i, (number, text) in enumerate(zip(part.tag.tolist(), part.value.tolist(), strict=True)):
            self._text[number] = text
            encoded = text.encode("utf-8", "replace")[:TEXT_BYTES]
            encoded = encoded.decode("utf-8", "ignore").encode()
            column[number, : len(encoded)] = np.frombuffer(encoded, np.uint8)
            bits[i] = zlib.crc32(encoded) << 8 | len(encoded)
        return bits

    def _values(self, part: Part, tags: NDArray[np.int32]) -> NDArray[Any]:
        bits = self._file.column["value"][tags]
        match part:
            case Part.NUMBER:
                return bits.view(np.float64)
            case Part.INTEGER:
                return bits
            case Part.TEXT:
                return np.array([self._text.get(number, "") for number in tags.tolist()], object)

    def _make(self, capacity: int) -> MappedFile:
        # A name never comes twice: a reader that finds its own gone looks for the newest.
        return MappedFile.make(self.folder / f"values-{time.time_ns():020}", capacity)

    def _grow(self) -> None:
        old, self._file = self._file, self._make(max(2 * self._file.capacity, len(self._tags)))
        for name, column in old.column.items():
            self._file.column[name][: old.capacity] = column
        del column
        self._file.header[2:5] = old.header[2:5]
        old.header[5] = 1
        old.remove()


def _write(
    column: NDArray[Any], tag: NDArray[np.int32], run: slice | None, value: NDArray[Any] | int
) -> None:
    if run is not None:
        column[run] = value
    else:
        # Not column[tag] = …: that lets go of the interpreter, which a busy thread then keeps for 5 ms.
        column.put(tag, value)


def _run(tag: NDArray[np.int32]) -> slice | None:
    """Return where these tags lie when they are one run of numbers, as those of a polled device are."""
    if not len(tag):
        return slice(0, 0)
    first, last = int(tag[0]), int(tag[-1])
    if last - first != len(tag) - 1 or not (tag[1:] - tag[:-1] == 1).all():
        return None
    return slice(first, last + 1)


class LiveReader:
    """Reads what a gateway on this machine writes, from any process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: MappedFile | None = None

    def snapshot(self) -> Snapshot | None:
        """Return a consistent copy; None while no gateway has written any or one writes without pause."""
        for tries in range(_MOST_TRIES):
            if tries > _AT_ONCE:
                time.sleep(0.001)  # the writer was interrupted between its two marks: let it run
            file = self._current()
            if file is None:
                return None
            copied = _copy(file)
            if copied is not None:
                return copied
        return None

    def version(self) -> int | None:
        """Return what grows with every change of the tags; None while no gateway has written any."""
        file = self._current()
        return None if file is None else int(file.header[3])

    def close(self) -> None:
        """Unmap."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _current(self) -> MappedFile | None:
        file = self._file
        if file is not None and file.path and not file.header[5] and file.path.exists():
            return file
        self.close()
        for path in sorted(self._folder.glob("values-*"), reverse=True):
            with contextlib.suppress(OSError, ValueError):
                self._file = MappedFile.open(path)
                break
        return self._file

    def __enter__(self) -> Self:
        """Return the reader; files are opened when first read."""
        return self

    def __exit__(self, *_: object) -> None:
        """Unmap."""
        self.close()


def _copy(file: MappedFile) -> Snapshot | None:
    before = int(file.header[2])
    if before & 1:
        return None
    n, version = int(file.header[4]), int(file.header[3])
    columns = {name: column[:n].copy() for name, column in file.column.items()}
    if int(file.header[2]) != before:
        return None
    sum_of_rows = columns.pop("check")
    seen = columns["rows"] > 0
    if (check(columns["time"], columns["value"], columns["quality"]) != sum_of_rows)[seen].any():
        return None
    return Snapshot(version, **columns)
