"""ThingsBoard's gateway API: telemetry by device name and time.

    v1/gateway/connect    {"device":"m1","type":"default"}
    v1/gateway/telemetry  {"m1":[{"ts":1764…,"values":{"P":1.5,…}},…],…}
    v1/devices/me/telemetry  [{"ts":1764…,"values":{"wanglian_gap":{…}}}]  what is missing

There is no reply: PUBACK is the acceptance. ThingsBoard closes the connection on what it does not take.
Source: thingsboard.io, reference, Gateway API and MQTT Device API (telemetry, values of JSON).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import orjson

from config.connections import ThingsBoardForm
from connectors.clock import Clock
from connectors.contract import Delivery, GapNews
from connectors.mqtt.form import Limit, Message, SignIn
from connectors.mqtt.profiles.packs import Cell, Ends, Frame, Limits
from connectors.mqtt.profiles.platform import GAP, PlatformForm
from connectors.mqtt.profiles.rows import DeviceRows, cells_by_time
from connectors.tags import TagTable

MOST_BYTES: Final = 65_000
"""Its transport takes packets of 65,536 bytes unless set otherwise; some are for topic and header."""
_ANY: Final = 1 << 30
_NS_PER_S: Final = 1_000_000_000


class ThingsBoard(PlatformForm):
    """Devices need no entry: each is called as `devices` says, else by its path."""

    platform = "thingsboard"
    answers = False

    def __init__(self, options: ThingsBoardForm, tags: TagTable, clock: Clock) -> None:
        super().__init__(options.devices, options, tags, clock)
        self._options = options
        self._greeted: set[str] = set()
        self._to_greet: list[str] = []
        self._frame = Frame(lambda _: b"{", b"}", self._device, self._section)

    def sign_in(self, now: int) -> SignIn:  # noqa: ARG002  a token has no time
        """Return the access token as the user name; there is no password."""
        return SignIn(self._options.token.current())

    def begin(self, limit: Limit) -> Iterable[Message]:
        """Begin a session: devices are announced before their first readings."""
        self._greeted.clear()
        return super().begin(limit)

    def missing(self, gaps: Sequence[GapNews]) -> Iterator[Message]:
        """Yield a message a gap; told again it takes its own place."""
        for each in gaps:
            said = [{"ts": _time_of(each), "values": {GAP: each.record}}]
            yield Message("v1/devices/me/telemetry", orjson.dumps(said))

    def _loads(self, deliveries: Sequence[tuple[int, Delivery]], *, is_past: bool) -> Iterator[Message]:
        """Announce devices that are new in this session, then their readings."""
        for message in super()._loads(deliveries, is_past=is_past):
            yield from self._greetings()
            yield message

    def _written(
        self,
        devices: Sequence[DeviceRows],
        *,
        is_past: bool,  # noqa: ARG002  a time says it all
    ) -> Iterator[tuple[str, Frame, Iterable[Cell]]]:
        self._to_greet = [each.device for each in devices if each.device not in self._greeted]
        yield "v1/gateway/telemetry", self._frame, cells_by_time(devices)

    def _greetings(self) -> Iterator[Message]:
        for device in self._to_greet:
            self._greeted.add(device)
            said = {"device": self._named(device), "type": self._options.profile}
            yield Message("v1/gateway/connect", orjson.dumps(said))
        self._to_greet = []

    def _limits(self, most_bytes: int) -> Limits:
        return Limits(min(most_bytes, MOST_BYTES), _ANY, _ANY, _ANY, _ANY)

    def _why_not(self, device: str) -> str:  # noqa: ARG002  any device may be told
        return ""

    def _named(self, device: str) -> str:
        return self._options.devices.get(device, device)

    def _device(self, device: str) -> Ends:
        return orjson.dumps(self._named(device)) + b":[", b"]"

    def _section(self, device: str, section: Any) -> Ends:  # noqa: ARG002  the time is the whole of it
        return b'{"ts":%d,"values":{' % section[0], b"}}"


def _time_of(news: GapNews) -> int:
    """Return the second a gap was noted in and, in the place of its milliseconds, which gap it is."""
    return int(news.record["noted"]) // _NS_PER_S * 1000 + int(news.record["gap"]) % 1000
