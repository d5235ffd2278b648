"""What a message says, in text for people: JSON as it is, Sparkplug B taken apart, compressed ones opened."""

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any, Final

MOST_TEXT: Final = 64 * 1024
_GZIP: Final = b"\x1f\x8b"


def readable(payload: bytes, take_apart: Callable[[bytes], dict[str, Any] | None]) -> tuple[str, str]:
    """Return the text and its form: json, text, sparkplug (what `take_apart` knows) or bytes."""
    if payload.startswith(_GZIP):
        payload = _opened(payload)
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = ""
    if text or not payload:
        return _json(text)
    told = take_apart(payload)
    if told is not None:
        return json.dumps(told, ensure_ascii=False, indent=2)[:MOST_TEXT], "sparkplug"
    return payload[: MOST_TEXT // 3].hex(" "), "bytes"


def _json(text: str) -> tuple[str, str]:
    try:
        told = json.loads(text)
    except ValueError:
        return text[:MOST_TEXT], "text"
    return json.dumps(told, ensure_ascii=False, indent=1)[:MOST_TEXT], "json"


def _opened(payload: bytes) -> bytes:
    try:
        return gzip.decompress(payload)
    except (OSError, EOFError, zlib.error):
        return payload
