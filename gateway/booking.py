"""What the history and the energy books share as strict readers that keep their place in their own files."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from connectors import Epoch, NotConnected
from gateway.buffer import LogCursor

log = logging.getLogger(__name__)
PAUSE_S: Final = 10.0
"""How late a trend or a figure may be."""
LOOK_S: Final = 0.5
_SHARE: Final = 20.0
"""The pause is at least so many times as long as the booking took: five in a hundred of a core."""


def must_be_there(path: Path, what: str, code: str) -> None:
    """Raise NotConnected where an open file was deleted: what is booked there is nowhere, begin anew."""
    if not path.exists():
        log.error("%s deleted while written, beginning anew", what, extra={"code": code, "file": str(path)})
        raise NotConnected(f"{what} begins anew: {path} was deleted")


async def gathered(cursor: LogCursor, most_rows: int, took_s: float, hurry: asyncio.Event) -> None:
    """Let rows gather after a booking; what is a whole booking already is taken up at once."""
    until = time.monotonic() + max(PAUSE_S, _SHARE * took_s)
    while cursor.backlog().rows < most_rows and not hurry.is_set():
        left = until - time.monotonic()
        if left <= 0:
            return
        try:
            async with asyncio.timeout(min(left, LOOK_S)):
                await hurry.wait()
        except TimeoutError:
            continue


def read_after(booked: Mapping[tuple[int, int], int], epochs: Sequence[tuple[Epoch, int]]) -> int:
    """Return the seq to read after: the last one booked, or -1 for everything there is.

    `epochs` are those of the log with their first seq, oldest first. After a restore the log may give numbers
    again under a new epoch; what is booked already is left out by its epoch, not by its place.
    """
    known = [i for i, (epoch, _) in enumerate(epochs) if epoch in booked]
    if not known:
        return -1
    newest = known[-1]
    after = booked[epochs[newest][0]]
    if newest + 1 < len(epochs):
        after = min(after, epochs[newest + 1][1] - 1)
    return after
