"""Message forms of IoT platforms: who the gateway is there, and what its devices are called."""

import re
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from config.base import Duration, Model, NamedSecret
from config.connections.platform_table import read_table

_ID: Final = re.compile(r"[^\s/+#&|,\x00]{1,256}")
_PATH: Final = re.compile(r"[^/\s]+(/[^/\s]+){3}")


def _id(value: object) -> object:
    if isinstance(value, str) and _ID.fullmatch(value) is None:
        raise PydanticCustomError("platform_id", "not an id")
    return value


def _path(value: object) -> str:
    if not isinstance(value, str) or _PATH.fullmatch(value) is None:
        raise PydanticCustomError("device_path", "not the path of a device")
    return value


_Id = Annotated[str, BeforeValidator(_id)]
DevicePath = Annotated[
    str, BeforeValidator(_path), WithJsonSchema({"type": "string", "pattern": f"^{_PATH.pattern}$"})
]
"""``site/area/line/device``"""


class PlatformForm(Model):
    """What all platforms need."""

    kind: str
    names: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    """Tag name → name of the property on the platform, where they differ. Without an entry a tag keeps its
    name, its signs that a platform does not allow turned into ``_``; a name in Chinese always needs one."""
    rate: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Messages a second at most; the platform's own limit when absent, if one is known."""


class ThingsBoardForm(PlatformForm):
    """ThingsBoard, gateway API: one connection, devices by name, created where they do not exist."""

    kind: Literal["thingsboard"]
    token: NamedSecret
    """Access token of the gateway's device; it must be marked *Is gateway*."""
    profile: Annotated[str, Field(min_length=1, max_length=255)] = "default"
    """Device profile of devices that ThingsBoard creates."""
    devices: dict[DevicePath, Annotated[str, Field(min_length=1, max_length=255)]] = Field(
        default_factory=dict
    )
    """Device path → its name in ThingsBoard; the path itself when absent."""


class HuaweiDevice(Model):
    """A sub-device registered in IoTDA."""

    device_id: _Id
    service: _Id | None = None
    """Service of its product model; that of the form when absent."""


class HuaweiForm(PlatformForm):
    """Huawei Cloud IoTDA: a gateway reports for its sub-devices, a hundred in a message."""

    kind: Literal["huawei_iotda"]
    device_id: _Id
    """Of the gateway."""
    secret: NamedSecret
    service: _Id
    """Service of the product model that has the properties."""
    announce: bool = True
    """Tell IoTDA at each start that the sub-devices are online, and hear which it does not know."""
    devices: Annotated[
        dict[DevicePath, HuaweiDevice],
        Field(min_length=1),
        BeforeValidator(lambda value: read_table(value, HuaweiDevice)),
    ]
    """Device path → sub-device; or ``${file:devices.csv}``, a table with the columns device, device_id and,
    where it differs, service."""


class AliyunDevice(Model):
    """A sub-device with the three parts of its certificate."""

    product_key: _Id
    device_name: _Id
    secret: NamedSecret
    """DeviceSecret."""


class AliyunForm(PlatformForm):
    """Aliyun IoT Platform, Alink JSON: a gateway logs its sub-devices in and reports for them in packs."""

    kind: Literal["aliyun"]
    product_key: _Id
    """Of the gateway, as its other two."""
    device_name: _Id
    secret: NamedSecret
    """DeviceSecret."""
    topology: Literal["existing", "add"] = "existing"
    """Whether the sub-devices are attached to the gateway in the console, or by the gateway itself."""
    gaps: _Id | None = None
    """Event of the gateway's product model that tells for which time values are missing: of kind *info*, with
    one output ``record`` of type text; without it nobody is told."""
    devices: Annotated[
        dict[DevicePath, AliyunDevice],
        Field(min_length=1),
        BeforeValidator(lambda value: read_table(value, AliyunDevice)),
    ]
    """Device path → sub-device; or ``${file:devices.csv}``, a table with the columns device, product_key,
    device_name and secret."""


class OneNetDevice(Model):
    """A sub-device attached to the gateway."""

    product_id: _Id
    device_name: _Id


class OneNetForm(PlatformForm):
    """China Mobile OneNET, OneJSON: a gateway reports for its sub-devices, ten in a message.

    Built from documents alone, some of them copies; nobody has tried it on the platform yet.
    """

    kind: Literal["onenet"]
    product_id: _Id
    """Of the gateway, as its other two."""
    device_name: _Id
    key: NamedSecret
    """Device key, base64 as the console shows it."""
    token_valid: Annotated[Duration, Field(ge=3_600_000_000_000)] = 7 * 86_400_000_000_000
    """How long a sign-in token is good; a session is renewed before its token ends."""
    gaps: _Id | None = None
    """Event of the gateway's thing model that tells for which time values are missing, with one output
    ``record`` of type string; without it nobody is told."""
    devices: Annotated[
        dict[DevicePath, OneNetDevice],
        Field(min_length=1),
        BeforeValidator(lambda value: read_table(value, OneNetDevice)),
    ]
    """Device path → sub-device; or ``${file:devices.csv}``, a table with the columns device, product_id and
    device_name."""
