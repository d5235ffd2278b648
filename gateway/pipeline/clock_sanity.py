"""A timestamp that can not be true is kept, its row Uncertain; so are rows after the clock was set."""

import logging
from datetime import UTC, datetime
from typing import Final

import numpy as np

from connectors import Clock, Columns, Stage
from connectors.quality import UNCERTAIN

log = logging.getLogger(__name__)

MOST_AHEAD_NS: Final = 60 * 1_000_000_000
"""Devices' clocks run ahead by seconds; a minute is no drift."""
EARLIEST_NS: Final = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
"""Controllers that lost their battery say 1970, 1984 or 2000."""
STEP_NS: Final = 1_000_000_000
"""Less is a clock being kept right: time services step by half a second and slew the rest."""
SETTLES_NS: Final = 60_000_000_000
"""A clock that was set may be set again; rows are uncertain until it has been left alone for so long."""
_TOGETHER_NS: Final = 100_000_000
"""Two readings further apart say nothing: the process was held up between them."""


def clock_sanity(watch: "ClockWatch") -> Stage:
    """Return a stage: Good rows stamped in the future or before 2020 become Uncertain.

    So does every Good row for a minute after the gateway's own clock was set: by the monotonic clock, the
    wall clock has moved further than time has passed.
    """

    def stage(columns: Columns) -> Columns:
        latest = watch.clock.now() + MOST_AHEAD_NS
        time, is_unsettled = columns.time, watch.is_unsettled()
        if not is_unsettled and time.min() >= EARLIEST_NS and time.max() <= latest:
            return columns
        wrong = columns.quality < np.uint32(UNCERTAIN)
        if not is_unsettled:
            wrong &= (time < EARLIEST_NS) | (time > latest)
        return Columns(
            columns.tag, time, columns.value, np.where(wrong, np.uint32(UNCERTAIN), columns.quality)
        )

    return stage


class ClockWatch:
    """Whether the wall clock was set lately; one for all of a gateway, so that no lost link forgets it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._offset = clock.now() - clock.monotonic()
        self._until: int | None = None

    def is_unsettled(self) -> bool:
        """Tell whether the wall clock moved by itself in the last minute."""
        before = self.clock.monotonic()
        wall = self.clock.now()
        steady = self.clock.monotonic()
        if steady - before < _TOGETHER_NS:
            offset, step = wall - steady, wall - steady - self._offset
            self._offset = offset
            if abs(step) > STEP_NS:
                self._until = steady + SETTLES_NS
                log.warning("the clock was set", extra={"by_s": round(step / 1e9, 1)})
        if self._until is not None and steady >= self._until:
            self._until = None
        return self._until is not None
