"""Reads InfluxDB line protocol by its published grammar, character by character; imports nothing of ours.

Strict where servers differ: what any of them might read otherwise is refused.
"""

import re
from typing import NamedTuple

FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
SAFE_ESCAPES = {"measurement": ", ", "tag": ",= ", "text": '"\\'}


class Point(NamedTuple):
    measurement: str
    tags: tuple[tuple[str, str], ...]
    fields: tuple[tuple[str, float | int | bool | str, str], ...]
    """(key, value, type), type one of float, integer, unsigned, boolean, string."""
    time: int


class BadLine(Exception):
    pass


def parse(body: bytes) -> list[Point]:
    if body and not body.endswith(b"\n"):
        raise BadLine("the last line has no end")
    return [parse_line(line.decode("utf-8")) for line in body.split(b"\n")[:-1]]


def parse_line(line: str) -> Point:
    if not line or line[0] in "#_ ":
        raise BadLine(f"a line begins with {line[:1]!r}")
    measurement, at = _word(line, 0, ", ", "measurement")
    tags: list[tuple[str, str]] = []
    while line[at] == ",":
        key, at = _word(line, at + 1, "=", "tag")
        value, at = _word(line, at + 1, ", ", "tag")
        if not key or not value:
            raise BadLine(f"an empty tag: {line}")
        tags.append((key, value))
    if len({key for key, _ in tags}) != len(tags):
        raise BadLine(f"a tag twice: {line}")
    fields: list[tuple[str, float | int | bool | str, str]] = []
    at += 1
    while True:
        key, at = _word(line, at, "=", "tag")
        if not key:
            raise BadLine(f"a field without a name: {line}")
        value, kind, at = _field(line, at + 1)
        fields.append((key, value, kind))
        if line[at : at + 1] != ",":
            break
        at += 1
    if len({key for key, _, _ in fields}) != len(fields):
        raise BadLine(f"a field twice: {line}")
    if not re.fullmatch(r" -?\d+", line[at:]):
        raise BadLine(f"no time of whole ns: {line[at:]!r}")
    time = int(line[at + 1 :])
    if not -(2**63) + 2 <= time <= 2**63 - 2:
        raise BadLine(f"time {time} is out of range")
    return Point(measurement, tuple(tags), tuple(fields), time)


def _word(line: str, at: int, ends: str, kind: str) -> tuple[str, int]:
    """Read up to one of `ends` that is not escaped; return the word and the end's place."""
    word = []
    while at < len(line):
        letter = line[at]
        if letter == "\\":
            if line[at + 1 : at + 2] not in SAFE_ESCAPES[kind]:
                raise BadLine(f"a backslash servers read differently: {line}")
            letter = line[at + 1]
            at += 1
        elif letter in ends:
            return "".join(word), at
        elif letter in '"\r' or letter in SAFE_ESCAPES[kind]:
            raise BadLine(f"{letter!r} stands unescaped: {line}")
        word.append(letter)
        at += 1
    raise BadLine(f"the line ends too soon: {line}")


def _field(line: str, at: int) -> tuple[float | int | bool | str, str, int]:
    if line[at : at + 1] == '"':
        return _text(line, at + 1)
    end = at
    while end < len(line) and line[end] not in ", ":
        end += 1
    text = line[at:end]
    if re.fullmatch(r"-?\d+i", text):
        number = int(text[:-1])
        if not -(2**63) <= number < 2**63:
            raise BadLine(f"{text} is no int64")
        return number, "integer", end
    if re.fullmatch(r"\d+u", text):
        number = int(text[:-1])
        if number >= 2**64:
            raise BadLine(f"{text} is no uint64")
        return number, "unsigned", end
    if text in ("t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE"):
        return text[0] in "tT", "boolean", end
    if not FLOAT.fullmatch(text):
        raise BadLine(f"{text!r} is no value")
    return float(text), "float", end


def _text(line: str, at: int) -> tuple[str, str, int]:
    letters = []
    while at < len(line):
        letter = line[at]
        if letter == "\\":
            if line[at + 1 : at + 2] not in ('"', "\\"):
                raise BadLine(f"a backslash servers read differently: {line}")
            letter = line[at + 1]
            at += 1
        elif letter == '"':
            return "".join(letters), "string", at + 1
        letters.append(letter)
        at += 1
    raise BadLine(f"a text without its end: {line}")
