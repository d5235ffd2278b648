"""Sparkplug B as a source: which edge nodes are wanted, and what their tags are called.

``{group}``, ``{node}`` and ``{device}`` stand for the ids in the topic; of an edge node's own metrics
``{device}`` is the node. What can't stand in a name becomes ``_``, a slash a dot.
"""

import re
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from config.base import LONGEST_NAME, NAME_CHARACTERS, Duration
from config.connections.mqtt import MqttSubscription
from config.connections.open import OpenSource
from config.tags import Placed, TagOptions

PLACE: Final = re.compile(r"\{(group|node|device)\}")
"""Where an id goes in a name."""
_PATTERN: Final = re.compile(rf"(?:{NAME_CHARACTERS}|{PLACE.pattern}){{1,{LONGEST_NAME}}}")
_ID: Final = re.compile(r"[^/+#\x00]{1,256}")


def _sparkplug_id(value: object) -> str:
    if not isinstance(value, str) or not (value == "+" or _ID.fullmatch(value)):
        raise PydanticCustomError("sparkplug_id", "not an id")
    return value


SparkplugId = Annotated[
    str, BeforeValidator(_sparkplug_id), WithJsonSchema({"type": "string", "examples": ["plant_1", "+"]})
]
"""A group, edge node or device as it is in the topic; ``+`` for any."""


def _name_pattern(value: object) -> str:
    if not isinstance(value, str) or _PATTERN.fullmatch(value) is None:
        raise PydanticCustomError("placed_name", "not a name")
    return value


PlacedName = Annotated[
    str,
    BeforeValidator(_name_pattern),
    WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN.pattern}$", "examples": ["{device}"]}),
]
"""A name in which ``{group}``, ``{node}``, ``{device}`` stand for the ids."""


class SparkplugTag(TagOptions):
    """What is known of some metrics beside their birth; without ``unit`` its ``engUnit`` holds."""


class SparkplugNodes(Placed):
    """Edge nodes of one kind."""

    group: SparkplugId = "+"
    node: SparkplugId = "+"
    """A node named in full is asked for its birth at the start, although it says nothing."""
    device: SparkplugId = "+"
    """``+`` is every device and the node's own metrics."""
    at: str = "{group}/{node}"
    """Area and line, e.g. ``press_shop/line_1`` or ``"{group}/line_1"``."""
    name: PlacedName = "{device}"
    """The device's name in the path."""
    tags: Annotated[dict[str, SparkplugTag], Field(min_length=1)] = Field(
        default_factory=lambda: {"**": SparkplugTag()}
    )
    """Which metrics are wanted, by name or glob as the birth has it, e.g. ``Motor/*``, ``**``; the first
    that matches says what is known of the metric."""


class SparkplugSource(OpenSource, MqttSubscription):
    """A Sparkplug B host application: births, data and deaths of edge nodes behind an MQTT broker."""

    kind: Literal["sparkplug"]
    host_id: SparkplugId | None = None
    """Published as STATE; the gateway's id when absent. Edge nodes with this primary host keep their data
    while the gateway is away."""
    reorder: Annotated[Duration, Field(ge=100_000_000, le=60_000_000_000)] = 2_000_000_000
    """How long a message that came too early waits for those before it; then a rebirth is asked for."""
    nodes: Annotated[tuple[SparkplugNodes, ...], Field(min_length=1, strict=False)]
