"""Words of money and time in files: exact decimals, dates, months, hours of the day."""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

_MOST_DIGITS: Final = 15
"""A float gives back every decimal of so many digits; of more it does not."""
_LONGEST_RUN: Final = 366
"""Days; a longer run is a slip of the pen."""
_DATE: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_MONTH: Final = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")
_HOURS: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")
DAY_MINUTES: Final = 24 * 60
QUARTER_MINUTES: Final = 15


def _exact(value: object) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("number", "not a number")
    exact = Decimal(repr(value))
    if not exact.is_finite():
        raise PydanticCustomError("finite", "not a finite number")
    if len(exact.as_tuple().digits) > _MOST_DIGITS or (exact and abs(exact.adjusted()) > _MOST_DIGITS):
        raise PydanticCustomError("digits", "more digits than can be kept")
    return exact


def _positive(value: Decimal) -> Decimal:
    if value <= 0:
        raise PydanticCustomError("above_zero", "not above zero")
    return value


Exact = Annotated[
    Decimal,
    BeforeValidator(_exact),
    PlainSerializer(float, return_type=float, when_used="json"),
    WithJsonSchema({"type": "number"}),
]
"""A decimal, digit for digit as it is written; at most 15 digits."""


def _exact_positive(value: object) -> Decimal:
    return _positive(_exact(value))


ExactPositive = Annotated[
    Decimal,
    BeforeValidator(_exact_positive),
    PlainSerializer(float, return_type=float, when_used="json"),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),
]
"""The same, above zero."""


def _date(value: object) -> date:
    if isinstance(value, date):
        return value
    try:
        if isinstance(value, str) and re.fullmatch(_DATE, value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise PydanticCustomError("date", "not a date")


Date = Annotated[
    date,
    BeforeValidator(_date),
    WithJsonSchema({"type": "string", "pattern": f"^{_DATE}$", "format": "date"}),
]
"""A local calendar day, ``2026-07-01``."""


def _month(value: object) -> str:
    if not isinstance(value, str) or not _MONTH.fullmatch(value):
        raise PydanticCustomError("month", "not a month")
    return value


Month = Annotated[
    str, BeforeValidator(_month), WithJsonSchema({"type": "string", "pattern": f"^{_MONTH.pattern}$"})
]
"""A local calendar month, ``2026-07``."""


def _days(value: object) -> str:
    first, _, last = value.partition("..") if isinstance(value, str) else ("", "", "")
    try:
        if 0 <= (_date(last or first) - _date(first)).days < _LONGEST_RUN:
            return str(value)
    except PydanticCustomError:
        pass
    raise PydanticCustomError("days", "not a day nor a run of days")


Days = Annotated[
    str,
    BeforeValidator(_days),
    WithJsonSchema({"type": "string", "pattern": rf"^{_DATE}(\.\.{_DATE})?$"}),
]
"""A day or a run of days, ``2027-02-05..2027-02-12``."""


def days_of(text: str) -> range:
    """Return the days of a `Days` text as ordinals (`date.fromordinal`), the last one included."""
    first, _, last = text.partition("..")
    return range(date.fromisoformat(first).toordinal(), date.fromisoformat(last or first).toordinal() + 1)


Span = tuple[int, int]
"""Minutes of the day, from and to; to is at most 24:00. Beyond midnight: from is not below to."""


def _hours(value: object) -> Span:
    if isinstance(value, tuple):
        return value
    match = _HOURS.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError("hours", "not a span of hours")
    start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if end > DAY_MINUTES or start == end or start % QUARTER_MINUTES or end % QUARTER_MINUTES:
        raise PydanticCustomError("hours", "not a span of hours")
    return start, end


def hours_text(span: Span) -> str:
    """Return the text of a span: the inverse of what is read."""
    return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in span)


Hours = Annotated[
    Span,
    BeforeValidator(_hours),
    PlainSerializer(hours_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": f"^{_HOURS.pattern}$", "examples": ["22:00-02:00"]}),
]
"""A span of the local day on quarters of an hour; ``22:00-02:00`` is both ends of each day."""


def quarters(span: Span) -> list[int]:
    """Return the quarters of the day, 0 to 95, a span covers; one over midnight covers both ends of a day."""
    start, end = (minute // QUARTER_MINUTES for minute in span)
    whole = DAY_MINUTES // QUARTER_MINUTES
    return [*range(start, end)] if start < end else [*range(end), *range(start, whole)]
