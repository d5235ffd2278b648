"""From a message's bytes to rows: pure, no I/O.

Most messages are JSON whose values are floats side by side in one object: those are fetched by one
`itemgetter` and checked by one look at their types. Everything else goes value by value. A value that is
there but is not what the plant file says is a Bad row; a value that is not there is no row.
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final

import numpy as np
import orjson

from config.connections import MqttMessages
from config.connections.mqtt_source import json_steps
from connectors.broker.rows import Rows
from connectors.mqtt.ids import Ids
from connectors.mqtt.places import MISSING, Steps, follow
from connectors.mqtt.times import time_reader
from connectors.quality import (
    BAD,
    BAD_INVALID_TIMESTAMP,
    BAD_OUT_OF_RANGE,
    BAD_TYPE_MISMATCH,
    GOOD,
    UNCERTAIN,
    UNCERTAIN_INITIAL_VALUE,
)
from connectors.tags import Part

EXACT: Final = 2**53
"""Integers beyond this don't fit a float64."""
_LARGEST_LENIENT: Final = 64 * 2**10
"""NaN and Infinity are looked for in messages up to this size; json is slow."""
_NUMBER: Final = re.compile(rb"\s*([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?)\s*")
_LONGEST_INTEGER: Final = 64
_OPC_DA: Final = 0xFF
_TEXT: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_WORDS: Final = {"true": True, "on": True, "false": False, "off": False}
_QUALITIES: Final = {"good": GOOD, "uncertain": UNCERTAIN, "bad": BAD}
_FLOATS: Final = {float}
_NUMBERS: Final = {float, int}


class Malformed(ValueError):
    """The message can't be read at all."""


def parse_json(payload: bytes | bytearray, max_depth: int) -> Any:
    """Return what a JSON text says; NaN and Infinity, which JSON lacks, as floats.

    Raises:
        Malformed: not JSON, not UTF-8, or deeper than `max_depth`.
    """
    try:
        found = orjson.loads(payload)
    except ValueError as exc:
        found = _lenient(payload, max_depth, exc)
    if payload.count(b"[") + payload.count(b"{") > max_depth and _depth(payload) > max_depth:
        raise Malformed("deeper than max_depth")
    return found


def _lenient(payload: bytes | bytearray, max_depth: int, cause: ValueError) -> Any:
    if len(payload) > _LARGEST_LENIENT or not (b"NaN" in payload or b"Infinity" in payload):
        raise Malformed(f"not JSON: {cause}") from cause
    if _depth(payload) > max_depth:  # json recurses
        raise Malformed("deeper than max_depth") from cause
    try:
        found = json.loads(payload)
        # Unlike orjson, json takes halves of surrogate pairs, and no sink could ever tell such a text.
        json.dumps(found, ensure_ascii=False).encode()
    except ValueError as exc:
        raise Malformed(f"not JSON: {exc}") from exc
    return found


def _depth(payload: bytes | bytearray) -> int:
    """Return how deep objects and lists lie in each other, strings apart."""
    data = np.frombuffer(_TEXT.sub(b"", payload), np.uint8)
    opening = (data == ord("[")) | (data == ord("{"))
    closing = (data == ord("]")) | (data == ord("}"))
    steps = opening.astype(np.int32) - closing
    return int(np.cumsum(steps).max(initial=0))


