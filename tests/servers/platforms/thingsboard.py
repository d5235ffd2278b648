"""ThingsBoard's gateway API by its reference: devices by name, created when first heard of."""

from pathlib import Path
from typing import Any

from tests.servers.platforms.door import ACCEPTED, NOT_AUTHORISED, Connect
from tests.servers.platforms.stand_in import Platform

MOST_BYTES = 65_536


class ThingsBoard(Platform):
    """Takes one access token."""

    filters = ("v1/#",)
    levels = (4, 5)

    def __init__(self, directory: Path, token: str) -> None:
        super().__init__(directory)
        self.devices: dict[str, str] = {}
        """Name → profile it was announced with."""
        self._token = token

    def admits(self, connect: Connect) -> int:
        return ACCEPTED if connect.username == self._token else NOT_AUTHORISED

    def hear(self, topic: str, said: Any) -> None:
        match topic, said:
            case "v1/gateway/connect", {"device": str(name), **rest}:
                self.expect(rest.keys() <= {"type"}, f"connect: {rest}")
                self.devices[name] = rest.get("type", "default")
            case "v1/gateway/telemetry", dict():
                self.expect(self.sizes[-1] + len(topic) + 4 <= MOST_BYTES, f"{self.sizes[-1]} bytes")
                for name, series in said.items():
                    self.expect(name in self.devices, f"{name} was not announced")
                    self.expect(isinstance(series, list) and series, f"{name}: {series}")
                    for each in series:
                        self._take(name, each)
            case "v1/devices/me/telemetry", list(series):
                for each in series:
                    match each:
                        case {"ts": int(ms), "values": {"wanglian_gap": dict(record)}} if len(each) == 2:
                            self.expect(10**12 < ms < 10**13, f"{ms} is no time in ms")
                            self.gaps[ms] = record
                        case _:
                            self.fault(f"telemetry of the gateway: {each}")
            case _:
                self.fault(f"{topic}: {said}")

    def _take(self, name: str, each: Any) -> None:
        match each:
            case {"ts": ms, "values": dict(values)} if len(each) == 2 and values:
                for key, value in values.items():
                    self.take(name, key, ms, value)
            case _:
                self.fault(f"telemetry of {name}: {each}")
