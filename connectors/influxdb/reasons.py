"""What an answer or a failed request means: these bytes are refused, try again, or call a person."""

import email.utils
import json
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import urllib3.exceptions
from influxdb_client.rest import ApiException

from connectors.errors import NotConnected
from connectors.unreachable import unreachable

_LONGEST_WAIT_S: Final = 3600.0
"""A peer may ask for patience, not to be forgotten."""
_SHOWN: Final = 300
"""Characters of a peer's own words that are told further."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")
_REFUSES_ROWS: Final = (400, 422)
_TOO_LARGE: Final = 413
_TOO_MANY: Final = 429
_UNAVAILABLE: Final = 503
_NEEDS_A_PERSON: Final = {
    401: "check `token`",
    403: "the token may not write here: check `token` and `bucket`",
    404: "check `url`, `org` and `bucket`",
}


@dataclass(frozen=True, slots=True)
class Refused:
    """The peer will not take these lines as they are."""

    reason: str
    too_large: bool = False
    """Fewer of them may pass."""


def read_failure(peer: str, cause: BaseException, timeout_s: float) -> Refused | NotConnected | None:
    """Return what a failed request means; None for what no peer can cause: a bug."""
    chain = list(_chain(cause))
    for each in chain:
        if isinstance(each, ApiException) and each.status:
            return _read_status(peer, each)
    for kind in (ssl.SSLError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError, OSError):
        for each in chain:
            if isinstance(each, kind):
                return _read_error(peer, each, timeout_s)
    if any(isinstance(each, urllib3.exceptions.HTTPError | UnicodeDecodeError) for each in chain):
        return NotConnected(f"{peer} answered what is not HTTP, or not text; check `url`")
    return None


def _read_error(peer: str, error: Exception, timeout_s: float) -> NotConnected:
    match error:
        case TimeoutError():
            return NotConnected(f"{peer} did not answer within {timeout_s:g} s")
        case ConnectionResetError() | ConnectionAbortedError() | BrokenPipeError():
            return NotConnected(f"{peer} broke off the connection")
        case OSError():
            return unreachable(peer, error)
    raise TypeError(error)


def _read_status(peer: str, answer: ApiException) -> Refused | NotConnected:
    status = int(answer.status)
    said = _said(answer)
    if status in _REFUSES_ROWS:
        return Refused(f"refused with {status}{said}")
    if status == _TOO_LARGE:
        return Refused(f"too large for the database, {status}{said}", too_large=True)
    if status in _NEEDS_A_PERSON:
        return NotConnected(f"{peer} answered {status}{said}; {_NEEDS_A_PERSON[status]}", needs_a_person=True)
    if status in (408, _TOO_MANY) or status >= 500:
        wish = _retry_after_s(answer)
        # A proxy says 503 as well, for a database that is away; it has no wish.
        return NotConnected(
            f"{peer} answered {status}{said}",
            retry_after_s=wish,
            turned_away=status == _TOO_MANY or (status == _UNAVAILABLE and wish is not None),
        )
    return NotConnected(f"{peer} answered {status}{said}; check `url`", needs_a_person=True)


def _chain(cause: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what caused it, outermost first: urllib3 puts causes into args, too."""
    seen: set[int] = set()
    waiting = [cause]
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [other for other in (each.__cause__, each.__context__) if other is not None]
        waiting += [argument for argument in each.args if isinstance(argument, BaseException)]


def _said(answer: ApiException) -> str:
    """Return the peer's own words in one short line, or nothing."""
    text = answer.body or answer.reason or ""
    try:
        found = json.loads(text)
        text = str(found.get("message") or found.get("error") or text) if isinstance(found, dict) else text
    except (ValueError, TypeError):
        pass
    line = _CONTROL.sub(" ", str(text)).strip()
    return f": {line[:_SHOWN]}" if line else ""


def _retry_after_s(answer: ApiException) -> float | None:
    """Return the wish of the header Retry-After in seconds (RFC 9110, 10.2.3); None where there is none."""
    headers: Mapping[str, str] = answer.headers or {}
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,12}", text):
        return min(float(text), _LONGEST_WAIT_S)
    try:
        seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT_S)
