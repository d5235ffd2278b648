"""A Sparkplug B edge node by script: births, data, deaths as the specification has them, or out of order."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from gateway.lab.sparkplug_payload import DOUBLE, INT64, Metric, Value, datatype, fields, payload

Kind = Literal["NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"]
Message = tuple[str, bytes]
"""Topic and payload."""


@dataclass(slots=True)
class EdgeNode:
    """Builds the messages of one edge node in order; the faults are methods that leave the order."""

    group: str
    node: str
    metrics: dict[str, Value]
    """What it has, by name; aliases are their places from `first_alias`."""
    bd_seq: int = 0
    seq: int = field(default=0)
    first_alias: int = 0
    """Large ones take ten bytes."""
    devices: dict[str, dict[str, Value]] = field(default_factory=dict)
    """What its devices have; their aliases go on where the node's own end, 1,000 apart."""

    def topic(self, kind: Kind, device: str | None = None) -> str:
        """Return where a message of this kind goes."""
        return f"spBv1.0/{self.group}/{kind}/{self.node}" + (f"/{device}" if device else "")

    def death(self, now: int) -> Message:
        """Return the will: what the broker sends when the node is gone."""
        return self.topic("NDEATH"), payload([Metric(self.bd_seq, INT64, "bdSeq")], now, None)

    def birth(self, now: int) -> Message:
        """Return the birth, which begins a sequence: every metric with its name and its alias."""
        self.seq = 0
        said = [Metric(self.bd_seq, INT64, "bdSeq"), *self._named(None, now)]
        return self.topic("NBIRTH"), payload(said, now, self._next())

    def data(self, changed: dict[str, Value], now: int, *, historical: bool = False) -> Message:
        """Return changes, by alias alone."""
        return self.topic("NDATA"), self._changes(None, changed, now, historical=historical)

    def device_birth(self, device: str, now: int) -> Message:
        """Return a device's birth."""
        return self.topic("DBIRTH", device), payload(self._named(device, now), now, self._next())

    def device_data(
        self, device: str, changed: dict[str, Value], now: int, *, historical: bool = False
    ) -> Message:
        """Return changes of a device, by alias alone."""
        return self.topic("DDATA", device), self._changes(device, changed, now, historical=historical)

    def device_death(self, device: str, now: int) -> Message:
        """Return a device's death."""
        return self.topic("DDEATH", device), payload([], now, self._next())

    def births(self, now: int) -> list[Message]:
        """Return the births of node and devices, as a rebirth request is answered."""
        return [self.birth(now), *(self.device_birth(device, now) for device in self.devices)]

    def skip(self, count: int = 1) -> None:
        """Lose messages: their numbers are used up."""
        self.seq = (self.seq + count) % 256

    def unknown_alias(self, now: int) -> Message:
        """Return data of an alias no birth has named."""
        return self.topic("NDATA"), payload([Metric(1.5, DOUBLE, alias=9999)], now, self._next())

    def late_death(self, now: int) -> Message:
        """Return the death of the session before this one, as a broker sends it behind the new birth."""
        last = (self.bd_seq - 1) % 256
        return self.topic("NDEATH"), payload([Metric(last, INT64, "bdSeq")], now, None)

    def early_death(self, now: int) -> Message:
        """Return the death of the session after this one, which has overtaken its birth."""
        following = (self.bd_seq + 1) % 256
        return self.topic("NDEATH"), payload([Metric(following, INT64, "bdSeq")], now, None)

    def reborn(self, now: int) -> Message:
        """Begin another session and return its birth."""
        self.bd_seq = (self.bd_seq + 1) % 256
        return self.birth(now)

    def _held(self, device: str | None) -> dict[str, Value]:
        return self.metrics if device is None else self.devices[device]

    def _aliases(self, device: str | None) -> dict[str, int]:
        first = self.first_alias
        if device is not None:
            first += 1_000 * (1 + list(self.devices).index(device))
        return {name: first + i for i, name in enumerate(self._held(device))}

    def _named(self, device: str | None, now: int) -> list[Metric]:
        aliases = self._aliases(device)
        return [
            Metric(value, datatype(value), name, aliases[name], now)
            for name, value in self._held(device).items()
        ]

    def _changes(self, device: str | None, changed: dict[str, Value], now: int, *, historical: bool) -> bytes:
        self._held(device).update(changed)
        aliases = self._aliases(device)
        said = [
            Metric(value, datatype(value), alias=aliases[name], timestamp=now, is_historical=historical)
            for name, value in changed.items()
        ]
        return payload(said, now, self._next())

    def _next(self) -> int:
        now, self.seq = self.seq, (self.seq + 1) % 256
        return now


def is_rebirth_request(data: bytes) -> bool:
    """Tell whether a command is the one that asks for births: one metric, its name, and true."""
    metrics = [value for number, value in fields(data) if number == 2]
    if len(metrics) != 1 or not isinstance(metrics[0], bytes):
        return False
    said = dict(fields(metrics[0]))
    return (said.get(1), said.get(14)) == (b"Node Control/Rebirth", 1)


ORDERS: Final = {
    "in order": ("birth", "data", "data"),
    "data before birth": ("data", "birth", "data"),
    "a number missing": ("birth", "data", "skip", "data"),
    "an alias nobody named": ("birth", "unknown_alias", "data"),
    "a late death": ("birth", "reborn", "late_death", "data"),
    "a death that overtook its birth": ("birth", "early_death", "reborn"),
    "born twice": ("birth", "data", "birth", "data"),
}
"""What a host must come through; each word is a method of `EdgeNode`."""


def played(node: EdgeNode, order: Iterable[str], now: int) -> list[Message]:
    """Return the messages of an order, a second apart; every `data` raises each float metric by one."""
    said = []
    for step in order:
        now += 1000
        if step == "data":
            floats = {name: v + 1 for name, v in node.metrics.items() if isinstance(v, float)}
            said.append(node.data(dict(floats), now))
        elif step == "skip":
            node.skip()
        else:
            said.append(getattr(node, step)(now))
    return said
