"""The Sparkplug source: a host application that hears edge nodes and stores what they say.

Data come with QoS 0: a broker keeps none of them for us, and what was on its way when we ended is lost. What
can be kept is kept by the nodes: one whose primary host we are stores its data while our STATE is offline,
and sends them later, marked historical. So STATE is online only while the store takes what comes.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

import orjson
from paho.mqtt.client import MQTTMessage

from config.connections import SparkplugSource
from connectors.batch import Batch, Origin
from connectors.broker.feed import without_covered
from connectors.broker.reader import GRACE_S, TURN, TURN_BYTES, Reader
from connectors.broker.refusals import Refusals
from connectors.broker.rows import Rows
from connectors.clock import Clock
from connectors.sparkplug.counts import Statistics
from connectors.sparkplug.guard import Guard
from connectors.sparkplug.host import HostFeed
from connectors.sparkplug.naming import Naming
from connectors.sparkplug.node import Node
from connectors.sparkplug.payload import Malformed, parse
from connectors.sparkplug.readings import Readings
from connectors.sparkplug.rebirths import Rebirths, Who
from connectors.sparkplug.said import Said
from connectors.sparkplug.topics import Address, filters, parse_topic, state_topic
from connectors.tags import TagTable

_MOST_NODES: Final = 10_000
_MOST_WAITING: Final = 16 * 2**20
"""Bytes of all messages that wait for others."""
_SETTLING_NS: Final = 500_000_000
"""Nodes that have us as their primary host are born by themselves after STATE; nobody is asked before."""
_CORRECT_EVERY_NS: Final = 1_000_000_000
"""STATE is said again at most so often: two hosts with one id must not play ping-pong."""


class Sparkplug(Reader[int]):
    """Say STATE, listen, ask for births."""

    def __init__(
        self,
        name: str,
        options: SparkplugSource,
        *,
        gateway: str,
        site: str,
        tags: TagTable,
        clock: Clock,
        kept: dict[str, Any],
    ) -> None:
        super().__init__(options)
        self._options = options
        self._clock = clock
        self._client_id = options.client_id or f"wanglian-in-{gateway}-{name}"
        self._host_id: str | None = options.host_id or gateway
        self._filters = without_covered(_filters(options))
        self._statistics = Statistics()
        self._refusals = Refusals(self._statistics, clock)
        self._naming = Naming(
            name,
            options,
            site=site,
            tags=tags,
            statistics=self._statistics,
            owners=kept.setdefault("owners", {}),
        )
        self._readings = Readings(self._naming, self._statistics)
        self._nodes: dict[Who, Guard] = {}
        self._waiting = 0
        self._due: dict[Who, int] = {}
        """When a node's `tick` has something to do."""
        self._rebirths: Rebirths = kept.setdefault("rebirths", Rebirths())
        self._state_free_at = 0

    async def __aenter__(self) -> Self:
        """Announce the tags that are known, connect, subscribe, say STATE."""
        self._naming.announce_known()
        self._host = HostFeed(
            self._options,
            client_id=self._client_id,
            filters=self._filters,
            subscriber=self,
            clock=self._clock,
            host_id=self._host_id,
        )
        await self._open(self._host)
        self._host.tell_online()
        self._rebirths.begin(self._clock.monotonic() + _SETTLING_NS)
        for entry in self._options.nodes:
            if "+" not in (entry.group, entry.node):
                self._rebirths.want((entry.group, entry.node))
        return self

    async def listen(self, seconds: float) -> Batch | None:
        """Return what came within this time; not as a host: it asks for births, but says no STATE."""
        self._client_id, self._host_id = f"{self._client_id}-{os.getpid()}", None
        async with self:
            await self._take_in(seconds)
            return self._batch() if self._gathered() else None

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Say that we go, and close; after a fault the broker says it."""
        if self._lost is None:
            await self._host.tell_offline(GRACE_S)
        await self._feed.hang_up(GRACE_S, politely=self._lost is None)

    def statistics(self) -> dict[str, int]:
        """Return the counts of this session."""
        return asdict(self._statistics)

    def _gathered(self) -> int:
        return len(self._readings.live) + len(self._readings.history)

    def _batch(self) -> Batch:
        """Return what nodes had kept, if there is any, or what is new: each has batches of its own."""
        readings = self._readings
        if len(readings.history):
            rows, readings.history = readings.history, Rows()
            return rows.batch(self._clock.now(), Origin.BACKFILL)
        rows, readings.live = readings.live, Rows()
        return rows.batch(self._clock.now(), Origin.LIVE)

    def _acknowledge(self, entries: list[int]) -> None:
        self._feed.ack(entries)
        self._statistics.acks += len(entries)

    async def _arrival(self) -> None:
        """Wait too until something is due: a node's patience, a request."""
        at = min((*self._due.values(), *_known(self._rebirths.next_at())), default=None)
        if at is None:
            await super()._arrival()
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, (at - self._clock.monotonic()) / 1e9)):
                await super()._arrival()

    def _take(self) -> int:
        self._tick()
        arrivals = self._feed.take(TURN, TURN_BYTES)
        for message, arrived in arrivals:
            self._statistics.messages += 1
            self._statistics.bytes += len(message.payload)
            if message.qos:
                self._entries.append(message.mid)
                self._in_doubt += 1
            self._handle(message, arrived)
        return len(arrivals)

    def _tick(self) -> None:
        now = self._clock.monotonic()
        for who in [who for who, at in self._due.items() if at <= now]:
            self._with(who, lambda node: node.tick(now, self._clock.now()))
        for group, node in self._rebirths.due(now):
            self._statistics.rebirths_requested += 1
            self._host.ask_rebirth(group, node)
            if (group, node) in self._nodes:  # not one that is named and was never heard
                self._with((group, node), lambda node: node.asked(now))

    def _handle(self, message: MQTTMessage, arrived: int) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        if self._host_id is not None and topic == state_topic(self._host_id):
            self._hear_state(message.payload)
            return
        address = parse_topic(topic)
        if address is None or message.retain:  # births and data are never retained (specification 6.4.19)
            self._refusals.tell("unmatched", topic, message.payload)
        elif len(message.payload) > self._options.max_payload:
            self._refusals.tell("too_large", topic, message.payload)
        else:
            self._hear(address, topic, message.payload, arrived)

    def _hear(self, address: Address, topic: str, payload: bytes | bytearray, arrived: int) -> None:
        who = (address.group, address.node)
        try:
            said = Said(address.kind, address.device, parse(payload), len(payload), arrived)
        except Malformed as exc:
            self._refusals.tell("malformed", topic, payload, str(exc))
            return
        if who not in self._nodes:
            if len(self._nodes) >= _MOST_NODES:
                self._refusals.tell("over_limit", topic, payload)
                return
            self._nodes[who] = Guard(
                Node(
                    *who,
                    readings=self._readings,
                    statistics=self._statistics,
                    ask=partial(self._rebirths.want, who),
                    has_room=self._has_room,
                    reorder=self._options.reorder,
                )
            )
        now = self._clock.monotonic()
        node = self._with(who, lambda node: node.hear(said, now))
        if said.kind == "NBIRTH" and node.is_sure:
            self._rebirths.born(who)

    def _with(self, who: Who, do: Callable[[Guard], None]) -> Guard:
        """Let a node do something; note what waits with it, and until when."""
        node = self._nodes[who]
        before, was_sure = node.waiting, node.is_sure
        do(node)
        if node.is_contested or (node.is_sure and not was_sure):
            self._rebirths.born(who)
        self._waiting += node.waiting - before
        at = node.next_at()
        if at is None:
            self._due.pop(who, None)
        else:
            self._due[who] = at
        return node

    def _has_room(self, size: int) -> bool:
        return self._waiting + size <= _MOST_WAITING

    def _hear_state(self, payload: bytes | bytearray) -> None:
        """Say STATE again where somebody else has said that we are not there: an old will, or a double."""
        try:
            said = orjson.loads(payload)
        except ValueError:
            said = None
        now = self._clock.monotonic()
        if not (isinstance(said, dict) and said.get("online") is True) and now >= self._state_free_at:
            self._state_free_at = now + _CORRECT_EVERY_NS
            self._host.tell_online()


def _filters(options: SparkplugSource) -> list[str]:
    """Return what to subscribe to, no two of which cross: a broker may send what matches both twice."""
    pairs = [(entry.group, entry.node) for entry in options.nodes]
    groups, nodes = (
        {group for group, node in pairs if node == "+"},
        {node for group, node in pairs if group == "+"},
    )
    if groups - {"+"} and nodes - {"+"}:
        pairs = [("+", "+")]
    return [each for pair in pairs for each in filters(*pair)]


def _known(at: int | None) -> tuple[int, ...]:
    return () if at is None else (at,)
