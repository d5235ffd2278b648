"""Dates and times as a person writes them in the plant file: the plant's own, without an offset."""

import re
from datetime import date, datetime, time
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?")
_TIME: Final = re.compile(r"\d{2}:\d{2}")


def _date(value: object) -> str:
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            date.fromisoformat(value)
            return value
    except ValueError:
        pass
    raise PydanticCustomError("date_text", "not a date")


def _moment(value: object) -> str:
    try:
        if isinstance(value, str) and (_MOMENT.fullmatch(value) or _DATE.fullmatch(value)):
            datetime.fromisoformat(value)
            return value
    except ValueError:
        pass
    raise PydanticCustomError("moment", "not a date and time")


def _time_of_day(value: object) -> int:
    try:
        if isinstance(value, str) and _TIME.fullmatch(value):
            if value == "24:00":
                return 1440
            at = time.fromisoformat(value)
            return at.hour * 60 + at.minute
    except ValueError:
        pass
    raise PydanticCustomError("time_of_day", "not a time of day")


DateText = Annotated[
    str,
    BeforeValidator(_date),
    WithJsonSchema({"type": "string", "pattern": f"^{_DATE.pattern}$", "examples": ["2026-03-01"]}),
]
"""``2026-03-01``."""
Moment = Annotated[
    str,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "examples": ["2026-03-01T08:30", "2026-03-01"]}),
]
"""``2026-03-01T08:30`` or ``2026-03-01``, the beginning of that day; plant time."""
TimeOfDay = Annotated[
    int,
    BeforeValidator(_time_of_day),
    WithJsonSchema({"type": "string", "pattern": f"^{_TIME.pattern}$", "examples": ["07:30", "24:00"]}),
]
"""Minutes since midnight inside, ``07:30`` in YAML (in quotes)."""


def to_ns(moment: str, zone: ZoneInfo) -> int:
    """Return ns since 1970 UTC of a plant-local date or time; of a time that comes twice, the first."""
    at = datetime.fromisoformat(moment).replace(tzinfo=zone)
    return round(at.timestamp()) * 1_000_000_000
