"""Aliyun IoT Platform, Alink JSON: a gateway logs its sub-devices in, then reports for them in packs.

    thing/topo/add ─► combine/batch_login ─► thing/event/property/pack/post      what is new
     (if asked for)                          thing/event/property/history/post   what is late
                                            thing/event/{gaps}/post             what is missing

Each is answered on its topic with ``_reply`` behind; a message counts as accepted when that says 200, and a
property that 200 names as unknown does not. That names no sub-device: where those that have it are of several
products, each product is asked for alone, and each sub-device where the product's model is not to blame.
A batch of sub-devices is taken as a whole or not at all: after a refusal each is asked for alone. A message
of login is QoS 0, as Aliyun wants it.
Sources: help.aliyun.com, "网关批量上报数据" (200 properties, 20 sub-devices), "子设备上下线" (50 in a batch,
QoS 0, 2,000 online), "管理拓扑关系" (30 in a message), "物模型历史数据上报", "设备端错误码",
"设备属性、事件、服务".
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from config.base import Secret
from config.connections import AliyunForm
from connectors.clock import Clock
from connectors.contract import GapNews
from connectors.mqtt.form import Answer, Heard, Limit, Message, SignIn
from connectors.mqtt.profiles.packs import Cell, Ends, Frame, Limits
from connectors.mqtt.profiles.platform import PlatformForm
from connectors.mqtt.profiles.rows import DeviceRows
from connectors.mqtt.profiles.signin import aliyun, aliyun_sign
from connectors.mqtt.profiles.verdicts import ALIYUN, Reply, Verdict, parse_reply, refused_properties
from connectors.tags import TagTable

MOST_BYTES: Final = 256 * 1024
MOST_DEVICES: Final = 20
MOST_READINGS: Final = 200
MOST_ADDED: Final = 30
MOST_LOGINS: Final = 50
_NOT_IN_MODEL: Final = "tsl parse: params not exist"
"""All sub-devices of a product have one model."""
_NS_PER_MS: Final = 1_000_000
_PACK: Final = "thing/event/property/pack/post"
_HISTORY: Final = "thing/event/property/history/post"
_TOPO: Final = "thing/topo/add"


@dataclass(frozen=True, slots=True)
class _Asked:
    """Sub-devices that wait to be let in."""

    step: Literal["add", "login"]
    devices: Sequence[str]


class Aliyun(PlatformForm):
    """Sub-devices are in `_asked` from their question until its reply."""

    platform = "aliyun"
    truth = (b"0", b"1")
    ids = 2**32
    answers = True

    def __init__(self, options: AliyunForm, tags: TagTable, clock: Clock, *, tls: bool) -> None:
        super().__init__(options.devices, options, tags, clock)
        self._options = options
        self._tls = tls
        at = f"{options.product_key}/{options.device_name}"
        self._topic = f"/sys/{at}"
        self._login = f"/ext/session/{at}/combine/batch_login"
        self._asked: dict[str, _Asked] = {}
        self._pack = Frame(_head("pack", b'{"subDevices":['), b"]}}", self._device, _no_section)
        self._history = Frame(_head("history", b"["), b"]}", self._past_device, _turn)
        events = [] if options.gaps is None else [f"thing/event/{options.gaps}/post"]
        topics = [f"{self._topic}/{each}" for each in (_PACK, _HISTORY, _TOPO, *events)]
        self.subscriptions = tuple(f"{topic}_reply" for topic in (*topics, self._login))

    def sign_in(self, now: int) -> SignIn:
        """Sign in with the time."""
        options = self._options
        secret = options.secret.current()
        for device in options.devices.values():
            device.secret.current()
        found = aliyun(options.product_key, options.device_name, secret, now, tls=self._tls)
        return SignIn(found.username, Secret(found.password), found.client_id)

    def begin(self, limit: Limit) -> Iterable[Message]:
        """Begin a session: let the sub-devices in."""
        self._asked.clear()
        return super().begin(limit)

    def missing(self, gaps: Sequence[GapNews]) -> Iterator[Message]:
        """Yield an event a gap, if the product model has one for it."""
        event = self._options.gaps
        for each in () if event is None else gaps:
            method = f"thing.event.{event}.post"
            rest = {"version": "1.0", "sys": {"ack": 1}, "method": method, "params": self._recorded(each)}
            yield self._event(f"{self._topic}/thing/event/{event}/post", {"id": ""} | rest)

    def heard(self, topic: str, payload: bytes) -> Heard:  # noqa: ARG002  the id tells
        """Learn what became of a message."""
        reply = parse_reply(payload)
        if reply is None:
            return Heard()
        asked = self._asked.pop(reply.id, None)
        if asked is not None:
            return Heard([Answer(reply.id)], list(self._let_in(asked, reply)))
        refused = refused_properties(reply.data) if reply.code == 200 else {}
        return self._judged(reply.id, reply.verdict(ALIYUN), reply.words(), refused)

    def _let_in(self, asked: _Asked, reply: Reply) -> Iterator[Message]:
        verdict = reply.verdict(ALIYUN)
        match verdict:
            case Verdict.ACCEPTED if asked.step == "add":
                yield from self._ask("login", asked.devices, MOST_LOGINS)
            case Verdict.ACCEPTED:
                for device in asked.devices:
                    self._refused.pop(device, None)
            case Verdict.LATER:
                raise self._trouble(verdict, reply.words())
            case _ if len(asked.devices) > 1:
                yield from self._ask(asked.step, asked.devices, 1)
            case _:
                self._refuse(asked.devices[0], reply.words())

    def _admit(self, devices: Sequence[str]) -> Sequence[Message]:
        if self._options.topology == "add":
            return list(self._ask("add", devices, MOST_ADDED))
        return list(self._ask("login", devices, MOST_LOGINS))

    def _ask(self, step: Literal["add", "login"], devices: Sequence[str], most: int) -> Iterator[Message]:
        for i in range(0, len(devices), most):
            some = devices[i : i + most]
            number = self._next_id()
            self._asked[number] = _Asked(step, some)
            signed = [self._signed(each, step) for each in some]
            if step == "add":
                said: Any = {"id": number, "version": "1.0", "method": "thing.topo.add", "params": signed}
                yield Message(f"{self._topic}/{_TOPO}", orjson.dumps(said), reply=number)
            else:
                said = {"id": number, "params": {"deviceList": signed}}
                yield Message(self._login, orjson.dumps(said), reply=number, qos=0)

    def _signed(self, path: str, step: Literal["add", "login"]) -> dict[str, str]:
        device = self._options.devices[path]
        said = {
            "clientId": f"{device.product_key}&{device.device_name}",
            "deviceName": device.device_name,
            "productKey": device.product_key,
            "timestamp": str(self._clock.now() // _NS_PER_MS),
        }
        sign = aliyun_sign(device.secret.get_secret_value(), said)
        if step == "add":
            return said | {"signmethod": "hmacSha256", "sign": sign}
        return said | {"signMethod": "hmacSha256", "sign": sign, "cleanSession": "true"}

    def _written(
        self, devices: Sequence[DeviceRows], *, is_past: bool
    ) -> Iterator[tuple[str, Frame, Iterable[Cell]]]:
        if is_past:
            turns = ((found, turn, each) for found in devices for turn, each in enumerate(found.turns()))
            yield f"{self._topic}/{_HISTORY}", self._history, _cells(turns)
            return
        by_turn: list[list[tuple[DeviceRows, int, list[int]]]] = []
        for found in devices:
            for turn, places in enumerate(found.turns()):
                if turn == len(by_turn):
                    by_turn.append([])
                by_turn[turn].append((found, turn, places))
        for turns_of_devices in by_turn:
            yield f"{self._topic}/{_PACK}", self._pack, _cells(turns_of_devices)

    def _whose(self, device: str, words: str) -> str:
        return self._options.devices[device].product_key if _NOT_IN_MODEL in words else device

    def _limits(self, most_bytes: int) -> Limits:
        bytes_ = min(most_bytes, MOST_BYTES)
        return Limits(bytes_, MOST_DEVICES, MOST_READINGS, MOST_READINGS, MOST_READINGS)

    def _device(self, device: str) -> Ends:
        return self._identity(device) + b',"properties":{', b"}}"

    def _past_device(self, device: str) -> Ends:
        return self._identity(device) + b',"properties":[', b"]}"

    def _identity(self, path: str) -> bytes:
        device = self._options.devices[path]
        named = {"productKey": device.product_key, "deviceName": device.device_name}
        return b'{"identity":' + orjson.dumps(named)


def _head(kind: str, params: bytes) -> Any:
    rest = (
        b'","version":"1.0","sys":{"ack":1},"method":"thing.event.property.%b.post","params":' % kind.encode()
    )
    return lambda number: b'{"id":"' + number.encode() + rest + params


def _no_section(device: str, section: object) -> Ends:  # noqa: ARG001  a pack has none
    return b"", b""


def _turn(device: str, section: object) -> Ends:  # noqa: ARG001  each turn is written alike
    return b"{", b"}"


def _cells(turns: Iterable[tuple[DeviceRows, int, list[int]]]) -> Iterator[Cell]:
    for found, turn, places in turns:
        for i in places:
            text = b'%b:{"value":%b,"time":%d}' % (found.keys[i], found.values[i], found.times[i])
            yield Cell(found.device, turn, text, found.rows[i], found.names[i])
