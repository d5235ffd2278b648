"""Messages within a platform's limits: as few as hold all readings, none over any of them. Pure.

A message is a tree of three levels, written as it grows, so that its size in bytes is known exactly:

    head │ device open │ section open │ reading , reading │ section close │ device close │ tail
         └── , between devices        └── , between sections of a device
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Cell(NamedTuple):
    """One reading, written."""

    device: str
    section: object
    """What readings of one section have in common: a time, a turn, a name."""
    text: bytes
    row: int
    """``index of the delivery << 32 | stored row number``"""
    name: str
    """Of the property."""


Ends = tuple[bytes, bytes]
"""What opens and what closes a level."""


@dataclass(frozen=True, slots=True)
class Frame:
    """How a platform writes a message."""

    head: Callable[[str], bytes]
    """By the message's id."""
    tail: bytes
    device: Callable[[str], Ends]
    section: Callable[[str, object], Ends]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message may hold."""

    bytes: int
    devices: int
    readings: int
    per_device: int
    per_section: int


@dataclass(frozen=True, slots=True)
class Pack:
    """One message's readings, in order."""

    body: bytes
    """All that lies between head and tail."""
    cells: Sequence[Cell]
    fits: bool = True
    """False for a single reading larger than any message may be."""


def pack(cells: Iterable[Cell], frame: Frame, limits: Limits, longest_id: int) -> Iterator[Pack]:
    """Yield messages; cells of one device, and of one section, are neighbours.

    `longest_id` is how many characters a message's id may have.
    """
    room = limits.bytes - len(frame.head("0" * longest_id)) - len(frame.tail)
    growing = _Growing(frame, limits, room)
    for cell in cells:
        if not growing.take(cell):
            yield growing.finish()
            growing = _Growing(frame, limits, room)
            growing.take(cell)
    if growing.cells:
        yield growing.finish()


class _Growing:
    """A message that is being filled; 0.3 µs a reading."""

    def __init__(self, frame: Frame, limits: Limits, room: int) -> None:
        self.cells: list[Cell] = []
        self._frame = frame
        self._limits = limits
        self._room = room
        self._texts: list[bytes] = []
        self._devices = 0
        self._in_device = 0
        self._in_section = 0
        self._device_end = b""
        self._section_end = b""

    def take(self, cell: Cell) -> bool:
        """Write a reading where it is within every limit; the first is taken whatever its size."""
        if not self.cells:
            return self._begin_device(cell, first=True)
        last, limits = self.cells[-1], self._limits
        if len(self.cells) >= limits.readings:
            return False
        if cell.device != last.device:
            return self._devices < limits.devices and self._begin_device(cell, first=False)
        if cell.section != last.section:
            return self._in_device < limits.per_device and self._begin_section(cell)
        size = len(cell.text) + 1
        if (
            self._in_device >= limits.per_device
            or self._in_section >= limits.per_section
            or size > self._room
        ):
            return False
        self._texts += (b",", cell.text)
        self._count(cell, size)
        return True

    def finish(self) -> Pack:
        """Return the message."""
        body = b"".join((*self._texts, self._section_end, self._device_end))
        return Pack(body, self.cells, fits=self._room >= 0)

    def _begin_device(self, cell: Cell, *, first: bool) -> bool:
        opening, end = self._frame.device(cell.device)
        section, section_end = self._frame.section(cell.device, cell.section)
        size = len(opening) + len(end) + len(section) + len(section_end) + len(cell.text) + (not first)
        if size > self._room and not first:
            return False
        if not first:
            self._texts += (self._section_end, self._device_end, b",")
        self._texts += (opening, section, cell.text)
        self._device_end, self._section_end = end, section_end
        self._devices += 1
        self._in_device = self._in_section = 0
        self._count(cell, size)
        return True

    def _begin_section(self, cell: Cell) -> bool:
        opening, end = self._frame.section(cell.device, cell.section)
        size = len(opening) + len(end) + len(cell.text) + 1
        if size > self._room:
            return False
        self._texts += (self._section_end, b",", opening, cell.text)
        self._section_end = end
        self._in_section = 0
        self._count(cell, size)
        return True

    def _count(self, cell: Cell, size: int) -> None:
        self._room -= size
        self._in_device += 1
        self._in_section += 1
        self.cells.append(cell)
