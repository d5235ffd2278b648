"""A message's own timestamp, in the forms people write it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from config.connections import MessageTime

_NS: Final = {"unix_s": 1_000_000_000, "unix_ms": 1_000_000, "unix_us": 1_000, "unix_ns": 1}
_LONG_FRACTION: Final = re.compile(r"([.,][0-9]{6})([0-9]+)")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LIMIT: Final = 2**63
_LONGEST: Final = 64


def time_reader(options: MessageTime) -> Callable[[Any], int | None]:
    """Return a function from what stands in the message to ns since 1970 UTC; None when that is no time."""
    if options.form == "iso8601":
        zone = None if options.zone is None else ZoneInfo(options.zone)
        return lambda said: _from_iso(said, zone)
    unit = _NS[options.form]
    return lambda said: _from_unix(said, unit)


def _from_unix(said: Any, unit: int) -> int | None:
    if type(said) is int:
        ns = said * unit
    elif type(said) is float and abs(said) < _LIMIT:  # false for NaN too
        whole = int(said)
        ns = whole * unit + round((said - whole) * unit)
    else:
        return None
    return ns if -_LIMIT <= ns < _LIMIT else None


def _from_iso(said: Any, zone: ZoneInfo | None) -> int | None:
    if not isinstance(said, str) or len(said) > _LONGEST:
        return None
    beyond = 0
    match = _LONG_FRACTION.search(said)
    if match is not None:  # datetime ends at microseconds
        beyond = int(match[2][:3].ljust(3, "0"))
        said = said[: match.end(1)] + said[match.end(2) :]
    try:
        time = datetime.fromisoformat(said)
    except ValueError:
        return None
    if time.tzinfo is None:
        if zone is None:
            return None
        time = time.replace(tzinfo=zone)
    passed = time - _EPOCH
    ns = (passed.days * 86_400 + passed.seconds) * 1_000_000_000 + passed.microseconds * 1_000 + beyond
    return ns if -_LIMIT <= ns < _LIMIT else None
