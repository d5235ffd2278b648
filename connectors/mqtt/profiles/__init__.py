"""IoT platforms: how each wants the gateway to sign in, and readings to be written. Pure, no I/O."""

from typing import assert_never

from config.connections import AliyunForm, HuaweiForm, OneNetForm, ThingsBoardForm
from connectors.contract import Context
from connectors.mqtt.profiles.aliyun import Aliyun
from connectors.mqtt.profiles.huawei import Huawei
from connectors.mqtt.profiles.onenet import OneNet
from connectors.mqtt.profiles.platform import PlatformForm
from connectors.mqtt.profiles.thingsboard import ThingsBoard

__all__ = ["build"]

AnyPlatform = ThingsBoardForm | HuaweiForm | AliyunForm | OneNetForm


def build(options: AnyPlatform, context: Context, *, tls: bool) -> PlatformForm:
    """Return the form of a platform's messages."""
    match options:
        case ThingsBoardForm():
            return ThingsBoard(options, context.tags, context.clock)
        case HuaweiForm():
            return Huawei(options, context.tags, context.clock)
        case AliyunForm():
            return Aliyun(options, context.tags, context.clock, tls=tls)
        case OneNetForm():
            return OneNet(options, context.tags, context.clock)
        case _:
            assert_never(options)
