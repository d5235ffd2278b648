"""A session with an OPC UA server as a source: a batch is what changed, or was polled, in a few ms."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from asyncua import ua

from config.connections import OpcUaSource
from connectors.batch import Batch
from connectors.clock import Clock
from connectors.errors import NotConnected
from connectors.opcua.columns import Gathering
from connectors.opcua.items import ONE_VALUE, Items
from connectors.opcua.nodes import Limits, kinds_of, locate, read_builtins, read_namespaces
from connectors.opcua.polling import Group, by_interval
from connectors.opcua.publish import Published
from connectors.opcua.publishing import Acknowledgement, Publishing
from connectors.opcua.reasons import status_name
from connectors.opcua.rows import Other
from connectors.opcua.security import Security
from connectors.opcua.session import Session
from connectors.opcua.statistics import Statistics
from connectors.opcua.subscribing import Subscribed, Subscriber
from connectors.opcua.types.learning import learn_structures, names_of_values
from connectors.opcua.watch import Watch
from connectors.quality import BAD, BAD_NODE_ID_UNKNOWN
from connectors.schedule import Schedule
from connectors.tags import TagTable

log = logging.getLogger(__name__)

_LINGER_NS: Final = 5_000_000
_ENOUGH: Final = 1_000
"""Rows a batch waits for, and how long …"""
_MOST: Final = 8_000
"""… and how many of those that are there it takes: under load, few large messages instead of many small."""
_LONGEST_WAIT_NS: Final = 60_000_000_000
_ASK_AGAIN_NS: Final = 60_000_000_000
"""Between attempts at nodes the server does not have: somebody may be loading a program into it."""


class OpcUa:
    """A source of the nodes of one server."""

    def __init__(
        self,
        name: str,
        options: OpcUaSource,
        *,
        gateway: str,
        site: str,
        tags: TagTable,
        clock: Clock,
        directory: Path,
    ) -> None:
        self._name = name
        self._options = options
        self._tags = tags
        self._clock = clock
        self._statistics = Statistics()
        self._items = Items(name, site, options)
        self._gathering = Gathering(self._items, self._statistics)
        self._session = Session(options, Security(options, directory, gateway))
        self._namespaces: list[str] = []
        self._nodes: dict[int, ua.NodeId] = {}
        self._limits = Limits()
        self._subscriber: Subscriber | None = None
        self._publishing = Publishing(self._session, clock, self._statistics)
        self._groups: list[Group] = []
        self._intervals: list[int] = []
        self._schedule = Schedule((), 0)
        self._refused: dict[int, int] = {}
        self._ask_again = 0
        self._full_at: int | None = None
        self._unstored: deque[tuple[Batch, tuple[Acknowledgement, ...]]] = deque()
        self._acknowledgements: list[Acknowledgement] = []
        self._told: set[int] = set()
        self._ended: NotConnected | None = None
        self._watch = Watch(name, self._items, self._gathering.told, self._statistics, clock)

    async def __aenter__(self) -> Self:
        """Announce the tags, connect, find the nodes, subscribe; NotConnected tells why not."""
        self._items.announce_known(self._tags)
        try:
            await self._session.open()
            await self._begin()
        except BaseException:
            await self._session.close()
            raise
        return self

    async def read(self) -> Batch:
        """Wait for changes or a due poll; NotConnected when the link or what it should bring is gone."""
        if self._ended is not None:
            raise self._ended
        while True:
            try:
                await self._take_published()
            except NotConnected as exc:
                if not self._gathering.rows:
                    raise
                self._ended = exc  # what came before the end is told first
                return self._batch()
            now = self._clock.monotonic()
            if self._gathering.rows and self._full_at is None:
                self._full_at = now + _LINGER_NS
            if self._full_at is not None and (self._gathering.rows >= _ENOUGH or now >= self._full_at):
                return self._batch()
            if self._gathering.spreading.unknown or (self._refused and now >= self._ask_again):
                await self._ask_what_is_unknown()
                continue
            if now >= self._watch.at:
                self._poll(await self._watch.look(self._session, self._nodes, self._limits))
                continue
            if await self._poll_what_is_due():
                return self._batch()
            await self._wait()

    async def ack(self, batch: Batch) -> None:
        """Tell the server, with the next request, what it need not keep any longer."""
        while self._unstored:
            stored, acknowledgements = self._unstored.popleft()
            self._publishing.acknowledge(acknowledgements)
            if stored is batch:
                break

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """End the session, and with it its subscriptions."""
        await self._session.close()

    def devices(self) -> Sequence[str]:
        """Return the devices' names in the plant file."""
        return list(self._options.devices)

    async def scan(self, device: str) -> Batch:
        """Read the device's nodes now; Bad rows tell which can't be read."""
        gathering = Gathering(self._items, self._statistics)
        places = self._items.of_device(device)
        missing = np.array([i for i in places.tolist() if i not in self._nodes], np.intp)
        if len(missing):
            gathering.add_bad(missing, BAD_NODE_ID_UNKNOWN, self._clock.now())
        known = [i for i in places.tolist() if i in self._nodes]
        await Group(known, self._nodes, self._limits).read(self._session, gathering, self._clock)
        await self._learn(gathering)
        return gathering.batch(self._clock.now())

    def statistics(self) -> dict[str, int]:
        """Return the counters."""
        return self._statistics.as_dict()

    async def _begin(self) -> None:
        """Find the nodes, learn their types, subscribe."""
        session, items = self._session, self._items
        self._namespaces, self._limits = await read_namespaces(session)
        located = locate(items.items, self._namespaces, self._options.namespace)
        self._nodes = {place: node for place, node in enumerate(located) if node is not None}
        builtins, _, types = await read_builtins(session, self._nodes, self._limits)
        items.types.namespaces = self._namespaces
        named = {i: types[i] for i, item in enumerate(items.items) if item.enums != "number" and i in types}
        items.name_values(await names_of_values(session, items.types, named, self._limits))
        items.announce_all(self._tags, kinds_of(builtins))
        unfit = {i for i, each in builtins.items() if each in ONE_VALUE and not items.takes(i, each)}
        self._tell_strange(unfit)
        self._subscriber = Subscriber(session, self._options, items, self._limits, self._statistics)
        by_type = sorted(self._nodes, key=lambda place: (builtins.get(place, 0), place))
        done = await self._subscribe([i for i in by_type if not items.items[i].is_polled])
        self._poll([*(i for i in self._nodes if items.items[i].is_polled), *done.polled])
        missing = {place: BAD_NODE_ID_UNKNOWN for place in range(len(items)) if place not in self._nodes}
        self._note_refused(missing | done.refused)

    async def _subscribe(self, places: list[int]) -> Subscribed:
        """Subscribe these items, behind those that are; say once what the server would not subscribe."""
        if self._subscriber is None:
            raise NotConnected(f"{self._session.peer} is not connected")
        done = await self._subscriber.subscribe({i: self._nodes[i] for i in places})
        for each in done.subscriptions:
            self._publishing.add(each)
        self._watch.add(done.items, self._options.publish)
        if done.polled:
            log.warning(
                "the server does not subscribe all nodes, the others are polled",
                extra={
                    "source": self._name,
                    "reason": done.why_polled,
                    "tags": len(done.polled),
                    "first": self._items.items[done.polled[0]].path,
                },
            )
        return done

    def _poll(self, places: list[int]) -> None:
        """Poll these items from now on, those of one interval together."""
        if not places:
            return
        for interval, group in by_interval(self._items, places).items():
            self._intervals.append(interval)
            self._groups.append(Group(group, self._nodes, self._limits))
        self._schedule = Schedule(self._intervals, self._clock.now())

    def _note_refused(self, refused: dict[int, int]) -> None:
        self._refused = refused
        self._ask_again = self._clock.monotonic() + _ASK_AGAIN_NS
        if refused:
            self._statistics.refused_nodes += len(refused)
            places = np.fromiter(refused, np.intp)
            statuses = np.fromiter(refused.values(), np.uint32)
            self._gathering.add_bad(places, statuses, self._clock.now())
            first = next(iter(refused))
            log.warning(
                "the server does not give all nodes",
                extra={
                    "source": self._name,
                    "tags": len(refused),
                    "first": self._items.items[first].path,
                    "node": self._items.items[first].options.node,
                    "reason": status_name(refused[first]),
                },
            )

    async def _take_published(self) -> None:
        """Take in what has arrived, up to what a batch should hold."""
        while self._gathering.rows < _MOST:
            found = await self._publishing.next()
            if found is None:
                return
            published, at = found
            self._gathering.add(published.runs, self._values(published), at)
            self._acknowledgements.append((published.subscription_id, published.sequence_number))

    def _values(self, published: Published) -> Sequence[Other]:
        """Return the odd values but for the server's list of namespaces, which must not change."""
        watched = len(self._items)
        if all(each.handle != watched for each in published.others):
            return published.others
        for each in published.others:
            if each.handle == watched and each.status < BAD and each.variant().Value != self._namespaces:
                raise NotConnected(
                    f"{self._session.peer} has changed its namespaces; nodes are looked up anew"
                )
        return [each for each in published.others if each.handle != watched]

    def _batch(self) -> Batch:
        batch = self._gathering.batch(self._clock.now())
        self._full_at = None
        self._unstored.append((batch, tuple(self._acknowledgements)))
        self._acknowledgements = []
        self._tell_strange(self._gathering.strange_types)
        return batch

    def _tell_strange(self, places: set[int]) -> None:
        for place in sorted(places - self._told):
            item = self._items.items[place]
            log.warning(
                "the value is not of the tag's type",
                extra={"source": self._name, "tag": item.path, "node": item.options.node},
            )
        self._told |= places
        places.clear()

    async def _ask_what_is_unknown(self) -> None:
        """Ask for structures that came without being known, else for nodes that were refused."""
        if self._gathering.spreading.unknown:
            await self._learn(self._gathering)
        else:
            await self._ask_refused_again()

    async def _learn(self, gathering: Gathering) -> None:
        """Ask what the structures are that came, and take in the values that waited for it."""
        unknown = gathering.spreading.unknown
        if unknown:
            await learn_structures(self._session, self._items.types, unknown, self._limits)
            gathering.add_waiting()

    async def _poll_what_is_due(self) -> bool:
        if not self._groups:
            return False
        place, wait = self._schedule.next(self._clock.now())
        if wait:
            return False
        await self._groups[place].read(self._session, self._gathering, self._clock)
        self._statistics.polls += 1
        self._statistics.poll_overruns += self._schedule.answered(place, self._clock.now())
        return self._gathering.rows > 0

    async def _wait(self) -> None:
        """Wait until an answer arrives, the connection drops, or something is due."""
        now = self._clock.monotonic()
        until = min(
            now + _LONGEST_WAIT_NS, self._publishing.deadline if self._full_at is None else self._full_at
        )
        if self._refused:
            until = min(until, self._ask_again)
        until = min(until, self._watch.at)
        if self._groups:
            until = min(until, now + self._schedule.next(self._clock.now())[1])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0, until - now) / 1e9):
                await self._publishing.arrived.wait()

    async def _ask_refused_again(self) -> None:
        """Try the nodes the server did not give; what they are may be known now."""
        places = [i for i in self._refused if i in self._nodes]
        builtins, refused, _ = await read_builtins(
            self._session, {i: self._nodes[i] for i in places}, self._limits
        )
        self._ask_again = self._clock.monotonic() + _ASK_AGAIN_NS
        self._statistics.refused_nodes += len(refused)
        again = sorted((i for i in places if i not in refused), key=lambda i: (builtins.get(i, 0), i))
        if not again:
            return
        self._items.announce_all(self._tags, kinds_of(builtins))
        done = await self._subscribe(again)
        self._poll(done.polled)
        self._refused = {i: s for i, s in self._refused.items() if i not in again} | done.refused
