"""Alarms: when a tag's value is one, when a link's silence is, and who is told of them outside."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from config.base import Duration, Model, Name, NamedSecret, Number, Secret
from config.proxy import Proxy

Severity = Literal["warning", "urgent"]


class TagAlarm(Model):
    """Bounds of the delivered value beyond which somebody must look."""

    low: Number | None = None
    """Below it the alarm is wanted …"""
    high: Number | None = None
    """… and above it. For a tag that is on or off: `high: 0.5` while on, `low: 0.5` while off."""
    delay: Duration = 0
    """It begins once the value was beyond the bound for so long."""
    hysteresis: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """It is over once the value is so far back inside, in the delivered unit."""
    clear_delay: Duration = 0
    """It is over once the value was back for so long."""
    severity: Severity = "warning"


def _web(secret: Secret) -> Secret:
    address = urlsplit(secret.get_secret_value())
    try:
        is_sound = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        is_sound = False
    if not is_sound:
        raise PydanticCustomError("webhook_url", "not an address of the web")
    return secret


class Webhook(Model):
    """A group's robot, or a program of yours, that is told when alarms begin and end."""

    kind: Literal["wecom", "dingtalk", "feishu", "json"]
    """WeCom, DingTalk or Feishu (Lark) group robot; `json`: the events as they are, for programs."""
    url: Annotated[NamedSecret, AfterValidator(_web)]
    """The robot's whole address: its key stands in it."""
    secret: NamedSecret | None = None
    """DingTalk's or Feishu's signing secret, where the robot asks for signatures."""
    min_severity: Severity = "warning"
    """`urgent`: nothing less is told."""
    language: Literal["zh", "en"] | None = None
    """Of the messages; the gateway's when absent."""
    local: bool = False
    """It may lead to this machine or its own network (10.x, 192.168.x …), as a relay of yours does."""
    proxy: Proxy | None = None
    """Goes through this proxy, which also looks up the robot's name: only an address is judged before."""


class AlarmOptions(Model):
    """What is watched beside the values, and who hears of it."""

    link_after: Duration = 60_000_000_000
    """A link that is away for so long is an alarm."""
    webhooks: dict[Name, Webhook] = Field(default_factory=dict)
