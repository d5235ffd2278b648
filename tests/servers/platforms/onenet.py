"""China Mobile OneNET by its OneJSON documents: a token that ends, login of sub-devices, packs, histories."""

import base64
import hmac
import json
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from tests.servers.platforms.door import ACCEPTED, NOT_AUTHORISED, WRONG_PASSWORD, Connect
from tests.servers.platforms.stand_in import Platform

Key = tuple[str, str]
"""productID, deviceName"""


class OneNet(Platform):
    """Knows a gateway by its key, and its sub-devices."""

    filters = ("$sys/#",)

    def __init__(self, directory: Path, gateway: Key, key: str, devices: Iterable[Key]) -> None:
        super().__init__(directory)
        self.devices = set(devices)
        self.online: set[Key] = set()
        self.no_identifier: set[str] = set()
        """Identifiers the thing model lacks: the whole message is refused for one."""
        self.events: set[str] = set()
        """Events of the gateway's thing model."""
        self._gateway = gateway
        self._key = key

    def admits(self, connect: Connect) -> int:
        self.online.clear()
        said = {name: found[0] for name, found in parse_qs(connect.password).items()}
        product, device = self._gateway
        resource = f"products/{product}/devices/{device}"
        if said.keys() != {"version", "res", "et", "method", "sign"} or said["res"] != resource:
            return WRONG_PASSWORD
        if int(said["et"]) <= time.time():
            return NOT_AUTHORISED
        text = "\n".join(said[name] for name in ("et", "method", "res", "version"))
        right = base64.b64encode(
            hmac.new(base64.b64decode(self._key), text.encode(), said["method"]).digest()
        ).decode()
        is_right = said["sign"] == right and (connect.client_id, connect.username) == (device, product)
        return ACCEPTED if is_right else WRONG_PASSWORD

    def hear(self, topic: str, said: Any) -> None:
        if topic.endswith("/reply"):
            return
        number = said.get("id")
        self.expect(isinstance(number, str) and re.fullmatch(r"\d{1,13}", number), f"id {number}")
        self.expect(said.get("version") == "1.0", f"version of {said}"[:200])
        at = f"$sys/{'/'.join(self._gateway)}/thing"
        match topic.removeprefix(at), said["params"]:
            case "/sub/login", {"productID": str(product), "deviceName": str(device)}:
                if (product, device) in self.devices:
                    self.online.add((product, device))
                    self._reply(topic, number, 200, "succ")
                else:
                    self._reply(topic, number, 307, "invalid pid or devName")
            case "/pack/post" | "/history/post" as kind, list(devices):
                self._pack(topic, number, devices, is_history=kind == "/history/post")
            case "/event/post", dict(events):
                self._events(topic, number, events)
            case _:
                self.fault(f"{topic}: {said}"[:200])

    def _events(self, topic: str, number: str, events: dict[str, Any]) -> None:
        if not events.keys() <= self.events:
            self._reply(topic, number, 309, "identifier not exist")
            return
        for each in events.values():
            self.expect(each.keys() == {"value", "time"} and each["value"].keys() == {"record"}, f"{each}")
            self.gaps[each["value"]["record"]] = json.loads(each["value"]["record"])
        self._reply(topic, number, 200, "succ")

    def _pack(self, topic: str, number: str, devices: list[Any], *, is_history: bool) -> None:
        self.expect(0 < len(devices) <= 10, f"{len(devices)} sub-devices")
        readings: list[tuple[str, str, Any]] = []
        for device in devices:
            key = (device["identity"]["productID"], device["identity"]["deviceName"])
            if key not in self.online:
                self._reply(topic, number, 308, "device not online")
                return
            found = [
                (key[1], name, each)
                for name, of_it in device["properties"].items()
                for each in (of_it if is_history else [of_it])
            ]
            self.expect(0 < len(found) <= 100, f"{len(found)} readings of {key}")
            readings += found
        if any(name in self.no_identifier for _, name, _ in readings):
            self._reply(topic, number, 309, "identifier not exist")
            return
        for device_name, name, each in readings:
            self.expect(re.fullmatch(r"[A-Za-z]\w{0,29}", name, re.ASCII), f"identifier {name}")
            if self.expect(each.keys() == {"value", "time"}, f"{name}: {each}"):
                self.take(device_name, name, each["time"], each["value"])
        self._reply(topic, number, 200, "succ")

    def _reply(self, topic: str, number: str, code: int, text: str) -> None:
        self.say(f"{topic}/reply", {"id": number, "code": code, "msg": text})
