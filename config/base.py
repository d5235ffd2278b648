"""The words a plant file is written with: durations, sizes, secrets, and the strict model they live in."""

import ipaddress
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Final
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError


class Model(BaseModel):
    """Every model of the plant file: frozen, no unknown keys, nothing coerced from text to number."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, use_attribute_docstrings=True, strict=True
    )


class Text(Model):
    """A sentence or a name in both languages."""

    zh: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]


_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ns|us|ms|s|min|h|d)")
LONGEST_DURATION_NS: Final = 36_500 * 86_400_000_000_000
"""A hundred years; any sum of a time and a duration still fits 64 bits."""
_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}


def parse_duration(text: object) -> int:
    """Turn ``500ms``, ``1.5s``, ``15min``, ``24h``, ``7d`` into nanoseconds."""
    match = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    ns = round(Decimal(match[1]) * _NS[match[2]]) if match else LONGEST_DURATION_NS + 1
    if ns > LONGEST_DURATION_NS:
        raise PydanticCustomError("duration", "not a duration")
    return ns


def format_duration(ns: int) -> str:
    """Return the shortest exact text of a duration: the inverse of `parse_duration`."""
    for unit in ("d", "h", "min", "s", "ms", "us"):
        if ns and ns % _NS[unit] == 0:
            return f"{ns // _NS[unit]}{unit}"
    return f"{ns}ns"


Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "format": "duration_text",
            "pattern": r"^\d+(\.\d+)?\s*(ns|us|ms|s|min|h|d)$",
            "examples": ["500ms", "1s"],
        }
    ),
]
"""Nanoseconds inside, ``500ms`` in YAML."""

_SIZE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(B|kB|KiB|MB|MiB|GB|GiB|TB|TiB)")
LARGEST_SIZE: Final = 2**62
_BYTES: Final = {
    "B": 1,
    "kB": 10**3,
    "KiB": 2**10,
    "MB": 10**6,
    "MiB": 2**20,
    "GB": 10**9,
    "GiB": 2**30,
    "TB": 10**12,
    "TiB": 2**40,
}


def parse_size(text: object) -> int:
    """Turn ``64MiB``, ``10GB`` into bytes."""
    match = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
    size = round(Decimal(match[1]) * _BYTES[match[2]]) if match else LARGEST_SIZE + 1
    if size > LARGEST_SIZE:
        raise PydanticCustomError("size", "not a size")
    return size


def format_size(size: int) -> str:
    """Return the shortest exact text of a size: the inverse of `parse_size`."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return f"{size}B"


Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "format": "size_text",
            "pattern": r"^\d+(\.\d+)?\s*(B|kB|KiB|MB|MiB|GB|GiB|TB|TiB)$",
            "examples": ["64MiB", "10GB"],
        }
    ),
]
"""Bytes inside, ``64MiB`` in YAML."""


class SecretText(str):
    """Text the loader has put in the place of a ``${env:…}`` or ``${file:…}`` reference."""

    __slots__ = ("again",)
    again: Callable[[], str | None]
    """Looks it up again, None when it can't be had; missing where it can't change."""


class Secret(SecretStr):
    """A password or token; it prints as ``***``."""

    def __init__(self, text: str) -> None:
        super().__init__(str(text))
        self._again: Callable[[], str | None] | None = getattr(text, "again", None)

    def current(self) -> str:
        """Return it as it is now: its file is read again, and what was read last holds while it can't be.

        Reads a file, so call it off the event loop.
        """
        found = None if self._again is None else self._again()
        if found:
            self._secret_value = found
        return self._secret_value

    def _display(self) -> str:
        return "***"


def _only_named(value: object) -> object:
    # A literal would be copied into tickets and archives together with the plant file.
    if isinstance(value, Secret):
        return value
    if not isinstance(value, SecretText):
        raise PydanticCustomError("secret_literal", "a secret is written in the file")
    return Secret(value)


NamedSecret = Annotated[
    Secret,
    BeforeValidator(_only_named),
    WithJsonSchema({"type": "string", "pattern": r"^\$\{(env|file):.+\}$", "examples": ["${env:TOKEN}"]}),
]
"""A secret that is named in the plant file, never written there."""


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("number", "not a number")
    if not math.isfinite(value):
        raise PydanticCustomError("finite", "not a finite number")
    return float(value)


Number = Annotated[float, BeforeValidator(_finite), WithJsonSchema({"type": "number"})]
"""A finite number; 1 and 1.0 are the same, text is not a number."""

NAME_CHARACTERS: Final = r"[^\s/#+*?\[\]{}$\"'“”‘’\\\x00-\x1f\x7f]"
LONGEST_NAME: Final = 64
_NAME: Final = re.compile(f"{NAME_CHARACTERS}{{1,{LONGEST_NAME}}}")


def is_name(text: str) -> bool:
    """Tell whether a text can be one level of a path."""
    return _NAME.fullmatch(text) is not None


def _name(value: object) -> str:
    if not isinstance(value, str) or not is_name(value):
        raise PydanticCustomError("name", "not a name")
    return value


Name = Annotated[
    str, BeforeValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"})
]
"""One level of a tag's path: no space, no slash, none of MQTT's or a glob's own characters."""

_NOT_IN_A_HOST: Final = re.compile(r"[\s:/@?#\\\[\]]")
_NAME_OR_RANGE: Final = rf"^({_NAME.pattern}|{NAME_CHARACTERS}*\{{\d+\.\.\d+\}}{NAME_CHARACTERS}*)$"

DeviceName = Annotated[
    str, BeforeValidator(_name), WithJsonSchema({"type": "string", "pattern": _NAME_OR_RANGE})
]
"""A device's name; in the file ``meter_{1..100}`` stands for a hundred devices alike."""


def _host(value: str) -> str:
    if _NOT_IN_A_HOST.search(value):
        try:
            ipaddress.IPv6Address(value)
        except ValueError:
            raise PydanticCustomError("host", "not a host") from None
    return value


Host = Annotated[str, Field(min_length=1), AfterValidator(_host)]
"""A host's name or IP address, without protocol, port or path."""


def _from_folder(value: str, info: ValidationInfo) -> str:
    folder = (info.context or {}).get("folder")
    return value if folder is None else str(folder / value)


FileName = Annotated[str, Field(min_length=1), AfterValidator(_from_folder)]
"""A file's name, relative to the plant file's folder; absolute, or as good as, once it is read."""


def _zone(value: object) -> str:
    if not isinstance(value, str) or value not in available_timezones():
        raise PydanticCustomError("time_zone", "not a time zone")
    return value


TimeZone = Annotated[
    str, BeforeValidator(_zone), WithJsonSchema({"type": "string", "examples": ["Asia/Shanghai"]})
]
"""A zone of the tz database."""
