"""How little memory is kept: one heap, holes given back, a collector that looks once at what stays."""

import asyncio
import contextlib
import ctypes
import gc
import sys
from collections.abc import Iterator
from typing import Final

_OPEN_S: Final = 10.0
"""By then sessions are open, and what opening them took can go."""
_SETTLED_S: Final = 60.0
"""By then they have had their first scans: what stays of those is there."""
_APART_S: Final = 600.0
"""So far apart are the looks at all that is not spared."""
_NEVER: Final = 1_000_000_000
_ARENA_MAX: Final = -8
"""glibc's name for the number of heaps, malloc.h"""


def share_one_heap() -> None:
    """Let all threads allocate from one heap where the C library can have many (glibc); before they start.

    Each heap keeps what its threads once held at most: a history of 50,000 values a second took 13 MB more
    with several. Waiting for one another costs little, the interpreter lets one thread run at a time.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # musl has no such call, and one heap
            ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


@contextlib.contextmanager
def spared() -> Iterator[None]:
    """Spare the garbage collector all that lives now, and in a while what the first sessions have made.

    Meanwhile it looks at young objects alone: ten thousand devices are a million objects, and it would look
    through all of them each time they have grown by a quarter, 0.4 s in which nothing else is done. Behind it
    the newest batches, a thousand a second, would have it look 0.1 s through each other several times in a
    round; what was lost in circles, by sessions that failed, can wait for a look in ten minutes.
    """
    gc.collect()
    gc.freeze()
    give_back()
    young, middle, old = gc.get_threshold()

    def then_look() -> None:
        waiting["look"] = loop.call_later(_APART_S, look_through)

    def look_through() -> None:
        gc.collect()
        then_look()

    def settle() -> None:
        gc.freeze()
        then_look()

    gc.set_threshold(young, middle, _NEVER)
    loop = asyncio.get_running_loop()
    waiting = {"trim": loop.call_later(_OPEN_S, give_back), "settle": loop.call_later(_SETTLED_S, settle)}
    try:
        yield
    finally:
        for each in waiting.values():
            each.cancel()
        gc.set_threshold(young, middle, old)


def give_back() -> None:
    """Return what is free to the system where the C library can (glibc).

    Reading a plant of 10,000 tags leaves 33 MB of holes between what stays, a quarter of the whole program.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # musl has no such call
            ctypes.CDLL(None).malloc_trim(0)
