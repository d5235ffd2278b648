"""Aliyun IoT Platform by its Alink documents: topology, login of sub-devices, packs, histories."""

import hmac
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.servers.platforms.door import ACCEPTED, WRONG_PASSWORD, Connect
from tests.servers.platforms.stand_in import Platform

MOST_BYTES = 256 * 1024
METHODS = {"hmacsha1": "sha1", "hmacsha256": "sha256", "hmacmd5": "md5"}
Key = tuple[str, str]
"""productKey, deviceName"""


class Aliyun(Platform):
    """Knows a gateway and sub-devices by their secrets; `attached` are those of the gateway's topology."""

    filters = ("/sys/#", "/ext/#")
    keepalive = (30, 1200)

    def __init__(self, directory: Path, gateway: Key, secret: str, devices: Mapping[Key, str]) -> None:
        super().__init__(directory)
        self.attached = set(devices)
        self.online: set[Key] = set()
        self.no_property: set[str] = set()
        """Properties the thing model lacks: answered 200, and thrown away."""
        self.code_for: dict[str, tuple[int, str]] = {}
        """A pack that has this property is answered so, whole."""
        self.events: set[str] = set()
        """Events of the gateway's product, each with one output `record`."""
        self.answered: list[tuple[str, int]] = []
        """(what, code)"""
        self._gateway = gateway
        self._secret = secret
        self._devices = dict(devices)
        self._ids: set[str] = set()

    def admits(self, connect: Connect) -> int:
        self.online.clear()
        found = re.fullmatch(
            r"(?P<id>[^|]{1,64})\|securemode=3,signmethod=(?P<method>\w+),timestamp=(?P<ts>\d{13})\|",
            connect.client_id,
        )
        product, device = self._gateway
        if found is None or connect.username != f"{device}&{product}":
            return WRONG_PASSWORD
        said = {
            "clientId": found["id"],
            "timestamp": found["ts"],
            "productKey": product,
            "deviceName": device,
        }
        right = _sign(self._secret, said, found["method"])
        return ACCEPTED if connect.password.lower() == right else WRONG_PASSWORD

    def hear(self, topic: str, said: Any) -> None:
        if topic.endswith("_reply"):
            return
        self.expect(self.sizes[-1] <= MOST_BYTES, f"{self.sizes[-1]} bytes")
        number = said.get("id")
        if not self.expect(
            isinstance(number, str) and number.isdigit() and int(number) < 2**32 and number not in self._ids,
            f"id {number}",
        ):
            return
        self._ids.add(number)
        at = "/".join(self._gateway)
        match topic, said:
            case _, {"method": "thing.topo.add", "version": "1.0", "params": list(params)} if (
                topic == f"/sys/{at}/thing/topo/add"
            ):
                self.expect(0 < len(params) <= 30, f"{len(params)} in topo add")
                wrong = [each for each in params if not self._is_signed(each, each.get("signmethod", ""))]
                if not wrong:
                    self.attached |= {(each["productKey"], each["deviceName"]) for each in params}
                self._reply(topic, number, (6100, "device not found") if wrong else (200, "success"), "topo")
            case _, {"params": {"deviceList": list(devices)}} if (
                topic == f"/ext/session/{at}/combine/batch_login"
            ):
                self.expect(self.qos == 0, f"login with QoS {self.qos}")
                self.expect(0 < len(devices) <= 50, f"{len(devices)} in a login")
                self._login(topic, number, devices)
            case _, {"method": "thing.event.property.pack.post", "params": {"subDevices": list(devices)}} if (
                topic == f"/sys/{at}/thing/event/property/pack/post"
            ):
                self._pack(topic, number, said, devices, "pack")
            case _, {"method": "thing.event.property.history.post", "params": list(devices)} if (
                topic == f"/sys/{at}/thing/event/property/history/post"
            ):
                self._pack(topic, number, said, devices, "history")
            case _, {"method": str(method), "version": "1.0", "sys": {"ack": 1}, "params": dict(params)} if (
                topic == f"/sys/{at}/{method.replace('.', '/')}" and method.count(".") == 3
            ):
                self._event(topic, number, method.split(".")[2], params)
            case _:
                self.fault(f"{topic}: {said}")

    def _event(self, topic: str, number: str, event: str, params: dict[str, Any]) -> None:
        if event not in self.events:
            self._reply(topic, number, (5097, "tsl parse: event not exist"), "event")
            return
        self.expect(params.keys() == {"value", "time"} and type(params["time"]) is int, f"{event}: {params}")
        self.expect(params["value"].keys() == {"record"}, f"{event}: {params}")
        text = params["value"]["record"]
        if self.expect(isinstance(text, str) and len(text.encode()) <= 2048, f"{event}: {text}"):
            self.gaps[text] = json.loads(text)
        self._reply(topic, number, (200, "success"), "event")

    def _login(self, topic: str, number: str, devices: list[Any]) -> None:
        keys = [(each["productKey"], each["deviceName"]) for each in devices]
        self.expect(all(each.get("cleanSession") == "true" for each in devices), "cleanSession")
        wrong = [each for each in devices if not self._is_signed(each, each.get("signMethod", ""))]
        loose = [key for key in keys if key not in self.attached]
        if wrong:
            answer = (6100, "device not found")
        elif loose:
            answer = (6401, "topo relation not exist")
        else:
            answer = (200, "success")
            self.online |= set(keys)
        self._reply(topic, number, answer, "login")

    def _is_signed(self, said: dict[str, str], method: str) -> bool:
        key = (said["productKey"], said["deviceName"])
        named = {name: said[name] for name in ("clientId", "deviceName", "productKey", "timestamp")}
        secret = self._devices.get(key)
        return secret is not None and said["sign"] == _sign(secret, named, method)

    def _pack(self, topic: str, number: str, said: Any, devices: list[Any], kind: str) -> None:
        self.expect(said.get("version") == "1.0" and said.get("sys") == {"ack": 1}, f"{kind}: {said}"[:200])
        self.expect(0 < len(devices) <= 20, f"{len(devices)} sub-devices")
        readings: list[tuple[Key, str, Any]] = []
        for device in devices:
            key = (device["identity"]["productKey"], device["identity"]["deviceName"])
            if key not in self.online:
                self._reply(topic, number, (520, "device no session"), kind)
                return
            properties = device["properties"]
            turns = properties if kind == "history" else [properties]
            self.expect(isinstance(turns, list) and turns, f"{kind}: {properties}")
            readings += [(key, name, each) for turn in turns for name, each in turn.items()]
        self.expect(0 < len(readings) <= 200, f"{len(readings)} properties")
        names = {name for _, name, _ in readings}
        for name in names:
            self.expect(re.fullmatch(r"\w{1,50}", name, re.ASCII), f"property {name}")
        for name, code in self.code_for.items():
            if name in names:
                self._reply(topic, number, code, kind)
                return
        for key, name, each in readings:
            if (
                self.expect(each.keys() == {"value", "time"}, f"{name}: {each}")
                and name not in self.no_property
            ):
                self.take(key[1], name, each["time"], each["value"])
        lost = dict.fromkeys(sorted(names & self.no_property), "tsl parse: params not exist")
        self._reply(topic, number, (200, "success"), kind, lost)

    def _reply(
        self, topic: str, number: str, code: tuple[int, str], what: str, data: dict[str, Any] | None = None
    ) -> None:
        self.answered.append((what, code[0]))
        said = {"id": number, "code": code[0], "message": code[1], "data": data or {}, "version": "1.0"}
        self.say(f"{topic}_reply", said)


def _sign(secret: str, said: Mapping[str, str], method: str) -> str:
    text = "".join(f"{name}{said[name]}" for name in sorted(said))
    return hmac.new(secret.encode(), text.encode(), METHODS[method.lower()]).hexdigest()
