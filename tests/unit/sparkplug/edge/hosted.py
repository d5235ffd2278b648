"""An edge node without a broker, and a host that follows it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.connections import SparkplugSink
from connectors import (
    DTYPE_OF_PART,
    PART_OF_KIND,
    Batch,
    Columns,
    Context,
    Delivery,
    Epoch,
    Kind,
    Tag,
    TagTable,
)
from connectors.sparkplug.edge.counts import Statistics
from connectors.sparkplug.edge.layout import Layouts
from connectors.sparkplug.edge.naming import DeviceIds
from connectors.sparkplug.edge.node import EdgeNode, NotYet
from connectors.sparkplug.edge.wire import varint
from tests.conftest import FakeClock
from tests.verify.sparkplug import Follower

T0 = 1_790_000_000_000_000_000
MS = 1_000_000
GONE = 0x80310000
LOST = 0x809D0000
Row = tuple[str, int, Any, int]
"""Path below ``s/a/l``, time in ms behind T0, value, quality."""


class Newest:
    """The newest row of every tag."""

    def __init__(self, tags: TagTable) -> None:
        self._tags = tags
        self.rows: dict[int, tuple[int, Any, int]] = {}

    def last(self, tags: NDArray[np.int32]) -> Sequence[Columns]:
        found = []
        for part, dtype in DTYPE_OF_PART.items():
            mine = [
                number
                for number in tags.tolist()
                if number in self.rows and PART_OF_KIND[self._tags[number].kind] == part
            ]
            if mine:
                time, value, quality = zip(*(self.rows[number] for number in mine), strict=True)
                column = np.empty(len(mine), dtype)
                column[:] = value
                found.append(
                    Columns(
                        np.array(mine, np.int32),
                        np.array(time, np.int64),
                        column,
                        np.array(quality, np.uint32),
                    )
                )
        return found


@dataclass
class Hosted:
    """An edge node, its tags, and the host."""

    tags: TagTable = field(default_factory=TagTable)
    clock: FakeClock = field(default_factory=lambda: FakeClock(T0))
    host: Follower = field(default_factory=Follower)
    sent: list[tuple[str, str]] = field(default_factory=list)
    """Type and device of each message."""
    device: str = "{device}"
    max_message: int = 1 << 20
    selects: Callable[[NDArray[np.int32]], NDArray[np.bool_]] = lambda tags: np.ones(len(tags), np.bool_)

    def __post_init__(self) -> None:
        self.newest = Newest(self.tags)
        self.counts = Statistics()
        self.seqs = 0
        self.kept: dict[str, Any] = {}
        self._seq = 0
        self.begin(0)

    def begin(self, bd_seq: int) -> None:
        """Begin a session; it is born by `be_born`."""
        options = SparkplugSink.model_validate(
            {"kind": "sparkplug", "host": "h", "group": "g", "device": self.device}
        )
        context = Context(
            "node", self.tags, self.clock, last=self.newest, selects=self.selects, kept=self.kept
        )
        ids = DeviceIds(options, self.tags)
        self.layouts = Layouts(self.tags)
        self.node = EdgeNode(context, ids, self._say, bd_seq=bd_seq, statistics=self.counts)

    def announce(self, *paths: str, kind: Kind = Kind.FLOAT64, unit: str = "KWT") -> list[int]:
        """Announce tags of one kind; return their numbers."""
        return self.tags.announce([Tag(f"s/a/l/{path}", kind, unit, "src") for path in paths]).tolist()

    def be_born(self) -> None:
        self._seq = 0
        self.node.be_born()

    def delivery(self, rows: Sequence[Row], *, historical: bool = False, known: bool = True) -> Delivery:
        """Return a stored batch of these rows, arrived now; `known`: the newest values have heard of it."""
        numbered = []
        for path, ms, value, quality in rows:
            number = self.tags.number(f"s/a/l/{path}")
            assert number is not None
            numbered.append((number, T0 + ms * MS, value, quality))
            if known and not historical:
                self.newest.rows[number] = (T0 + ms * MS, value, quality)
        parts = []
        for part, dtype in DTYPE_OF_PART.items():
            mine = [row for row in numbered if PART_OF_KIND[self.tags[row[0]].kind] == part]
            if mine:
                tag, time, value, quality = zip(*mine, strict=True)
                column = np.empty(len(mine), dtype)
                column[:] = value
                parts.append(
                    Columns(
                        np.array(tag, np.int32),
                        np.array(time, np.int64),
                        column,
                        np.array(quality, np.uint32),
                    )
                )
        self.seqs += 1
        return Delivery(Batch(tuple(parts), self.clock.now()), Epoch(1, 1), self.seqs, historical)

    def tell(self, delivery: Delivery) -> list[int]:
        """Have the node say a delivery, waiting where it must; return the rows that are too large."""
        too_large: list[int] = []
        for share in self.layouts.shares(delivery.batch.parts):
            while True:
                try:
                    found = self.node.tell(share, delivery, lambda _: self.max_message)
                except NotYet as exc:
                    self.clock.move(exc.wait_s)
                else:
                    break
            too_large += [int(row) for rows in found for row in rows]
        return too_large

    def read(self, *rows: Row, historical: bool = False) -> list[int]:
        """Have rows read, stored and delivered."""
        return self.tell(self.delivery(rows, historical=historical))

    def wait(self, seconds: float) -> None:
        self.clock.move(seconds)
        self.node.tick(self.clock.monotonic())

    def kinds(self) -> list[tuple[str, str]]:
        """Return what was sent since this was asked last."""
        sent, self.sent = self.sent, []
        return sent

    def _say(self, kind: str, device: str, payload: bytes) -> None:
        self.sent.append((kind, device))
        topic = f"spBv1.0/g/{kind}/node" + (f"/{device}" if device else "")
        self.host.take(topic, payload + b"\x18" + varint(self._seq))
        self._seq = (self._seq + 1) & 0xFF
