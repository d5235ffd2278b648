"""What to write instead: guesses from what stands there, as phrases of the message catalogue."""

import difflib
import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any, Final
from zoneinfo import available_timezones

from config.base import parse_duration, parse_size
from config.problems import Phrase, catalogue, quote
from config.reading.yaml_tree import OtherBase
from config.units import all_units

NOTHING: Final = Phrase("advice.none")
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9]+")
_AMOUNT: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-zµ]*)")
_WORDS_OF_1_1: Final = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_TIME_WORDS: Final = {
    "": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "m": "min", "mins": "min",
    "minute": "min", "minutes": "min", "hour": "h", "hours": "h", "hr": "h", "day": "d", "days": "d",
    "msec": "ms", "millisecond": "ms", "milliseconds": "ms", "µs": "us",
}  # fmt: skip
_CHINA: Final = (
    "beijing",
    "cst",
    "china",
    "gmt+8",
    "utc+8",
    "utc+08:00",
    "gmt+08:00",
    "+8",
    "+08",
    "+08:00",
    "+0800",
)
"""What people write who mean the zone of Asia/Shanghai."""
_SIZE_WORDS: Final = {"": "MiB", "k": "KiB", "kb": "kB", "m": "MiB", "mb": "MB", "g": "GiB", "gb": "GB"}


@lru_cache(maxsize=1_000)
def near(word: str, known: tuple[str, ...]) -> Phrase:
    """Return "did you mean …?" for the nearest known words, the list of them when none is near."""
    by_fold = {each.lower().replace("-", "_"): each for each in reversed(known)}
    close = difflib.get_close_matches(word.lower().replace("-", "_"), by_fold, n=2, cutoff=0.6)
    if close:
        return _perhaps([by_fold[each] for each in close])
    return Phrase("advice.known", {"names": known}) if known else NOTHING


def meant(value: object, choices: Iterable[str]) -> Phrase:
    """Return "did you mean …?" for the nearest choice, nothing when none is near."""
    by_fold = {each.lower(): each for each in choices}
    if not isinstance(value, str) and f"{value}" in by_fold:
        return for_text(value)  # the right word, but a number for lack of quotes
    close = difflib.get_close_matches(str(value).lower(), by_fold, n=2, cutoff=0.5)
    return _perhaps([by_fold[each] for each in close]) if close else NOTHING


def for_number(value: object) -> Phrase:
    """Return advice where a number was expected."""
    if isinstance(value, str) and _LEADING_ZERO.fullmatch(value):
        return Phrase("advice.leading_zero", {"number": value.lstrip("+-0") or "0"})
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        return Phrase("advice.no_quotes_or_unit")
    return Phrase("advice.whole") if isinstance(value, float) else NOTHING


def for_text(value: object) -> Phrase:
    """Return advice where text was expected."""
    if isinstance(value, bool | int | float) and not isinstance(value, OtherBase):
        return Phrase(
            "advice.quotes", {"text": str(value).lower() if isinstance(value, bool) else f"{value}"}
        )
    return NOTHING


def for_truth(value: object) -> Phrase:
    """Return advice where true or false was expected."""
    word = _WORDS_OF_1_1.get(str(value).lower())
    return _perhaps([word]) if word else NOTHING


def for_duration(value: object) -> Phrase:
    """Return the duration that was probably meant."""
    if isinstance(value, int) and value > 0 and not isinstance(value, bool):
        return _perhaps([f"{value}ms", f"{value}s"])
    return _amount(value, _TIME_WORDS, parse_duration, "1s")


def for_size(value: object) -> Phrase:
    """Return the size that was probably meant."""
    return _amount(value, _SIZE_WORDS, parse_size, "64MiB")


def for_unit(value: object) -> Phrase:
    """Return the nearest units."""
    if not isinstance(value, str):
        return NOTHING
    symbols = [unit.symbol for unit in all_units()]
    same = [symbol for symbol in symbols if symbol.lower() == value.strip().lower()]
    close = same or difflib.get_close_matches(value.strip(), symbols, n=3, cutoff=0.6)
    return _perhaps(close) if close else Phrase("advice.units")


def for_zone(value: object) -> Phrase:
    """Return the nearest time zones; of one that is none, as CST or +08:00, no neighbour is meant."""
    word = str(value)
    if word.rpartition("/")[2].lower() in _CHINA:
        return _perhaps(["Asia/Shanghai"])
    close = difflib.get_close_matches(word, _zones(), n=2, cutoff=0.8 if "/" in word else 1)
    return _perhaps(close) if close else Phrase("advice.zone")


def hint(field: str, kind: object = None) -> Phrase:
    """Return what is known about this field in general, or in a connection of this kind."""
    keys = (f"hint.{kind}.{field}", f"hint.{field}")
    return next((Phrase(key) for key in keys if key in catalogue()), NOTHING)


def _perhaps(words: list[str]) -> Phrase:
    return Phrase("advice.perhaps", {"names": [quote(word) for word in words]})


def _amount(value: object, words: dict[str, str], parse: Any, example: str) -> Phrase:
    text = f"{value}" if isinstance(value, int | float) and not isinstance(value, bool) else value
    match = _AMOUNT.fullmatch(text.strip()) if isinstance(text, str) else None
    if match:
        unit = words.get(match[2].lower(), match[2].lower())
        meant = f"{match[1]}{unit}"
        try:
            parse(meant)
        except ValueError:
            return Phrase("advice.example", {"example": example})
        return _perhaps([meant])
    return Phrase("advice.example", {"example": example})


@cache
def _zones() -> list[str]:
    return sorted(available_timezones())
