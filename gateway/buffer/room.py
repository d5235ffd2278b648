"""How long an outage may last before the log lets its oldest rows go, at the pace it grows now."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from config.plant import BufferOptions
from gateway.buffer.segment import Segment

_PAST_NS: Final = 3_600_000_000_000
"""The newest files that together tell of so much time give the pace."""
_LEAST_NS: Final = 900_000_000_000
"""A pace of less time is not told: a start brings much at once."""


def holds_ns(directory: Path, segments: Sequence[Segment], options: BufferOptions) -> int | None:
    """Return for how long the log holds what comes in, from an empty backlog on, ns; None is not known yet.

    At the bound whole files go: the one that is being written takes its place beforehand. Time nothing was
    stored in, between two files, does not count.
    """
    size, passed = 0, 0
    for segment in reversed(segments):
        size += segment.bytes
        passed += max(0, segment.last_arrived - segment.first_arrived)
        if passed >= _PAST_NS:
            break
    if passed < _LEAST_NS or not size:
        return None
    try:
        free = shutil.disk_usage(directory).free
    except OSError:
        return None
    used = sum(segment.bytes for segment in segments)
    room = min(options.max_bytes, used + free - options.min_free) - segment_bytes(options)
    return min(max(0, room) * passed // size, options.max_age)


def segment_bytes(options: BufferOptions) -> int:
    """Return how large one file gets."""
    return min(options.segment_bytes, options.max_bytes // 8)
