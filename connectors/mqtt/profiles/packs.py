"""Messages within a platform's limits: as few as hold all readings, none over any of them. Pure.

A message is a tree of three levels, written as it grows, so that its size in bytes is known exactly:

    head │ device open │ section open │ reading , reading │ section close │ device close │ tail
         └── , between devices        └── , between sections of a device
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple


class Cell(NamedTuple):
    """One reading, written."""

    device: str
    section: object
    """What readings of one section have in common: a time, a turn, a name."""
    text: bytes
    row: int
    """Stored row number."""
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

    def alone(self) -> "Limits":
        """Return the same, with one device in a message."""
        return replace(self, devices=1)


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
        if growing.cells and not growing.takes(cell):
            yield growing.finish()
            growing = _Growing(frame, limits, room)
        growing.add(cell)
    if growing.cells:
        yield growing.finish()


class _Growing:
    """A message that is being filled."""

    def __init__(self, frame: Frame, limits: Limits, room: int) -> None:
        self.cells: list[Cell] = []
        self._frame = frame
        self._limits = limits
        self._room = room
        self._texts: list[bytes] = []
        self._size = 0
        self._devices = 0
        self._in_device = 0
        self._in_section = 0
        self._ends: list[bytes] = []
        """What is still to be closed, outermost first."""

    def takes(self, cell: Cell) -> bool:
        """Tell whether the message may have this reading too."""
        limits, last = self._limits, self.cells[-1]
        if len(self.cells) >= limits.readings:
            return False
        if cell.device != last.device:
            if self._devices >= limits.devices:
                return False
        elif self._in_device >= limits.per_device:
            return False
        elif cell.section == last.section:
            return self._in_section < limits.per_section and self._size + self._more(cell) <= self._room
        return self._size + self._more(cell) <= self._room

    def add(self, cell: Cell) -> None:
        """Write a reading, closing and opening what must be."""
        last = self.cells[-1] if self.cells else None
        same_device = last is not None and last.device == cell.device
        same_section = same_device and last is not None and last.section == cell.section
        self._size += self._more(cell)
        if not same_section:
            if last is not None:
                self._texts.append(self._ends.pop())
            if not same_device:
                if last is not None:
                    self._texts += (self._ends.pop(), b",")
                self._open(self._frame.device(cell.device))
                self._devices += 1
                self._in_device = 0
            else:
                self._texts.append(b",")
            self._open(self._frame.section(cell.device, cell.section))
            self._in_section = 0
        else:
            self._texts.append(b",")
        self._texts.append(cell.text)
        self._in_device += 1
        self._in_section += 1
        self.cells.append(cell)

    def finish(self) -> Pack:
        """Return the message."""
        body = b"".join([*self._texts, *reversed(self._ends)])
        return Pack(body, self.cells, fits=len(body) <= self._room)

    def _open(self, ends: Ends) -> None:
        self._texts.append(ends[0])
        self._ends.append(ends[1])

    def _more(self, cell: Cell) -> int:
        """Return by how many bytes a reading makes the whole message longer."""
        last = self.cells[-1] if self.cells else None
        comma = 0 if last is None else 1
        if last is not None and last.device == cell.device:
            if last.section == cell.section:
                return comma + len(cell.text)
            return comma + len(cell.text) + _length(self._frame.section(cell.device, cell.section))
        device = _length(self._frame.device(cell.device))
        return comma + len(cell.text) + device + _length(self._frame.section(cell.device, cell.section))


def _length(ends: Ends) -> int:
    return len(ends[0]) + len(ends[1])
