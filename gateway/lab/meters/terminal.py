"""A line of meters on a pseudo-terminal, as on a serial port of this machine; POSIX only."""

import asyncio
import contextlib
import os
import pty
import tty
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.lab.meters.line import CUT, MeterLine


@dataclass(slots=True)
class MeterTerminal:
    """The line's meters answer on a terminal while entered; the line itself is not."""

    path: Path
    """A link, made and removed here."""
    line: MeterLine
    _ends: tuple[int, int] | None = None
    _rest: bytes = b""

    async def __aenter__(self) -> Self:
        self._plug_in()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._unplug()
        await self.line.__aexit__(kind, exc, tb)

    def _plug_in(self) -> None:
        ours, theirs = pty.openpty()
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        self._ends = ours, theirs
        self._rest = b""
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(theirs))
        asyncio.get_running_loop().add_reader(ours, self._read)

    def _unplug(self) -> None:
        if self._ends is not None:
            asyncio.get_running_loop().remove_reader(self._ends[0])
            for end in self._ends:
                os.close(end)
            self._ends = None
            self.path.unlink(missing_ok=True)

    def _read(self) -> None:
        if self._ends is not None:
            with contextlib.suppress(OSError):  # nobody has it open
                self._rest = self.line.hear(self._rest + os.read(self._ends[0], 4096), self._say)

    def _say(self, data: bytes | None) -> None:
        if data is CUT:  # as when an adapter is pulled and put back: whoever has it open reads an error
            self._unplug()
            self._plug_in()
        elif self._ends is not None:
            with contextlib.suppress(BlockingIOError):
                os.write(self._ends[0], data)
