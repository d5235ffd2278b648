"""A source timestamp that can't be true is kept, and the row marked Uncertain."""

from datetime import UTC, datetime
from typing import Final

import numpy as np

from connectors import Clock, Columns, Stage
from connectors.quality import UNCERTAIN

MOST_AHEAD_NS: Final = 60 * 1_000_000_000
"""Devices' clocks run ahead by seconds; a minute is no drift."""
EARLIEST_NS: Final = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
"""Controllers that lost their battery say 1970, 1984 or 2000."""


def clock_sanity(clock: Clock) -> Stage:
    """Return a stage: Good rows stamped in the future or before 2020 become Uncertain."""

    def stage(columns: Columns) -> Columns:
        latest = clock.now() + MOST_AHEAD_NS
        time = columns.time
        if time.min() >= EARLIEST_NS and time.max() <= latest:
            return columns
        wrong = ((time < EARLIEST_NS) | (time > latest)) & (columns.quality < np.uint32(UNCERTAIN))
        return Columns(
            columns.tag, time, columns.value, np.where(wrong, np.uint32(UNCERTAIN), columns.quality)
        )

    return stage
