"""The four stand-ins, each knowing the plant's gateway and meters."""

from collections.abc import Sequence
from pathlib import Path

from tests.servers.platforms.aliyun import Aliyun
from tests.servers.platforms.huawei import Huawei
from tests.servers.platforms.onenet import OneNet
from tests.servers.platforms.stand_in import Platform
from tests.servers.platforms.thingsboard import ThingsBoard
from tests.unit.platforms.plant import GATEWAY_SECRET, KEY, METERS, path

PLATFORMS = ("thingsboard", "huawei_iotda", "aliyun", "onenet")


def platform(kind: str, directory: Path, meters: Sequence[str] = METERS) -> Platform:
    match kind:
        case "thingsboard":
            return ThingsBoard(directory, "T0KEN")
        case "huawei_iotda":
            return Huawei(directory, "gw1", GATEWAY_SECRET, [f"id_{meter}" for meter in meters])
        case "aliyun":
            secrets = {("pk", meter): f"s-{meter}" for meter in meters}
            return Aliyun(directory, ("gwpk", "gw1"), GATEWAY_SECRET, secrets)
        case _:
            return OneNet(directory, ("gwpid", "gw1"), KEY, [("pid", meter) for meter in meters])


def called(kind: str, meter: str) -> str:
    """Return what a platform calls a meter."""
    return {"thingsboard": path(meter), "huawei_iotda": f"id_{meter}"}.get(kind, meter)
