"""Raw numbers into engineering units, and no number that is not one."""

import numpy as np
from numpy.typing import NDArray

from connectors import Columns, Stage, TagTable
from connectors.quality import BAD_OUT_OF_RANGE
from gateway.pipeline.gather import PerColumn


def scale(tags: TagTable) -> Stage:
    """Return a stage: value = scale × raw + offset for float64 columns; the unit change is folded in."""

    def factors(tag: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        scales, offsets = tags.scale[tag], tags.offset[tag]
        return None if (scales == 1).all() and (offsets == 0).all() else (scales, offsets)

    gathered = PerColumn(tags, factors)

    def stage(columns: Columns) -> Columns:
        found = gathered(columns.tag) if columns.value.dtype == np.float64 else None
        if found is None:
            return columns
        with np.errstate(over="ignore", invalid="ignore"):
            value = columns.value * found[0] + found[1]
        return Columns(columns.tag, columns.time, value, columns.quality)

    return stage


def finite(columns: Columns) -> Columns:
    """Make NaN and infinity Bad before any encoder sees them."""
    # One sum finds them all: a finite sum has only finite terms (overflow is looked at row by row).
    if columns.value.dtype != np.float64:
        return columns
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.add.reduce(columns.value)
    if np.isfinite(total):
        return columns
    wrong = ~np.isfinite(columns.value)
    if not wrong.any():
        return columns
    # What is Bad already keeps its own reason.
    wrong_and_not_bad = wrong & (columns.quality < np.uint32(0x80000000))
    quality = np.where(wrong_and_not_bad, np.uint32(BAD_OUT_OF_RANGE), columns.quality)
    return Columns(columns.tag, columns.time, np.where(wrong, 0.0, columns.value), quality)
