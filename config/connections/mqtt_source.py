"""MQTT as a source: which messages are wanted, and where in them each value lies.

``{1}``, ``{2}`` … stand for what the first, second … wildcard of the topic matched; ``#`` counts as
one, its levels joined with dots.
"""

import re
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from config.base import LONGEST_NAME, NAME_CHARACTERS, Duration, Model, TimeZone
from config.connections.mqtt import MqttSubscription
from config.connections.open import OpenSource
from config.tags import Placed, TagOptions

_STEP: Final = re.compile(r"([^.\[\]]+)|\[([0-9]{1,6})\]")
_PATH: Final = re.compile(r"(?!\$[.\[])(?:[^.\[\]]+|\[[0-9]{1,6}\])(?:\.[^.\[\]]+|\[[0-9]{1,6}\])*")
PLACE: Final = re.compile(r"\{([1-9])\}")
"""Where a topic's part goes in a name."""


def json_steps(path: str) -> tuple[str | int, ...]:
    """Return the steps of a dotted path: ``data.hum[0]`` is ("data", "hum", 0)."""
    return tuple(key or int(index) for key, index in _STEP.findall(path))


def _json_path(value: object) -> str:
    if not isinstance(value, str) or len(value) > 256 or _PATH.fullmatch(value) is None:
        raise PydanticCustomError("json_path", "not a path")
    return value


JsonPath = Annotated[
    str,
    BeforeValidator(_json_path),
    WithJsonSchema({"type": "string", "pattern": f"^{_PATH.pattern}$", "examples": ["data.temp", "hum[0]"]}),
]
"""A place in a JSON message: keys joined with dots, an element of a list in brackets, counted from 0."""

_PATTERN: Final = re.compile(rf"(?:{NAME_CHARACTERS}|\{{[1-9]\}}){{1,{LONGEST_NAME}}}")


def _name_pattern(value: object) -> str:
    if not isinstance(value, str) or _PATTERN.fullmatch(value) is None:
        raise PydanticCustomError("name_pattern", "not a name")
    return value


NamePattern = Annotated[
    str,
    BeforeValidator(_name_pattern),
    WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN.pattern}$", "examples": ["{1}", "sensor_{2}"]}),
]
"""A name in which ``{1}``, ``{2}`` … stand for parts of the topic."""


def _topic_filter(value: object) -> str:
    if not isinstance(value, str) or not is_topic_filter(value):
        raise PydanticCustomError("topic_filter", "not a topic filter")
    return value


def is_topic_filter(text: str) -> bool:
    """Tell whether a topic filter is well formed (MQTT 5, 4.7); shared subscriptions are left out."""
    if not 0 < len(text.encode("utf-8", "replace")) <= 65535 or "\0" in text or text.startswith("$share/"):
        return False
    *before, last = text.split("/")
    return all(each == "+" or not set("+#") & set(each) for each in before) and (
        last in ("+", "#") or not set("+#") & set(last)
    )


def covers(first: str, second: str) -> bool:
    """Tell whether every topic the second filter matches is matched by the first."""
    a, b = first.split("/"), second.split("/")
    if a[-1] == "#" and len(b) >= len(a) - 1:
        a, b = a[:-1], b[: len(a) - 1]
    return len(a) == len(b) and all(x == y or (x == "+" and y != "#") for x, y in zip(a, b, strict=True))


def overlap(first: str, second: str) -> bool:
    """Tell whether a topic may match both filters."""
    return _overlap(first.split("/"), second.split("/"))


def _overlap(a: list[str], b: list[str]) -> bool:
    for i, (x, y) in enumerate(zip(a, b, strict=False)):
        if "#" in (x, y):
            return True
        if x != y and "+" not in (x, y):
            return False
        if i == min(len(a), len(b)) - 1:
            rest = a[i + 1 :] + b[i + 1 :]
            return rest in ([], ["#"])
    return True


TopicFilter = Annotated[
    str, BeforeValidator(_topic_filter), WithJsonSchema({"type": "string", "examples": ["factory/+/env"]})
]
"""A topic, ``+`` for any one level, ``#`` at the end for all that follow."""


class MqttTag(TagOptions):
    """One value of a message."""

    path: JsonPath | None = None
    """Where it lies in the JSON message; absent: the whole message is the value, e.g. ``21.5``."""
    type: Literal["number", "integer", "text", "bool", "any"] = "number"
    """``number`` is a float64; ``integer`` keeps 64 bits exactly. A value of another type is Bad. ``any`` is
    what the topic's first value is: a number, text or bool."""


class MessageTime(Model):
    """A message's own timestamp."""

    path: JsonPath
    form: Literal["unix_s", "unix_ms", "unix_us", "unix_ns", "iso8601"]
    zone: TimeZone | None = None
    """Of an ISO 8601 time that names no zone; absent: such a time is not believed."""


class MqttMessages(Placed):
    """Messages of one form."""

    topic: TopicFilter
    """Topic filter; a message is taken by the first entry whose filter matches its topic."""
    device: NamePattern
    """The device's name, e.g. ``"{1}"``."""
    at: str = "-/-"
    """Area and line, e.g. ``press_shop/line_1`` or ``"{1}/{2}"``."""
    time: MessageTime | None = None
    """The message's own timestamp; absent: the time it arrived."""
    id: JsonPath | None = None
    """A number or text that differs from message to message on a topic: what comes twice is dropped, and of
    numbers that should follow each other the missing are counted."""
    quality: JsonPath | None = None
    """What the sender says of its values: true or false, ``good``, ``uncertain`` or ``bad``, or an OPC UA
    StatusCode."""
    unit: JsonPath | None = None
    """Where the message names its unit, e.g. ``kWh``; what the table of units does not know is the tag's own.
    Another unit than before makes another tag."""
    tags: Annotated[dict[NamePattern, MqttTag], Field(min_length=1)]

    @property
    def is_told(self) -> bool:
        """Tell whether only a message says what its tags are."""
        return self.unit is not None or any(tag.type == "any" for tag in self.tags.values())


class MqttSource(OpenSource, MqttSubscription):
    """Subscribe to an MQTT broker; a message is acknowledged when it is on disk."""

    kind: Literal["mqtt"]
    qos: Annotated[int, Field(ge=0, le=1)] = 1
    """0 takes what comes: what comes while the gateway is away or busy is lost."""
    session_expiry: Annotated[Duration, Field(ge=0, le=4_294_967_294_000_000_000)] = 7 * 86_400_000_000_000
    """How long the broker keeps what comes while the gateway is away; MQTT 3.1.1 leaves it to the broker."""
    max_depth: Annotated[int, Field(ge=1, le=256)] = 32
    """Objects and lists inside each other; a deeper message is refused and counted."""
    messages: Annotated[tuple[MqttMessages, ...], Field(min_length=1, strict=False)]