class Extraction:
    """How messages of one topic become rows of its tags."""

    def __init__(self, entry: MqttMessages) -> None:
        options = list(entry.tags.values())
        self.is_whole = options[0].path is None
        self.ids = None if entry.id is None else Ids(json_steps(entry.id))
        self.can_tell = entry.id is not None or entry.time is not None
        """Whether two equal messages are one."""
        self._steps: list[Steps] = [() if each.path is None else json_steps(each.path) for each in options]
        self._readers = [_READERS[each.type] for each in options]
        self._parts = [_PARTS[each.type] for each in options]
        self._numbers: list[int] = []
        self._time_steps = () if entry.time is None else json_steps(entry.time.path)
        self._time = None if entry.time is None else time_reader(entry.time)
        self._quality_steps = None if entry.quality is None else json_steps(entry.quality)
        self._type = options[0].type
        parents = {steps[:-1] for steps in self._steps}
        keys = [steps[-1] for steps in self._steps if steps]
        self._parent: Steps = next(iter(parents))
        is_plain = len(parents) == 1 and len(keys) == len(options) and {o.type for o in options} == {"number"}
        self._fetch: Callable[[Any], tuple[Any, ...]] | None = None
        if is_plain and all(isinstance(key, str) for key in keys):
            self._fetch = itemgetter(*keys) if len(keys) > 1 else lambda inside: (inside[keys[0]],)

    def number(self, numbers: Sequence[int]) -> None:
        """Take over the tags' numbers, in the order of the plant file."""
        self._numbers = list(numbers)

    def parse(self, payload: bytes | bytearray, max_depth: int) -> Any:
        """Return what the message says.

        Raises:
            Malformed: it can't be read at all.
        """
        if not self.is_whole:
            return parse_json(payload, max_depth)
        if self._type == "text":
            return _plain_text(payload)
        try:
            return parse_json(payload, max_depth)
        except Malformed:
            match = _NUMBER.fullmatch(payload)
            if match is not None:
                return _written(match[1])
            return _plain_text(payload)

    def append(self, said: Any, arrived: int, rows: Rows, *, is_retained: bool = False) -> int:
        """Add the message's rows; return how many of its values were not there.

        What was retained and says no time of its own is Uncertain: true once, and not a sample of now.
        """
        time, quality = arrived, GOOD
        if self._time is not None:
            own = self._time(follow(said, self._time_steps))
            if own is None:
                quality = BAD_INVALID_TIMESTAMP
            else:
                time = own
        if self._quality_steps is not None and quality == GOOD:
            quality = quality_of(follow(said, self._quality_steps))
        if is_retained and self._time is None and quality < UNCERTAIN:
            quality = UNCERTAIN_INITIAL_VALUE
        if self._fetch is not None and quality == GOOD:
            inside = follow(said, self._parent)
            try:
                values = self._fetch(inside)
            except (KeyError, TypeError):
                return self._one_by_one(said, time, quality, rows)
            types = set(map(type, values))
            if types == _FLOATS or (types <= _NUMBERS and max(values) <= EXACT and min(values) >= -EXACT):
                rows.numbers.extend(self._numbers, values, time)
                return 0
        return self._one_by_one(said, time, quality, rows)

    def _one_by_one(self, said: Any, time: int, quality: int, rows: Rows) -> int:
        missing = 0
        for number, steps, read, part in zip(
            self._numbers, self._steps, self._readers, self._parts, strict=True
        ):
            found = follow(said, steps)
            if found is MISSING:
                missing += 1
                continue
            value, own = read(found)
            rows.part(part).append(number, value, time, own if quality < BAD and own else quality)
        return missing


def _written(digits: bytes) -> float:
    """Return a number that JSON does not know, as 007: an integer where it is one, for its digits."""
    is_whole = len(digits) <= _LONGEST_INTEGER and digits.lstrip(b"+-").isdigit()
    return int(digits) if is_whole else float(digits)


def quality_of(said: Any) -> int:
    """Return the StatusCode of what a sender says of its values; Uncertain when that is not understood."""
    if said is True:
        return GOOD
    if said is False:
        return BAD
    if isinstance(said, int) and 0 <= said < 2**32:
        # No StatusCode says but these bits; OPC DA does: 192 is good and 0, alas, is bad.
        return UNCERTAIN if 0 < said <= _OPC_DA else said
    return _QUALITIES.get(said.lower(), UNCERTAIN) if isinstance(said, str) else UNCERTAIN


def _plain_text(payload: bytes | bytearray) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError as exc:
        raise Malformed("not UTF-8") from exc


def _as_number(said: Any) -> tuple[float, int]:
    if type(said) is float:
        return said, GOOD if math.isfinite(said) else BAD_OUT_OF_RANGE
    if type(said) is int:
        return (float(said), GOOD) if -EXACT <= said <= EXACT else (0.0, BAD_OUT_OF_RANGE)
    return 0.0, BAD_TYPE_MISMATCH


def _as_integer(said: Any) -> tuple[int, int]:
    if type(said) is float and said.is_integer() and abs(said) <= EXACT:
        said = int(said)
    if type(said) is int:
        return (said, GOOD) if -(2**63) <= said < 2**63 else (0, BAD_OUT_OF_RANGE)
    return 0, BAD_OUT_OF_RANGE if isinstance(said, float) else BAD_TYPE_MISMATCH


def _as_text(said: Any) -> tuple[str, int]:
    return (said, GOOD) if isinstance(said, str) else ("", BAD_TYPE_MISMATCH)


def _as_bool(said: Any) -> tuple[float, int]:
    if isinstance(said, str):
        said = _WORDS.get(said.strip().lower())
    if isinstance(said, bool) or said in (0, 1):
        return float(said), GOOD
    return 0.0, BAD_TYPE_MISMATCH


_READERS: Final[dict[str, Callable[[Any], tuple[Any, int]]]] = {
    "number": _as_number,
    "integer": _as_integer,
    "text": _as_text,
    "bool": _as_bool,
}
_PARTS: Final = {"number": Part.NUMBER, "integer": Part.INTEGER, "text": Part.TEXT, "bool": Part.NUMBER}
