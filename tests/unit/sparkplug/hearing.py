"""A host without a broker: messages in, rows and wishes out."""

from dataclasses import dataclass, field
from typing import Any

from config.connections import SparkplugSource
from connectors import TagTable
from connectors.broker.rows import Rows
from connectors.quality import name as quality_name
from connectors.sparkplug.counts import Statistics
from connectors.sparkplug.guard import Guard
from connectors.sparkplug.naming import Naming, Origin
from connectors.sparkplug.node import Node
from connectors.sparkplug.payload import parse
from connectors.sparkplug.readings import Readings
from connectors.sparkplug.said import Said
from connectors.sparkplug.topics import parse_topic
from gateway.lab.sparkplug import Message

S = 1_000_000_000
WALL = 1_790_000_000 * S
MS = WALL // 1_000_000
Row = tuple[str, Any, str]
"""Path below the site's group and node, value (None where Bad), quality."""


@dataclass
class Hearing:
    """One edge node plant/press as a host hears it."""

    nodes: list[dict[str, Any]] = field(default_factory=lambda: [{}])
    max_tags: int = 20_000
    room: int = 1 << 20
    now: int = 0
    wishes: int = 0
    table: TagTable = field(default_factory=TagTable)
    owners: dict[str, Origin] = field(default_factory=dict)

    def __post_init__(self) -> None:
        options = SparkplugSource.model_validate(
            {"kind": "sparkplug", "host": "h", "nodes": self.nodes, "max_tags": self.max_tags}
        )
        self.counts = Statistics()
        self.naming = Naming(
            "in", options, site="s", tags=self.table, statistics=self.counts, owners=self.owners
        )
        self.naming.announce_known()
        self.readings = Readings(self.naming, self.counts)
        self.node = Node(
            "plant",
            "press",
            readings=self.readings,
            statistics=self.counts,
            ask=self._wish,
            has_room=lambda size: self.guard.waiting + size <= self.room,
            reorder=2 * S,
        )
        self.guard = Guard(self.node)

    def _wish(self) -> None:
        self.wishes += 1

    @property
    def arrival(self) -> int:
        return WALL + self.now

    def hear(self, *messages: Message) -> list[Row]:
        """Hear messages; return the live rows that came of it."""
        self.rows()
        self.hear_only(*messages)
        return self.rows()

    def hear_only(self, *messages: Message) -> None:
        for topic, payload in messages:
            address = parse_topic(topic)
            assert address is not None
            said = Said(address.kind, address.device, parse(payload), len(payload), self.arrival)
            self.guard.hear(said, self.now)

    def wait(self, seconds: float) -> list[Row]:
        """Let time pass."""
        until = self.now + int(seconds * S)
        while (at := self.guard.next_at()) is not None and at <= until:
            self.now = at
            self.guard.tick(at, WALL + at)
        self.now = until
        return self.rows()

    def rows(self, *, history: bool = False) -> list[Row]:
        """Return what was gathered since."""
        kept = self.readings.history if history else self.readings.live
        if history:
            self.readings.history = Rows()
        else:
            self.readings.live = Rows()
        found = []
        for part in kept.batch(0, 0).parts if len(kept) else ():  # type: ignore[arg-type]
            for number, value, quality in zip(
                part.tag.tolist(), part.value.tolist(), part.quality.tolist(), strict=True
            ):
                path = self.table[number].path.removeprefix("s/plant/press/")
                found.append((path, None if quality >= 0x80000000 else value, quality_name(quality)))
        return found
