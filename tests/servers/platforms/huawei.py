"""Huawei Cloud IoTDA by its device-side MQTT reference: CONNECT by the hour, sub-devices, reports."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.servers.platforms.door import ACCEPTED, WRONG_PASSWORD, Connect
from tests.servers.platforms.stand_in import Platform

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
MOST_BYTES = 64 * 1024
MOST_DEVICES = 100


class Huawei(Platform):
    """Knows a gateway and its sub-devices."""

    filters = ("$oc/#",)
    keepalive = (30, 1200)

    def __init__(self, directory: Path, gateway: str, secret: str, devices: Iterable[str]) -> None:
        super().__init__(directory)
        self.devices = set(devices)
        self.online: set[str] = set()
        self._gateway = gateway
        self._secret = secret

    def admits(self, connect: Connect) -> int:
        hour = datetime.now(UTC).strftime("%Y%m%d%H")
        password = hmac.new(hour.encode(), self._secret.encode(), hashlib.sha256).hexdigest()
        is_right = (
            connect.client_id == f"{self._gateway}_0_1_{hour}"
            and connect.username == self._gateway
            and connect.password == password
        )
        return ACCEPTED if is_right else WRONG_PASSWORD

    def hear(self, topic: str, said: Any) -> None:
        self.expect(self.sizes[-1] <= MOST_BYTES, f"{self.sizes[-1]} bytes")
        at = f"$oc/devices/{self._gateway}/sys"
        match topic.removeprefix(at), said:
            case "/events/up", {"object_device_id": self._gateway, "services": [service]}:
                self._status(at, service)
            case "/messages/up", {"name": str(name), "id": str(number), "content": dict(record)}:
                before = self.gaps.setdefault(number, record)
                self.expect(name == "wanglian_gap" and before == record, f"message {number} twice, changed")
            case "/events/down", _:
                pass  # our own
            case "/gateway/sub_devices/properties/report", {"devices": list(devices)}:
                self.expect(0 < len(devices) <= MOST_DEVICES, f"{len(devices)} sub-devices")
                for device in devices:
                    self._report(device)
            case _:
                self.fault(f"{topic}: {said}")

    def _status(self, at: str, service: Any) -> None:
        match service:
            case {
                "service_id": "$sub_device_manager",
                "event_type": "sub_device_update_status",
                "event_time": str(time),
                "paras": {"device_statuses": list(statuses)},
            }:
                self.expect(TIME.fullmatch(time), f"event_time {time}")
                self.expect(0 < len(statuses) <= MOST_DEVICES, f"{len(statuses)} statuses")
                asked = [each["device_id"] for each in statuses if each.get("status") == "ONLINE"]
                self.expect(len(asked) == len(statuses), f"statuses {statuses}")
                good = [each for each in asked if each in self.devices]
                self.online |= set(good)
                bad = [each for each in asked if each not in self.devices]
                self.say(
                    f"{at}/events/down",
                    {
                        "object_device_id": self._gateway,
                        "services": [
                            {
                                "service_id": "$sub_device_manager",
                                "event_type": "sub_device_update_status_response",
                                "event_time": "20151212T121212Z",
                                "event_id": "40cc9ab1-3579-488c-95c6-c18941c99eb4",
                                "paras": {
                                    "successful_devices": [
                                        {"device_id": each, "status": "ONLINE"} for each in good
                                    ],
                                    "failed_devices": [
                                        {
                                            "device_id": each,
                                            "error_code": "IOTDA.014000",
                                            "error_msg": "The device does not exist.",
                                        }
                                        for each in bad
                                    ],
                                },
                            }
                        ],
                    },
                )
            case _:
                self.fault(f"events/up: {service}")

    def _report(self, device: Any) -> None:
        match device:
            case {"device_id": str(name), "services": list(services)} if len(device) == 2 and services:
                self.expect(name in self.online, f"{name} is not online")
                for service in services:
                    self._service(name, service)
            case _:
                self.fault(f"report: {device}")

    def _service(self, device: str, service: Any) -> None:
        match service:
            case {"service_id": "meter", "properties": dict(properties), "event_time": str(time)} if (
                properties
            ):
                if self.expect(TIME.fullmatch(time), f"event_time {time}"):
                    at = datetime.strptime(time, "%Y-%m-%dT%H:%M:%S.%f%z")
                    for name, value in properties.items():
                        self.expect(re.fullmatch(r"[A-Za-z]\w{0,63}", name, re.ASCII), f"property {name}")
                        self.take(device, name, round(at.timestamp() * 1000), value)
            case _:
                self.fault(f"service of {device}: {service}")
