"""The forms messages to an MQTT broker may have."""

import re
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from config.base import Model
from config.connections.platforms import AliyunForm, HuaweiForm, OneNetForm, ThingsBoardForm

TimeForm = Literal["unix_s", "unix_ms", "unix_us", "unix_ns", "iso8601"]
"""How a time is written; ``iso8601`` is UTC with milliseconds, ``2025-11-24T16:00:00.123Z``."""


_NOT_IN_A_TOPIC: Final = re.compile(r"[+#\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MOST_LEVELS: Final = 200
"""What mosquitto takes; it ends the connection of who sends more."""
LONGEST_TOPIC: Final = 1_000
"""Bytes."""


def is_topic(text: str) -> bool:
    """Tell whether a message may be published on this topic at any broker."""
    is_short = 0 < len(text.encode("utf-8", "replace")) <= LONGEST_TOPIC and text.count("/") < _MOST_LEVELS
    return is_short and _NOT_IN_A_TOPIC.search(text) is None


class JsonForm(Model):
    """The gateway's own form: a message per device and stored batch, in columns; nothing is left out."""

    kind: Literal["json"]


def _topic(value: object) -> object:
    if isinstance(value, str) and not is_topic(value):
        raise PydanticCustomError("topic", "not a topic")
    return value


class AnnouncedForm(Model):
    """What a form has that may go without all that is told beside the data."""

    announce: bool = True
    """Publish catalogue, status, gaps and last will beside the data."""
    gaps: Annotated[str, BeforeValidator(_topic)] | None = None
    """Topic on which is told for which time values are missing; without it the gateway's own below ``prefix``
    where ``announce`` is on, else it is not told."""


class ValuesForm(AnnouncedForm):
    """``{"ts": …, "values": {tag: value}}``: an object per device and time."""

    kind: Literal["values"]
    time: TimeForm = "unix_ms"
    """How ``ts`` is written; rows whose times are written alike share an object."""
    list_: bool = Field(default=False, alias="list")
    """All objects of a device's stored batch in one message, as a list, even if it is one."""
    bad: Literal["as_null", "left_out"] = "as_null"
    """What becomes of a value that is Bad."""
    plain: bool = False
    """``ts`` and ``values`` and nothing else, for platforms that bear nothing else: without gateway, batch,
    quality and marks, so a repeated or a late message can't be told from another."""


class PerTagForm(AnnouncedForm):
    """A unified namespace: a topic per tag, ``{prefix}/{site}/{area}/{line}/{device}/{tag}``."""

    kind: Literal["per_tag"]
    time: TimeForm = "unix_ms"
    """How ``t`` is written."""
    bare: bool = False
    """The value alone, without time and quality; late ones go to ``{topic}/_past`` in full."""
    retain: bool = True
    """The broker keeps each tag's newest live value; a late one never takes its place."""


class TemplateForm(AnnouncedForm):
    """Topic and message from templates, for platforms with a form of their own."""

    kind: Literal["template"]
    topic: Annotated[str, Field(min_length=1, max_length=2_000)]
    """Jinja, e.g. ``factory/{{ area }}/{{ device }}``."""
    payload: Annotated[str, Field(min_length=1, max_length=20_000)]
    """Jinja, e.g. ``{"time": {{ time_ms }}, "v": {{ values.power }}}``."""
    each: Literal["device", "time", "value"] = "time"
    """What a message carries: a device's stored batch, its values of one time, or one value."""
    json_: bool = Field(default=True, alias="json")
    """The message must be JSON; false: any text."""
    retain: bool = False
    """The broker keeps the newest live message of each topic."""
    announce: bool = False
    """Publish catalogue, status, gaps and last will beside the data, below ``prefix``."""


MqttForm = Annotated[
    JsonForm
    | ValuesForm
    | PerTagForm
    | TemplateForm
    | ThingsBoardForm
    | HuaweiForm
    | AliyunForm
    | OneNetForm,
    Field(discriminator="kind"),
]
