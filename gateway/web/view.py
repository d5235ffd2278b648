"""What the page's process knows: asked from the gateway at most once a second, whoever asks us."""

import asyncio
import http.client
import logging
import sqlite3
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from gateway.buffer.contract import STORE
from gateway.history import HISTORY, Reader
from gateway.live import LiveReader, Snapshot
from gateway.mapped import live_folder
from gateway.told import TOLD, LinkTold, Told
from gateway.web.catalogue import Catalogue, read_catalogue

if TYPE_CHECKING:
    from gateway.web.tls import Loaded

log = logging.getLogger(__name__)

Column = TypeVar("Column", bound=np.generic)
ANSWER_WITHIN_S: Final = 3.0
_NONE: Final = np.zeros(0, np.int64)
_NOTHING: Final = Snapshot(
    version=-1,
    time=_NONE,
    arrived=_NONE,
    good=_NONE,
    fault=_NONE,
    fault_quality=_NONE.astype(np.uint32),
    value=_NONE,
    quality=_NONE.astype(np.uint32),
    rows=_NONE,
    active=_NONE.astype(np.uint8),
    text=np.zeros((0, 1), np.uint8),
)


class View:
    """States, last values and catalogue, as new as they are asked for."""

    def __init__(self, directory: Path, status_port: int) -> None:
        self.directory = directory
        self.store = directory / STORE
        self.history = Reader(directory / HISTORY)
        self._url = f"http://127.0.0.1:{status_port}/told"
        self._reader = LiveReader(live_folder(directory))
        self._lock = asyncio.Lock()
        self._looked = -1e9
        self._rows_before: tuple[int, float] | None = None
        self.told: Told | None = None
        """None until the gateway has answered once."""
        self.answers = False
        """Whether it did when last asked."""
        self.rows_per_s: float | None = None
        self.certificate: Loaded | None = None
        """The page's own; None without TLS."""
        self.values: Snapshot = _NOTHING
        self.catalogue = Catalogue({}, -1)

    async def fresh(self, within_s: float = 1.0) -> None:
        """Return once what is known is not older than this; look at most once for all who wait."""
        if time.monotonic() - self._looked < within_s:
            return
        async with self._lock:
            if time.monotonic() - self._looked >= within_s:
                await self._look()
                self._looked = time.monotonic()

    def link(self, name: str, role: str = "source") -> LinkTold | None:
        """Return a link by name."""
        links = self.told.links if self.told else ()
        return next((link for link in links if link.name == name and link.about.role == role), None)

    @property
    def keeps_history(self) -> bool:
        """Tell whether the plant file has one."""
        return any(link.about.role == "history" for link in (self.told.links if self.told else ()))

    def of(self, column: NDArray[Column], numbers: NDArray[np.int32]) -> NDArray[Column]:
        """Return a column of the last values for these tags; 0 for one announced a moment ago."""
        known = np.zeros(len(numbers), column.dtype)
        inside = numbers < len(column)
        known[inside] = column[numbers[inside]]
        return known

    async def _look(self) -> None:
        try:
            told = await asyncio.to_thread(self._ask)
        except (OSError, ValueError, http.client.HTTPException):  # the last: ended within its answer
            self.answers = False
        else:
            self.answers = True
            self._measure(told)
            self.told = told
        values = self._reader.snapshot()
        if values is not None:
            self.values = values
            if values.version != self.catalogue.version:
                await self._read_catalogue(values)

    def _ask(self) -> Told:
        with urllib.request.urlopen(self._url, timeout=ANSWER_WITHIN_S) as reply:  # noqa: S310  our own loopback
            return TOLD.validate_json(reply.read())

    def _measure(self, told: Told) -> None:
        rows = told.store.get("rows", 0.0)
        if self._rows_before is not None and told.started == (self.told or told).started:
            then, before = self._rows_before
            seconds = (told.now - then) / 1e9
            if seconds < 0.5:
                return
            rate = max(0.0, rows - before) / seconds
            # A scan once in five seconds should not jump between nothing and everything.
            self.rows_per_s = rate if self.rows_per_s is None else 0.8 * self.rows_per_s + 0.2 * rate
        self._rows_before = told.now, rows

    async def _read_catalogue(self, values: Snapshot) -> None:
        try:
            self.catalogue = await asyncio.to_thread(
                read_catalogue, self.store, values.active, values.version
            )
        except (sqlite3.Error, OSError, ValueError) as exc:
            log.warning("the catalogue can't be read", extra={"reason": str(exc)})
