"""Sparkplug B as a sink: which edge node the gateway is, and what its devices are called.

``{site}``, ``{area}``, ``{line}`` and ``{device}`` stand for the levels of a tag's path; its last level is
the name of the metric.
"""

import re
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from config.base import Duration
from config.connections.mqtt import MqttPublishing, TopicPrefix
from config.connections.sparkplug import SparkplugId
from config.select import SinkOptions

LEVEL: Final = re.compile(r"\{(site|area|line|device)\}")
"""Where a level of the path goes in a device's id."""
_PATTERN: Final = re.compile(rf"(?:[^/+#{{}}\x00]|{LEVEL.pattern}){{1,200}}")


LEVELS: Final = ("site", "area", "line", "device")


def device_id(pattern: str, path: str) -> str:
    """Return a device's id: the levels of its path put into the pattern."""
    levels = dict(zip(LEVELS, path.split("/", 3), strict=False))
    return LEVEL.sub(lambda match: levels.get(match[1], ""), pattern)


def _own_id(value: object) -> object:
    if value == "+":
        raise PydanticCustomError("sparkplug_own_id", "not an id of one")
    return value


OwnId = Annotated[SparkplugId, BeforeValidator(_own_id)]
"""A group, edge node or host as it is in the topic."""


def _device_pattern(value: object) -> str:
    if not isinstance(value, str) or _PATTERN.fullmatch(value) is None:
        raise PydanticCustomError("sparkplug_device", "not an id of devices")
    return value


DevicePattern = Annotated[
    str,
    BeforeValidator(_device_pattern),
    WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN.pattern}$", "examples": ["{line}.{device}"]}),
]
"""An id in which ``{site}``, ``{area}``, ``{line}``, ``{device}`` stand for the levels of the path."""


class SparkplugSink(SinkOptions, MqttPublishing):
    """A Sparkplug B edge node: births, data and deaths of the gateway's devices on an MQTT broker."""

    kind: Literal["sparkplug"]
    group: OwnId
    node: OwnId | None = None
    """The edge node; the gateway's id when absent."""
    device: DevicePattern = "{area}.{line}.{device}"
    """The id of each device. Two devices that would get one id are told apart by a number."""
    primary_host: OwnId | None = None
    """The host application that must be there: without its STATE online nothing is sent, and what was sent
    counts only while it stayed online."""
    host_wait: Annotated[Duration, Field(ge=100_000_000, le=3_600_000_000_000)] = 30_000_000_000
    """How long a connection waits for the primary host before it is given up and tried anew."""
    rebirth: Annotated[Duration, Field(ge=100_000_000, le=600_000_000_000)] = 2_000_000_000
    """The node is born at most once in this time, however often hosts ask."""
    prefix: TopicPrefix = "wanglian"
    """``{prefix}/marker/{client_id}``: an empty message with QoS 1 behind the data, whose acknowledgement
    says that the broker has them. Nobody need subscribe to it; the broker must let it pass."""
