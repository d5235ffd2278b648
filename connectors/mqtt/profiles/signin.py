"""Who the gateway says it is, platform by platform: client id, user name and a password with the time in it.

Pure; checked against the vectors the platforms publish.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

_NS_PER_MS: Final = 1_000_000
_NS_PER_S: Final = 1_000_000_000
_VERSION: Final = "2018-10-31"
_METHOD: Final = "sha256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What CONNECT carries."""

    client_id: str
    username: str
    password: str


def huawei(device_id: str, secret: str, now: int) -> Credentials:
    """Return what Huawei IoTDA wants at `now` ns UTC: it checks the hour, and then the password.

    The client id's last parts say: identified by device id (0), time is checked (1), the hour in UTC.
    """
    hour = datetime.fromtimestamp(now / _NS_PER_S, UTC).strftime("%Y%m%d%H")
    password = hmac.new(hour.encode(), secret.encode(), hashlib.sha256).hexdigest()
    return Credentials(f"{device_id}_0_1_{hour}", device_id, password)


def aliyun(product_key: str, device_name: str, secret: str, now: int, *, tls: bool) -> Credentials:
    """Return what Aliyun wants at `now` ns UTC."""
    client_id = f"{product_key}.{device_name}"
    stamp = str(now // _NS_PER_MS)
    said = {"clientId": client_id, "deviceName": device_name, "productKey": product_key, "timestamp": stamp}
    return Credentials(
        f"{client_id}|securemode={2 if tls else 3},signmethod=hmacsha256,timestamp={stamp}|",
        f"{device_name}&{product_key}",
        aliyun_sign(secret, said),
    )


def aliyun_sign(secret: str, said: Mapping[str, str], method: str = "sha256") -> str:
    """Return the signature of a device, the gateway's own or one behind it: names and values in order."""
    text = "".join(name + said[name] for name in sorted(said))
    return hmac.new(secret.encode(), text.encode(), method).hexdigest()


def onenet(product_id: str, device_name: str, key: str, expires_s: int) -> Credentials:
    """Return what OneNET wants: a token that is good until `expires_s` seconds since 1970."""
    resource = f"products/{product_id}/devices/{device_name}"
    return Credentials(device_name, product_id, onenet_token(resource, key, expires_s, _METHOD))


def onenet_token(resource: str, key: str, expires_s: int, method: str) -> str:
    """Return a token for a resource; the key is base64, as the console shows it.

    Raises:
        ValueError: the key is not base64.
    """
    text = f"{expires_s}\n{method}\n{resource}\n{_VERSION}"
    digest = hmac.new(base64.b64decode(key, validate=True), text.encode(), method).digest()
    sign = quote(base64.b64encode(digest).decode(), safe="")
    where = quote(resource, safe="")
    return f"version={_VERSION}&res={where}&et={expires_s}&method={method}&sign={sign}"
