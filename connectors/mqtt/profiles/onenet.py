"""China Mobile OneNET, OneJSON: a gateway reports for its sub-devices.

    $sys/{pid}/{gw}/thing/sub/login      {"id":"1","version":"1.0","params":{"productID":…,"deviceName":…}}
    $sys/{pid}/{gw}/thing/pack/post      [{"identity":{…},"properties":{"P":{"value":1.5,"time":1764…}}}]
    $sys/{pid}/{gw}/thing/history/post   the same with lists, for what is late
    $sys/{pid}/{gw}/thing/event/post     {"id":…,"params":{event:{"value":{"record":…},…}}}, what is missing

Each is answered on its topic with ``/reply`` behind. Sources: the token, open.iot.10086.cn, "token 算法"; all
else from copies of OneNET Studio's documents, OneJSON (10 sub-devices, 100 readings each, 100 a property in a
history) and its status codes. Not tried on the platform: `wanglian check` says so.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import orjson

from config.base import Secret
from config.connections import OneNetForm
from connectors.clock import Clock
from connectors.contract import GapNews
from connectors.errors import NotConnected
from connectors.mqtt.form import Answer, Heard, Limit, Message, SignIn
from connectors.mqtt.profiles.packs import Cell, Ends, Frame, Limits
from connectors.mqtt.profiles.platform import PlatformForm
from connectors.mqtt.profiles.rows import DeviceRows
from connectors.mqtt.profiles.signin import onenet
from connectors.mqtt.profiles.verdicts import ONENET, Verdict, parse_reply
from connectors.tags import TagTable

MOST_BYTES: Final = 64 * 1024
"""Not found in print; the smallest of the other platforms' limits."""
MOST_DEVICES: Final = 10
MOST_READINGS: Final = 100
_ANY: Final = 1 << 30
_NS_PER_S: Final = 1_000_000_000
_EARLY: Final = 20
"""A session is renewed when a twentieth of its token's time is left."""


class OneNet(PlatformForm):
    """A sub-device is logged in alone: the platform knows no batch."""

    platform = "onenet"
    answers = True

    def __init__(self, options: OneNetForm, tags: TagTable, clock: Clock) -> None:
        super().__init__(options.devices, options, tags, clock)
        self._options = options
        self._topic = f"$sys/{options.product_id}/{options.device_name}/thing"
        self._asked: dict[str, str] = {}
        self._renew_at = 0
        self._pack = Frame(_head, b"]}", self._device, _no_section)
        self._history = Frame(_head, b"]}", self._device, _by_name)
        events = () if options.gaps is None else ("event/post",)
        self.subscriptions = tuple(
            f"{self._topic}/{each}/reply" for each in ("sub/login", "pack/post", "history/post", *events)
        )

    def sign_in(self, now: int) -> SignIn:
        """Sign in with a token that ends.

        Raises:
            NotConnected: the key is none.
        """
        options = self._options
        valid = options.token_valid
        self._renew_at = self._clock.monotonic() + valid - valid // _EARLY
        key = options.key.current()
        try:
            found = onenet(options.product_id, options.device_name, key, (now + valid) // _NS_PER_S)
        except ValueError as exc:  # at check it was; the file has changed since
            raise NotConnected("the device key is not base64", needs_a_person=True) from exc
        return SignIn(found.username, Secret(found.password), found.client_id)

    def begin(self, limit: Limit) -> Iterable[Message]:
        """Begin a session: log the sub-devices in."""
        self._asked.clear()
        return super().begin(limit)

    def due(self, now: int) -> Iterable[Message]:
        """End the session before its token does.

        Raises:
            NotConnected: it is time to sign in anew.
        """
        if now >= self._renew_at:
            raise NotConnected("the token ends soon: signing in anew")
        return super().due(now)

    def missing(self, gaps: Sequence[GapNews]) -> Iterator[Message]:
        """Yield an event a gap, if the thing model has one for it."""
        event = self._options.gaps
        for each in () if event is None else gaps:
            said = {"id": "", "version": "1.0", "params": {event: self._recorded(each)}}
            yield self._event(f"{self._topic}/event/post", said)

    def heard(self, topic: str, payload: bytes) -> Heard:  # noqa: ARG002  the id tells
        """Learn what became of a message."""
        reply = parse_reply(payload)
        if reply is None:
            return Heard()
        verdict = reply.verdict(ONENET)
        device = self._asked.pop(reply.id, None)
        if device is None:
            return self._judged(reply.id, verdict, reply.words(), {})
        match verdict:
            case Verdict.ACCEPTED:
                self._refused.pop(device, None)
            case Verdict.LATER:
                raise self._trouble(verdict, reply.words())
            case _:
                self._refuse(device, reply.words())
        return Heard([Answer(reply.id)])

    def _admit(self, devices: Sequence[str]) -> Sequence[Message]:
        return list(self._logins(devices))

    def _logins(self, devices: Sequence[str]) -> Iterator[Message]:
        for path in devices:
            number = self._next_id()
            self._asked[number] = path
            said = {"id": number, "version": "1.0", "params": self._identity(path)}
            yield Message(f"{self._topic}/sub/login", orjson.dumps(said), reply=number)

    def _written(
        self, devices: Sequence[DeviceRows], *, is_past: bool
    ) -> Iterator[tuple[str, Frame, Iterable[Cell]]]:
        if is_past:
            yield f"{self._topic}/history/post", self._history, _past_cells(devices)
            return
        turns = [(found, found.turns()) for found in devices]
        for turn in range(max((len(of_device) for _, of_device in turns), default=0)):
            places = [(found, of_device[turn]) for found, of_device in turns if turn < len(of_device)]
            yield f"{self._topic}/pack/post", self._pack, _turn_cells(places, turn)

    def _limits(self, most_bytes: int) -> Limits:
        return Limits(min(most_bytes, MOST_BYTES), MOST_DEVICES, _ANY, MOST_READINGS, MOST_READINGS)

    def _device(self, device: str) -> Ends:
        return b'{"identity":' + orjson.dumps(self._identity(device)) + b',"properties":{', b"}}"

    def _identity(self, path: str) -> dict[str, str]:
        device = self._options.devices[path]
        return {"productID": device.product_id, "deviceName": device.device_name}


def _head(number: str) -> bytes:
    return b'{"id":"%b","version":"1.0","params":[' % number.encode()


def _no_section(device: str, section: object) -> Ends:  # noqa: ARG001  a pack has none
    return b"", b""


def _by_name(device: str, section: object) -> Ends:  # noqa: ARG001  a property's readings in a list
    return orjson.dumps(section) + b":[", b"]"


def _turn_cells(devices: Iterable[tuple[DeviceRows, list[int]]], turn: int) -> Iterator[Cell]:
    for found, places in devices:
        for i in places:
            text = b"%b:%b" % (found.keys[i], _reading(found, i))
            yield Cell(found.device, turn, text, found.rows[i], found.names[i])


def _past_cells(devices: Sequence[DeviceRows]) -> Iterator[Cell]:
    for found in devices:
        by_name: dict[str, list[int]] = {}
        for i, name in enumerate(found.names):
            by_name.setdefault(name, []).append(i)
        for name, places in by_name.items():
            for i in places:
                yield Cell(found.device, name, _reading(found, i), found.rows[i], name)


def _reading(found: DeviceRows, i: int) -> bytes:
    return b'{"value":%b,"time":%d}' % (found.values[i], found.times[i])
