"""Huawei Cloud IoTDA: a gateway reports for its sub-devices.

    $oc/devices/{gw}/sys/gateway/sub_devices/properties/report
        {"devices":[{"device_id":"d1","services":[{"service_id":"meter","properties":{"P":1.5},
         "event_time":"2026-11-29T08:00:00.000Z"}]}]}

    $oc/devices/{gw}/sys/messages/up
        {"name":"wanglian_gap","id":"3-9f86d081884c7d65-17-40","content":{…}}   what is missing

A report gets no reply: PUBACK is the acceptance. Which sub-devices IoTDA knows it tells when they are said to
be online, at the beginning of a session; the rows of others would vanish without a word.
IoTDA knows neither a will nor retained messages. Sources: support.huaweicloud.com, API reference, device-side
MQTT: 3006 (report), 3016 (message, its id its own), 3022 and 30233
(status of sub-devices), 3009 (CONNECT); usage limits: 50 messages/s and
1 MB/s a connection.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from config.base import Secret
from config.connections import HuaweiForm
from connectors.clock import Clock
from connectors.contract import GapNews
from connectors.mqtt.form import Answer, Heard, Limit, Message, SignIn
from connectors.mqtt.profiles.packs import Cell, Ends, Frame, Limits
from connectors.mqtt.profiles.platform import GAP, PlatformForm
from connectors.mqtt.profiles.rows import DeviceRows, cells_by_time
from connectors.mqtt.profiles.signin import huawei
from connectors.tags import TagTable

MOST_BYTES: Final = 64 * 1024
MOST_DEVICES: Final = 100
_ANY: Final = 1 << 30


class Huawei(PlatformForm):
    """The answers to the status of sub-devices come without the question's id: one is asked at a time."""

    platform = "huawei_iotda"
    answers = False
    most_rate = 50

    def __init__(self, options: HuaweiForm, tags: TagTable, clock: Clock) -> None:
        super().__init__(options.devices, options, tags, clock)
        self._options = options
        self._topic = f"$oc/devices/{options.device_id}/sys"
        self._paths = {each.device_id: path for path, each in options.devices.items()}
        self._frame = Frame(lambda _: b'{"devices":[', b"]}", self._device, self._section)
        self.subscriptions = (f"{self._topic}/events/down",) if options.announce else ()
        self._waiting: list[list[str]] = []
        """Batches of sub-devices whose answer is not there; the first is asked for."""
        self._asked = ""

    def sign_in(self, now: int) -> SignIn:
        """Sign in with the hour."""
        found = huawei(self._options.device_id, self._options.secret.current(), now)
        return SignIn(found.username, Secret(found.password), found.client_id)

    def begin(self, limit: Limit) -> Iterable[Message]:
        """Begin a session: say that the sub-devices are online."""
        self._waiting.clear()
        self._asked = ""
        return super().begin(limit)

    def missing(self, gaps: Sequence[GapNews]) -> Iterator[Message]:
        """Yield a message a gap: it is passed on as it is, no product model has to know it."""
        for each in gaps:
            said = {"name": GAP, "id": f"{each.id}-{each.revision}", "content": each.record}
            yield Message(f"{self._topic}/messages/up", orjson.dumps(said))

    def heard(self, topic: str, payload: bytes) -> Heard:  # noqa: ARG002  there is one
        """Learn which sub-devices IoTDA knows."""
        said = _statuses(payload)
        if said is None or not self._waiting:
            return Heard()
        good, bad = said
        batch = self._waiting[0]
        if not any(self._options.devices[each].device_id in {*good, *bad} for each in batch):
            return Heard()
        answer = Answer(self._asked)
        self._waiting.pop(0)
        for device_id, words in bad.items():
            path = self._paths.get(device_id)
            if path is not None:
                self._refuse(path, words)
        for device_id in good:
            self._refused.pop(self._paths.get(device_id, ""), None)
        return Heard([answer], self._ask())

    def _admit(self, devices: Sequence[str]) -> Sequence[Message]:
        if not self._options.announce:
            return ()
        was_idle = not self._waiting
        self._waiting += [list(devices[i : i + MOST_DEVICES]) for i in range(0, len(devices), MOST_DEVICES)]
        return self._ask() if was_idle else ()

    def _ask(self) -> Sequence[Message]:
        if not self._waiting:
            return ()
        self._asked = self._next_id()
        ids = [self._options.devices[each].device_id for each in self._waiting[0]]
        said = {
            "object_device_id": self._options.device_id,
            "services": [
                {
                    "service_id": "$sub_device_manager",
                    "event_type": "sub_device_update_status",
                    "event_time": _time(self._clock.now() // 1_000_000),
                    "paras": {"device_statuses": [{"device_id": each, "status": "ONLINE"} for each in ids]},
                }
            ],
        }
        return [Message(f"{self._topic}/events/up", orjson.dumps(said), reply=self._asked)]

    def _written(
        self,
        devices: Sequence[DeviceRows],
        *,
        is_past: bool,  # noqa: ARG002  a time says it all
    ) -> Iterator[tuple[str, Frame, Iterable[Cell]]]:
        topic = f"{self._topic}/gateway/sub_devices/properties/report"
        yield topic, self._frame, cells_by_time(devices)

    def _limits(self, most_bytes: int) -> Limits:
        return Limits(min(most_bytes, MOST_BYTES), MOST_DEVICES, _ANY, _ANY, _ANY)

    def _device(self, device: str) -> Ends:
        name = orjson.dumps(self._options.devices[device].device_id)
        return b'{"device_id":' + name + b',"services":[', b"]}"

    def _section(self, device: str, section: Any) -> Ends:
        service = orjson.dumps(self._options.devices[device].service or self._options.service)
        end = b'},"event_time":"' + _time(section[0]).encode() + b'"}'
        return b'{"service_id":' + service + b',"properties":{', end


def _time(ms: int) -> str:
    """Return the form with milliseconds, ``yyyy-MM-dd'T'HH:mm:ss.SSS'Z'``."""
    seconds, rest = divmod(ms, 1000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:03d}Z"


def _statuses(payload: bytes) -> tuple[set[str], dict[str, str]] | None:
    """Return the sub-devices that were taken and those that were not, with why."""
    try:
        said = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    good: set[str] = set()
    bad: dict[str, str] = {}
    services = said.get("services") if isinstance(said, dict) else None
    for service in services if isinstance(services, list) else ():
        match service:
            case {"event_type": "sub_device_update_status_response", "paras": dict(paras)}:
                for each in paras.get("successful_devices") or ():
                    match each:
                        case {"device_id": str(device_id)}:
                            good.add(device_id)
                for each in paras.get("failed_devices") or ():
                    match each:
                        case {"device_id": str(device_id)}:
                            words = f"{each.get('error_code', '')} {each.get('error_msg', '')}"
                            bad[device_id] = words.strip()[:200]
    return (good, bad) if good or bad else None
