"""Columns to columns: scale, limits, clock sanity, deadband; one pipeline per session of a source."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from connectors import Batch, Columns, TagTable
from gateway.pipeline.clock_sanity import ClockWatch, clock_sanity
from gateway.pipeline.deadband import deadband, turns
from gateway.pipeline.gather import PerColumn
from gateway.pipeline.limits import limits
from gateway.pipeline.scale import finite, scale
from gateway.review import Reviews, hold

__all__ = ["ClockWatch", "PerColumn", "Pipeline", "build_pipeline", "by_device", "turns"]

Pipeline = Callable[[Batch], Batch | None]
"""A read batch in, the batch to store out; None when no row is worth storing."""


def build_pipeline(tags: TagTable, watch: ClockWatch, reviews: Reviews | None = None) -> Pipeline:
    """Return the pipeline of one session; it forgets what was reported when the session ends."""
    held = () if reviews is None else (hold(tags, reviews),)
    stages = (scale(tags), finite, limits(tags), clock_sanity(watch), *held, deadband(tags), by_device(tags))

    def run(batch: Batch) -> Batch | None:
        parts = []
        for columns in batch.parts:
            for stage in stages:
                columns = stage(columns)  # noqa: PLW2901  the next stage takes what the last one made
                if not len(columns):
                    break
            else:
                parts.append(columns)
        return Batch(tuple(parts), batch.arrived, batch.origin) if parts else None

    return run


def by_device(tags: TagTable) -> Callable[[Columns], Columns]:
    """Return a stage that groups rows by device, keeping their order within each: messages are per device."""

    def grouping(tag: NDArray[np.int32]) -> NDArray[np.intp] | None:
        device = tags.device[tag]
        changes = np.flatnonzero(np.diff(device))
        if len(np.unique(device)) == len(changes) + 1:
            return None
        return np.argsort(device, kind="stable")

    order = PerColumn(tags, grouping)

    def stage(columns: Columns) -> Columns:
        rows = order(columns.tag)
        return columns if rows is None else columns.take(rows)

    return stage
