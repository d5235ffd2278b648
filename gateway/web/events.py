"""What changed, once a second, to every browser that listens (server-sent events).

One task looks while anybody listens. What it saw is encoded once; a listener takes the pieces it asked for
and has not had yet. A slow one finds fewer, newer pieces: nothing queues up.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from gateway.web.overview import overview
from gateway.web.rows import in_words, newest
from gateway.web.view import View

log = logging.getLogger(__name__)

MOST_LISTENERS: Final = 100
MOST_TAGS: Final = 300
"""A screen shows some forty; a listener watches what it shows."""
PERIOD_S: Final = 1.0
_SAME: Final = b"event: same\ndata: {}\n\n"
"""Nothing changed: a browser can tell a quiet plant from a cable that was pulled."""


class Full(Exception):
    """Too many browsers listen."""


class Events:
    """The listeners, and the pieces of the newest look."""

    def __init__(self, view: View, period_s: float = PERIOD_S) -> None:
        self._view = view
        self._period_s = period_s
        self._listeners = 0
        self._ended = False
        self._ticked = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._first: asyncio.Task[None] | None = None
        """A look for who is about to listen."""
        self._pieces: dict[int, bytes] = {}
        """Newest rows, encoded, of this look; each once, whoever watches."""
        self._head = b""
        self._looked = -math.inf
        self._devices: dict[str, bytes] = {}
        """Encoded devices by path."""

    async def listen(self, tags: NDArray[np.int32], *, devices: bool) -> AsyncIterator[bytes]:
        """Yield events until the browser goes; Full when there are too many."""
        if self._listeners >= MOST_LISTENERS:
            raise Full
        self._listeners += 1
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        try:
            async for event in self._events(tags, devices=devices):
                yield event
        finally:
            self._listeners -= 1
            if not self._listeners and self._task is not None:
                self._task.cancel()
                self._task = None

    async def newest(self) -> bytes:
        """Return what who begins to listen hears first, as JSON: `{"devices": […], "state": {…}}`.

        Empty before the gateway has answered once.
        """
        if not self._is_new():
            if self._first is None or self._first.done():
                self._first = asyncio.create_task(self._look())
            await asyncio.shield(self._first)
        if not self._head:
            return b""
        return b'{"devices":[%s],"state":%s}' % (b",".join(self._devices.values()), self._head)

    async def end(self) -> None:
        """Let every listener go, so that the process can end at once."""
        if self._first is not None:
            self._first.cancel()
        async with self._ticked:
            self._ended = True
            self._ticked.notify_all()

    async def _events(self, tags: NDArray[np.int32], *, devices: bool) -> AsyncIterator[bytes]:
        seen = np.full((3, len(tags)), -1, np.int64)
        head = b""
        known: dict[str, bytes] = {}
        yield b"retry: 2000\n\n"
        while True:
            # Who has just come need not wait for the next look: the last is hardly older.
            if head or not self._is_new():
                async with self._ticked:
                    if not self._is_over():
                        await self._ticked.wait()
            if self._is_over():
                return
            told = []
            if devices and (changed := [b for p, b in self._devices.items() if known.get(p) is not b]):
                known = self._devices
                told.append(b"event: devices\ndata: [" + b",".join(changed) + b"]\n\n")
            # Behind the devices: a view that knows the state knows what it is of.
            if self._head != head:
                head = self._head
                told.append(b"event: state\ndata: " + head + b"\n\n")
            values = self._view.values
            now = np.stack([self._view.of(c, tags) for c in (values.time, values.arrived, values.value)])
            moved = tags[(now != seen).any(axis=0)].tolist()
            seen = now
            if moved:
                pieces = b",".join(self._piece(each) for each in moved)
                told.append(b"event: values\ndata: [" + pieces + b"]\n\n")
            for event in told or (_SAME,):
                yield event

    async def _run(self) -> None:
        try:
            while True:
                await self._look()
                await asyncio.sleep(self._period_s)
        except Exception:
            # Who listens is let go and comes again: a stream that says nothing looks like one that is well.
            log.exception("the newest can't be told")
            async with self._ticked:
                self._task = None
                self._ticked.notify_all()

    async def _look(self) -> None:
        await self._view.fresh(0.8 * self._period_s)
        self._pieces = {}
        seen = overview(self._view)
        if seen is not None:
            self._head = orjson.dumps(
                {
                    "strip": seen.strip.model_dump(),
                    "links": [link.model_dump() for link in seen.links],
                    "attention": [each.model_dump() for each in seen.attention],
                }
            )
            encoded = {each.path: orjson.dumps(each.model_dump()) for each in seen.devices}
            # Equal bytes stay the same object, so that listeners compare by identity.
            self._devices = {
                path: old if (old := self._devices.get(path)) == piece else piece
                for path, piece in encoded.items()
            }
        async with self._ticked:
            self._looked = time.monotonic()
            self._ticked.notify_all()

    def _is_over(self) -> bool:
        return self._ended or self._task is None

    def _is_new(self) -> bool:
        return bool(self._head) and time.monotonic() - self._looked < 2 * self._period_s

    def _piece(self, number: int) -> bytes:
        """Return [number, quality, its name, value, time, arrived], encoded once a look."""
        piece = self._pieces.get(number)
        if piece is None:
            quality, *rest = newest(self._view, number)
            piece = self._pieces[number] = orjson.dumps([number, quality, in_words(quality), *rest])
        return piece
