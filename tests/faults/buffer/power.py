"""What a disk may hold after the power went: a recorded run, cut anywhere, with what was not synced left out.

A disk promises only what was synced: a file's bytes by a sync of the file, its name by a sync of its
directory (stricter than ext4, which brings the name along). Of the rest any part may be there: writes in any
choice, the last one torn at a sector, changes of a directory up to any of them, as a journal keeps them.
"""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_HEAD = struct.Struct("<IIIQ")
_SECTOR = 512


@dataclass(frozen=True)
class Entry:
    """One call of `recorder.c`."""

    kind: str
    path: str
    data: bytes
    at: int


def entries(record: Path) -> list[Entry]:
    """Read a record; what a kill cut short at its end is left out."""
    raw, place, found = record.read_bytes(), 0, []
    while place + _HEAD.size <= len(raw):
        kind, path, size, at = _HEAD.unpack_from(raw, place)
        place += _HEAD.size
        if place + path + size > len(raw):
            break
        name, data = raw[place : place + path].decode(), raw[place + path : place + path + size]
        found.append(Entry(chr(kind), name, data, at))
        place += path + size
    return found


@dataclass
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Since the last sync: (offset, bytes), or (size, None) for a new length."""


def _apply(content: bytearray, at: int, data: bytes | None) -> None:
    if len(content) < at + len(data or b""):
        content.extend(bytes(at + len(data or b"") - len(content)))
    if data is None:
        del content[at:]
    else:
        content[at : at + len(data)] = data


class Disk:
    """Follows a record, entry by entry."""

    def __init__(self) -> None:
        self._now: dict[str, _File] = {}
        self._durable: dict[str, _File] = {}
        self._renamed: dict[str, list[dict[str, _File | None]]] = {}
        """By directory: changes of its names since its last sync, oldest first; None is gone."""
        self.said = ""

    def follow(self, entry: Entry) -> None:
        path, kind = entry.path, entry.kind
        if kind == "P":
            self.said += entry.data.decode()
        elif kind == "C":
            self._change({path: _File()})
        elif kind == "U":
            self._change({path: None})
        elif kind == "R":
            self._change({path: None, entry.data.decode(): self._now[path]})
        elif kind == "S" and path in self._now:
            self._sync(self._now[path])
        elif kind == "S":
            for change in self._renamed.pop(path, ()):
                _rename(self._durable, change)
        elif kind in "WT" and path in self._now:
            self._now[path].pending.append((entry.at, entry.data if kind == "W" else None))

    def whole(self) -> dict[str, bytes]:
        """Return what is there while the power is on: content by path."""
        return {path: _content(file, "everything", random.Random()) for path, file in self._now.items()}

    def left_by(self, chance: random.Random, folder: Path) -> None:
        """Write what may be left of it into an empty folder; names keep only their last part."""
        names = dict(self._durable)
        for changes in self._renamed.values():
            for change in changes[: chance.randint(0, len(changes))]:
                _rename(names, change)
        mode = chance.choice(("nothing", "everything", "beginning", "some", "some"))
        folder.mkdir(parents=True)
        for path, file in names.items():
            (folder / Path(path).name).write_bytes(_content(file, mode, chance))

    def _change(self, change: dict[str, _File | None]) -> None:
        _rename(self._now, change)
        self._renamed.setdefault(str(Path(next(iter(change))).parent), []).append(change)

    def _sync(self, file: _File) -> None:
        for at, data in file.pending:
            _apply(file.durable, at, data)
        file.pending.clear()


def _rename(names: dict[str, _File], change: dict[str, _File | None]) -> None:
    for name, file in change.items():
        if file is None:
            names.pop(name, None)
        else:
            names[name] = file


def _content(file: _File, mode: str, chance: random.Random) -> bytes:
    content = bytearray(file.durable)
    pending = file.pending
    if mode == "nothing":
        pending = []
    elif mode == "beginning":
        pending = pending[: chance.randint(0, len(pending))]
    elif mode == "some":
        share = chance.random()
        pending = [each for each in pending if chance.random() < share]
    for place, (at, data) in enumerate(pending):
        is_torn = mode == "some" and place == len(pending) - 1 and data is not None and chance.random() < 0.5
        torn = len(data or b"") // _SECTOR and chance.randrange(len(data or b"") // _SECTOR) * _SECTOR
        _apply(content, at, data[:torn] if is_torn and data is not None else data)
    return bytes(content)


def cuts(record: list[Entry], places: set[int]) -> Iterator[tuple[int, Disk]]:
    """Yield the disk before each of these entries, in order."""
    disk = Disk()
    for place, entry in enumerate(record):
        if place in places:
            yield place, disk
        disk.follow(entry)
