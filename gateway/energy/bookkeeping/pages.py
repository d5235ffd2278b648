"""Boundaries on disk: a page for each meter and day (UTC), one of local midnights for each month.

A slot that nothing is known of carries MISSING. `revision` counts how often a slot that was known came to
hold something else; it is no part of what the books say, only of how they came to say it.
"""

import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.energy.accounts.intervals import Boundaries
from gateway.energy.accounts.state import Integers
from gateway.energy.flags import MISSING
from gateway.energy.periods import DAY_NS

WIDE: Final = ("total", "estimated", "manual", "slack", "covered", "below", "above", "peak")
MONTH_SLOTS: Final = 32
"""The midnights of a month and the one behind it."""
_GROWING: Final = 5
"""The first so many columns never fall: stored as differences."""
_ZLIB: Final = 1

RECORD: Final = np.dtype([*((name, "<i8") for name in WIDE), ("flags", "<u2"), ("revision", "<u2")])
Slots = NDArray[np.void]
"""(n,) RECORD."""


def empty(slots: int) -> Slots:
    """Return so many slots of which nothing is known."""
    page = np.zeros(slots, RECORD)
    page["flags"] = MISSING
    page["peak"] = -1
    return page


def records(found: Boundaries) -> Slots:
    """Return boundaries as slots, in their order."""
    page = np.zeros(len(found.time), RECORD)
    for name in WIDE:
        page[name] = getattr(found, name)
    page["flags"] = found.flags
    return page


def put(page: Slots, at: NDArray[np.intp], new: Slots) -> bool:
    """Write slots into a page; tell whether one that was known now holds something else."""
    old = page[at]
    was_known = (old["flags"] & MISSING) == 0
    if not was_known.any():
        page[at] = new
        return False
    new = new.copy()
    new["revision"] = old["revision"]
    changed = was_known & (new != old)
    new["revision"][changed] += 1
    page[at] = new
    return bool(changed.any())


def encode(page: Slots) -> bytes:
    """Return a day's page as bytes: columns, growing ones as differences, compressed."""
    wide = np.stack([page[name] for name in WIDE])
    known = (page["flags"] & MISSING) == 0
    if known.any():
        # What nothing is known of costs nothing as a difference of 0.
        first = int(np.argmax(known))
        for column in wide[:_GROWING]:
            column[~known] = 0
            filled = np.maximum.accumulate(np.where(known, np.arange(len(known)), first))
            column[:] = column[filled]
    wide[:_GROWING, 1:] = np.diff(wide[:_GROWING], axis=1)
    parts = (wide.tobytes(), page["flags"].tobytes(), page["revision"].tobytes())
    return zlib.compress(b"".join(parts), _ZLIB)


def decode(data: bytes) -> Slots:
    """Return the page of `encode`; raises zlib.error or ValueError on damage."""
    raw = zlib.decompress(data)
    slots = len(raw) // RECORD.itemsize
    wide = np.frombuffer(raw, np.int64, len(WIDE) * slots).reshape(len(WIDE), slots).copy()
    np.cumsum(wide[:_GROWING], axis=1, out=wide[:_GROWING])
    page = np.zeros(slots, RECORD)
    page["flags"] = np.frombuffer(raw, np.uint16, slots, len(WIDE) * slots * 8)
    page["revision"] = np.frombuffer(raw, np.uint16, slots, len(WIDE) * slots * 8 + 2 * slots)
    known = (page["flags"] & MISSING) == 0
    for name, column in zip(WIDE, wide, strict=True):
        page[name] = np.where(known, column, -1 if name == "peak" else 0)
    return page


def slot_of(time: Integers, step: int) -> tuple[Integers, NDArray[np.intp]]:
    """Return the day (UTC, since 1970) and slot of boundaries on the grid."""
    return time // DAY_NS, (time % DAY_NS // step).astype(np.intp)
