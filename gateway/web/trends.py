"""What a chart is drawn from: rows or buckets of a few tags, as columns a browser takes as they are.

A line may begin with one row from before the stretch: what held then, where that was within the hour.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from config.units import find_unit
from connectors import Kind, Tag
from gateway.history import Reader, Trend
from gateway.web.models import TrendForm
from gateway.web.view import View

MOST_TAGS: Final = 20
MOST_POINTS: Final = 2000
LONGEST_MS: Final = 400 * 86_400_000
"""As long as minutes are kept unless the plant file says otherwise."""
_MS: Final = 1_000_000
_BEFORE_NS: Final = 3_600_000_000_000
"""A value a deadband keeps back is looked for so far before the stretch."""
_EVERY_ROW: Final = 10**9
_COLUMNS: Final = ("time", "good", "bad", "worst", "low", "high", "mean", "last")
_AT_ONCE_NS: Final = 600_000 * 1_000_000_000
"""Tags read together times the stretch: a week of one tag, or eight hours of twenty. It bounds memory."""


class TrendReader:
    """Reads for one browser at a time: many that ask at once wait, and memory stays bounded."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._reading = asyncio.Semaphore(1)

    async def read(self, paths: Sequence[str], start: int, end: int, points: int) -> bytes:
        """Return a `models.Trends` as JSON; start and end in ms since 1970 UTC, start < end."""
        view = self._view
        numbers = {path: view.catalogue.by_path.get(path) for path in dict.fromkeys(paths)}
        known = [number for number in numbers.values() if number is not None]
        tags = [view.catalogue.tags[number] for number in known]
        async with self._reading:
            found = await asyncio.to_thread(_read, view.history, known, start * _MS, end * _MS, points)
            answer = {
                "start": start,
                "end": end,
                "lines": [_line(view, tag, trend) for tag, trend in zip(tags, found, strict=True)],
                "unknown": [path for path, number in numbers.items() if number is None],
            }
            # Validating a quarter of a million numbers costs more than reading them: a test does it instead.
            return await asyncio.to_thread(orjson.dumps, answer, option=orjson.OPT_SERIALIZE_NUMPY)


def form_of(tag: Tag) -> TrendForm:
    """Return how a tag's values are drawn."""
    if tag.kind is Kind.TEXT:
        return "words"
    if tag.kind is Kind.BOOL:
        return "switch"
    if tag.counter or tag.tag_class == "state":
        return "step"
    unit = find_unit(tag.unit)
    return "step" if unit is not None and unit.quantity == "power" else "line"


def _read(reader: Reader, tags: Sequence[int], start: int, end: int, points: int) -> list[Trend]:
    together = max(1, _AT_ONCE_NS // (end - start))
    found: list[Trend] = []
    for first in range(0, len(tags), together):
        found += reader.trend_now(tags[first : first + together], start, end, points)
    # What begins a hundredth of the stretch late would leave a hole at its beginning that none was.
    late = start + (end - start) // 100
    open_ = [trend.tag for trend in found if not len(trend.time) or trend.time[0] > late]
    begun = max(0, start - _BEFORE_NS)
    before = reader.trend_now(open_, begun, start, _EVERY_ROW) if begun < start and open_ else []
    held = {trend.tag: trend for trend in before if len(trend.time) and _is_usable(trend, -1)}
    return [_joined(held[trend.tag], trend) if trend.tag in held else trend for trend in found]


def _is_usable(trend: Trend, row: int) -> bool:
    return bool(trend.good[row] and not trend.bad[row])


def _joined(before: Trend, trend: Trend) -> Trend:
    """Put the last row of what was before in front."""
    pairs = [(getattr(before, name)[-1:], getattr(trend, name)) for name in _COLUMNS]
    return Trend(trend.tag, trend.width, *(np.concatenate(pair) for pair in pairs))


def _line(view: View, tag: Tag, trend: Trend) -> dict[str, Any]:
    form = form_of(tag)
    is_text = form == "words"
    is_held = form == "switch" or tag.counter or tag.tag_class == "state"
    value = trend.last if is_held else trend.mean
    is_row = trend.width == 0
    nothing: NDArray[np.float64] = np.zeros(0)
    return {
        "number": trend.tag,
        "path": tag.path,
        "unit": view.catalogue.unit(trend.tag),
        "kind": tag.kind.name.lower(),
        "counter": tag.counter,
        "form": form,
        "width": trend.width / _MS,
        "time": trend.time // _MS,
        "value": nothing if is_text else np.ascontiguousarray(value),
        "low": nothing if is_text or is_row else np.ascontiguousarray(trend.low),
        "high": nothing if is_text or is_row else np.ascontiguousarray(trend.high),
        "text": _texts(trend) if is_text else [],
        "good": np.ascontiguousarray(trend.good),
        "bad": np.ascontiguousarray(trend.bad),
        "quality": np.ascontiguousarray(trend.worst),
    }


def _texts(trend: Trend) -> list[str | None]:
    pairs = zip(trend.last.tolist(), trend.good.tolist(), strict=True)
    return [text if good else None for text, good in pairs]
