"""Values a sensible plant can't have are kept, and marked."""

import numpy as np
from numpy.typing import NDArray

from connectors import Columns, Stage, TagTable
from connectors.quality import UNCERTAIN, UNCERTAIN_ENGINEERING_UNITS_EXCEEDED
from gateway.pipeline.gather import PerColumn


def limits(tags: TagTable) -> Stage:
    """Return a stage: a Good number outside its tag's limits becomes Uncertain; both limits are inside."""

    def bounds(tag: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        low, high = tags.low[tag], tags.high[tag]
        if np.isnan(low).all() and np.isnan(high).all():
            return None
        return np.nan_to_num(low, nan=-np.inf), np.nan_to_num(high, nan=np.inf)

    gathered = PerColumn(tags, bounds)

    def stage(columns: Columns) -> Columns:
        found = gathered(columns.tag) if columns.value.dtype != object else None
        if found is None:
            return columns
        value = tags.as_float(columns) if columns.value.dtype == np.int64 else columns.value
        outside = (value < found[0]) | (value > found[1])
        outside &= columns.quality < np.uint32(UNCERTAIN)
        if not outside.any():
            return columns
        quality = np.where(outside, np.uint32(UNCERTAIN_ENGINEERING_UNITS_EXCEEDED), columns.quality)
        return Columns(columns.tag, columns.time, columns.value, quality)

    return stage
