"""A plant with three meters, the four platforms' options for it, and deliveries of it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from config.base import Secret
from config.connections import MqttSink as MqttOptions
from connectors import Batch, Columns, Context, Delivery, Epoch, Kind, Origin, SystemClock, Tag, TagTable
from connectors.mqtt import MqttSink

EPOCH = Epoch(1, 0xABCDEF)
T0 = 1_764_000_000_000_000_000
T0_MS = T0 // 1_000_000
METERS = ("m1", "m2", "m3")
KINDS = {"P": Kind.FLOAT64, "on": Kind.BOOL, "E": Kind.INT64, "state": Kind.TEXT}
GATEWAY_SECRET = "gw-s3cret"  # noqa: S105  of a stand-in
KEY = "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw="


def path(meter: str) -> str:
    return f"cz/press/line1/{meter}"


def table(meters: Sequence[str] = METERS) -> TagTable:
    tags = TagTable()
    tags.announce(
        [Tag(f"{path(meter)}/{name}", kind, "KWH", "src") for meter in meters for name, kind in KINDS.items()]
    )
    return tags


def delivery(
    seq: int, meters: Sequence[int] = (0, 1, 2), *, bad: Sequence[int] = (), times: int = 1, **how: Any
) -> Delivery:
    """Return P of each meter, `times` times a millisecond apart, and the other three kinds of the first.

    Rows: P of the meters, time by time, then `on`, then `E`, then `state`.
    """
    start = T0 + seq * 1_000_000_000
    rows = [
        (4 * meter, start + again * 1_000_000, 1.5 + meter + seq)
        for again in range(times)
        for meter in meters
    ]
    first = 4 * meters[0]
    rows.append((first + 1, start, 1.0))
    parts = (
        _part([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows], np.float64, bad),
        _part([first + 2], [start], [2**60 + seq], np.int64, ()),
        _part([first + 3], [start], ["停机"], object, ()),
    )
    origin = how.pop("origin", Origin.LIVE)
    return Delivery(Batch(parts, start, origin), EPOCH, seq, **how)


def _part(tag: list[int], time: list[int], value: list[Any], dtype: Any, bad: Sequence[int]) -> Columns:
    quality = np.zeros(len(tag), np.uint32)
    quality[list(bad)] = 0x80310000
    return Columns(np.array(tag, np.int32), np.array(time, np.int64), np.array(value, dtype), quality)


def format_of(
    platform: str, meters: Sequence[str] = METERS, *, path: Callable[[str], str] = path, **more: Any
) -> dict[str, Any]:
    """Return the `format` of a sink."""
    match platform:
        case "thingsboard":
            said: dict[str, Any] = {"token": Secret("T0KEN"), "profile": "meter"}
        case "huawei_iotda":
            devices: dict[str, Any] = {path(meter): {"device_id": f"id_{meter}"} for meter in meters}
            said = {
                "device_id": "gw1",
                "secret": Secret(GATEWAY_SECRET),
                "service": "meter",
                "devices": devices,
            }
        case "aliyun":
            devices = {
                path(meter): {"product_key": "pk", "device_name": meter, "secret": Secret(f"s-{meter}")}
                for meter in meters
            }
            said = {
                "product_key": "gwpk",
                "device_name": "gw1",
                "secret": Secret(GATEWAY_SECRET),
                "devices": devices,
            }
        case _:
            devices = {path(meter): {"product_id": "pid", "device_name": meter} for meter in meters}
            said = {"product_id": "gwpid", "device_name": "gw1", "key": Secret(KEY), "devices": devices}
    return {"kind": platform, **said, **more}


def options(platform: str, port: int, *, meters: Sequence[str] = METERS, **more: Any) -> MqttOptions:
    of_form = {
        key: more.pop(key)
        for key in ("names", "devices", "topology", "token_valid", "announce", "rate", "key", "gaps")
        if key in more
    }
    version = {} if platform == "thingsboard" else {"version": "3.1.1"}
    return MqttOptions.model_validate(
        {
            "kind": "mqtt",
            "host": "127.0.0.1",
            "port": port,
            "keepalive": "60s",
            "connect_timeout": "5s",
            "format": format_of(platform, meters, **of_form),
            **version,
            **more,
        }
    )


def sink(
    platform: str, port: int, tags: TagTable | None = None, *, clock: Any = None, **more: Any
) -> MqttSink:
    told = {"gaps": more.pop("told")} if "told" in more else {}
    context = Context("gw-1", tags or table(more.get("meters", METERS)), clock or SystemClock(), **told)
    return MqttSink("cloud", options(platform, port, **more), context, "cz")
