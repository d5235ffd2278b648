"""What one session has of its server: where nodes are, which are subscribed, which polled, which refused."""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import numpy as np
from asyncua import ua

from config.connections import OpcUaSource
from connectors.batch import Batch
from connectors.clock import Clock
from connectors.errors import NotConnected
from connectors.opcua.browse.finding import Finding
from connectors.opcua.columns import Gathering
from connectors.opcua.items import ONE_VALUE, Item, Items
from connectors.opcua.limits import Limits
from connectors.opcua.nodes import kinds_of, locate, read_builtins, read_namespaces
from connectors.opcua.polling import Group, by_interval
from connectors.opcua.publishing import Acknowledgement, Publishing
from connectors.opcua.reasons import status_name
from connectors.opcua.resume import Left, Proof, give_up, read_start, take_over
from connectors.opcua.session import Session
from connectors.opcua.statistics import Statistics
from connectors.opcua.subscribing import Subscribed, Subscriber
from connectors.opcua.types.learning import learn_structures, names_of_values
from connectors.opcua.watch import Watch
from connectors.quality import BAD_NODE_ID_UNKNOWN
from connectors.schedule import Schedule
from connectors.tags import TagTable

log = logging.getLogger(__name__)

_ASK_AGAIN_NS: Final = 60_000_000_000
"""Between attempts at nodes the server does not have: somebody may be loading a program into it."""


class Setup:
    """Begun once per session, by going on with what an earlier one left, or anew."""

    def __init__(
        self,
        name: str,
        options: OpcUaSource,
        *,
        items: Items,
        gathering: Gathering,
        session: Session,
        statistics: Statistics,
        tags: TagTable,
        clock: Clock,
        known: list[Item],
    ) -> None:
        """`known` are the nodes globs have found so far; it grows."""
        self._name = name
        self._options = options
        self._items = items
        self._gathering = gathering
        self._session = session
        self._statistics = statistics
        self._tags = tags
        self._clock = clock
        self.nodes: dict[int, ua.NodeId] = {}
        self.limits = Limits()
        self.namespaces: list[str] = []
        self.publishing = Publishing(session, clock, statistics)
        self.watch = Watch(name, items, gathering.told, statistics, clock)
        self.proof = Proof(session, clock, options.timeout)
        self.is_resumed = False
        self.report: Batch | None = None
        """Of a resumed session, every value as it is now."""
        self.refused: dict[int, int] = {}
        """Items the server does not give, by status."""
        self.ask_again = 0
        """When to ask for them again, monotonic ns."""
        self._started: datetime | None = None
        self._subscriber: Subscriber | None = None
        self._subscribed: set[int] = set()
        self._polled: list[int] = []
        self._groups: list[Group] = []
        self._intervals: list[int] = []
        self._schedule = Schedule((), 0, 0)
        self._told: set[int] = set()
        self.finding = Finding(options, items, known)
        gathering.told.grow(len(items))
        self._to_poll: list[int] = []

    async def begin(self, left: Left | None, *, is_earlier: bool) -> None:
        """Go on with what is left of the session before, or find the nodes, learn their types and subscribe.

        Raises:
            NotConnected: the connection is lost, or the server does not tell what must be known.
        """
        session = self._session
        self._started = await read_start(session)
        self.namespaces, self.limits = await read_namespaces(session)
        is_same = left is not None and self._started is not None and self._started == left.started
        if is_earlier and not is_same:
            raise NotConnected(f"{session.peer} has a session by our number that is not ours")
        # Who was cut while it looked for nodes begins anew: some it knows are not subscribed yet.
        if left is not None and is_same and self.namespaces == left.namespaces and not left.was_finding:
            self.is_resumed = await self._resume(left, is_earlier=is_earlier)
        if not self.is_resumed:
            self._statistics.recreated += left is not None
            await self._begin_anew()
            self.finding.begin(session, self.limits, self.namespaces)
        self._items.all_found(self._tags, are_all=not self.finding.is_busy())

    async def _begin_anew(self) -> None:
        session, items = self._session, self._items
        located = locate(items.items, self.namespaces, self._options.namespace)
        self.nodes = {place: node for place, node in enumerate(located) if node is not None}
        builtins, _, types = await read_builtins(session, self.nodes, self.limits)
        items.types.namespaces = self.namespaces
        named = {i: types[i] for i, item in enumerate(items.items) if item.enums != "number" and i in types}
        items.name_values(await names_of_values(session, items.types, named, self.limits))
        items.announce_all(self._tags, kinds_of(builtins))
        unfit = {i for i, each in builtins.items() if each in ONE_VALUE and not items.takes(i, each)}
        self.tell_strange(unfit)
        self._subscriber = self._make_subscriber()
        by_type = sorted(self.nodes, key=lambda place: (builtins.get(place, 0), place))
        done = await self._subscribe([i for i in by_type if not items.items[i].is_polled])
        self.poll([*(i for i in self.nodes if items.items[i].is_polled), *done.polled])
        missing = {place: BAD_NODE_ID_UNKNOWN for place in range(len(items)) if place not in self.nodes}
        self._note_refused(missing | done.refused)

    async def _resume(self, left: Left, *, is_earlier: bool) -> bool:
        """Go on with the subscriptions of a session that was cut; False when they are gone."""
        session = self._session
        if not await take_over(left, session, self.publishing, is_earlier=is_earlier):
            return False
        self.nodes, self.limits = left.nodes, left.limits
        self._subscriber = self._make_subscriber()
        self._subscriber.go_on(left.subscriptions)
        how = "reactivated" if is_earlier else "transferred"
        if not await self.proof.ask(self._subscriber, left.subscriptions, how):
            await give_up(left, session, self.publishing)
            return False
        report = Gathering(self._items, Statistics(), by_source=True)
        await Group(sorted(left.subscribed), self.nodes, self.limits).read(session, report, self._clock)
        await self.learn(report)
        self.report = report.batch(self._clock.now()) if report.rows else None
        self._subscribed = left.subscribed
        self.watch.add(left.subscribed, self._options.publish)
        self.poll(left.polled)
        self.refused, self.ask_again = left.refused, self._clock.monotonic() + _ASK_AGAIN_NS
        self.publishing.begin()
        return True

    def remains(self, unacknowledged: Iterable[Acknowledgement]) -> Left | None:
        """Return what is left when the session was cut, None when nothing is: it ends in order."""
        subscriptions = self.publishing.subscriptions()
        if not self._session.was_cut or not subscriptions:
            return None
        return Left(
            started=self._started,
            key=self._session.key(),
            subscriptions=subscriptions,
            expected=self.publishing.heard(),
            unacknowledged=[*unacknowledged, *self.publishing.unsent()],
            namespaces=self.namespaces,
            items=self._items,
            told=self._gathering.told,
            nodes=self.nodes,
            limits=self.limits,
            subscribed=self._subscribed,
            polled=self._polled,
            refused=self.refused,
            was_finding=self.finding.is_busy(),
        )

    async def settle(self) -> None:
        """See whether what was resumed has proved itself.

        Raises:
            NotConnected: it has not, in time.
        """
        how = None if self._subscriber is None else await self.proof.settle(self._subscriber)
        if how is not None:
            self._statistics.reactivated += how == "reactivated"
            self._statistics.transferred += how == "transferred"
            log.info("went on with an earlier session", extra={"source": self._name, "how": how})

    def _make_subscriber(self) -> Subscriber:
        return Subscriber(self._session, self._options, self._items, self.limits, self._statistics)

    async def _subscribe(self, places: list[int]) -> Subscribed:
        """Subscribe these items, behind those that are; say once what the server would not subscribe."""
        if self._subscriber is None:
            raise NotConnected(f"{self._session.peer} is not connected")
        done = await self._subscriber.subscribe({i: self.nodes[i] for i in places})
        for each in done.subscriptions:
            self.publishing.add(each)
        self._subscribed |= done.items
        self.watch.add(done.items, self._options.publish)
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

    def poll(self, places: list[int]) -> None:
        """Poll these items from now on, those of one interval together."""
        if not places:
            return
        self._polled += places
        for interval, group in by_interval(self._items, places).items():
            self._intervals.append(interval)
            self._groups.append(Group(group, self.nodes, self.limits))
        self._schedule = Schedule(self._intervals, self._clock.now(), self._clock.monotonic())

    def next_poll(self) -> int | None:
        """Return how long it is to the next poll, ns; None when nothing is polled."""
        return self._schedule.next(self._clock.now())[1] if self._groups else None

    async def poll_what_is_due(self) -> bool:
        """Read one interval's items if their time has come; tell whether that brought rows."""
        if not self._groups:
            return False
        place, wait = self._schedule.next(self._clock.now())
        if wait:
            return False
        await self._groups[place].read(self._session, self._gathering, self._clock)
        self._statistics.polls += 1
        now, steady = self._clock.now(), self._clock.monotonic()
        self._statistics.poll_overruns += self._schedule.answered(place, now, steady)
        return self._gathering.rows > 0

    async def find(self) -> None:
        """Look for more nodes by one request, and read what was found.

        Raises:
            NotConnected: the connection is lost.
        """
        nodes = await self.finding.step()
        if nodes:
            await self._read_found(nodes)
        if not self.finding.is_busy():
            self._items.all_found(self._tags)
            self.poll(self._to_poll)

    async def _read_found(self, nodes: dict[int, ua.NodeId]) -> None:
        """Learn the types of nodes that were found, and subscribe them."""
        items = self._items
        self.nodes |= nodes
        self._gathering.told.grow(len(items))
        builtins, _, _ = await read_builtins(self._session, nodes, self.limits)
        items.announce_found(self._tags, list(nodes), kinds_of(builtins))
        subscribed = [i for i in nodes if not items.items[i].is_polled]
        done = await self._subscribe(sorted(subscribed, key=lambda i: (builtins.get(i, 0), i)))
        self._to_poll += [*(i for i in nodes if items.items[i].is_polled), *done.polled]
        if done.refused:
            self._note_refused(done.refused, self.refused)

    def _note_refused(self, refused: dict[int, int], before: dict[int, int] | None = None) -> None:
        self.refused = refused | (before or {})
        self.ask_again = self._clock.monotonic() + _ASK_AGAIN_NS
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
                    "node": str(self._items.items[first].node),
                    "reason": status_name(refused[first]),
                },
            )

    @property
    def is_unknown(self) -> bool:
        """Whether something of the server is to be asked now, by `ask_what_is_unknown`."""
        is_due = bool(self.refused) and self._clock.monotonic() >= self.ask_again
        return bool(self._gathering.spreading.unknown) or is_due

    async def ask_what_is_unknown(self) -> None:
        """Ask for structures that came without being known, else for nodes that were refused."""
        if self._gathering.spreading.unknown:
            await self.learn(self._gathering)
        else:
            await self._ask_refused_again()

    async def learn(self, gathering: Gathering) -> None:
        """Ask what the structures are that came, and take in the values that waited for it."""
        unknown = gathering.spreading.unknown
        if unknown:
            await learn_structures(self._session, self._items.types, unknown, self.limits)
            gathering.add_waiting()

    async def _ask_refused_again(self) -> None:
        """Try the nodes the server did not give; what they are may be known now."""
        places = [i for i in self.refused if i in self.nodes]
        builtins, refused, _ = await read_builtins(
            self._session, {i: self.nodes[i] for i in places}, self.limits
        )
        self.ask_again = self._clock.monotonic() + _ASK_AGAIN_NS
        self._statistics.refused_nodes += len(refused)
        again = sorted((i for i in places if i not in refused), key=lambda i: (builtins.get(i, 0), i))
        if not again:
            return
        self._items.announce_all(self._tags, kinds_of(builtins))
        done = await self._subscribe(again)
        self.poll(done.polled)
        self.refused = {i: s for i, s in self.refused.items() if i not in again} | done.refused

    def tell_strange(self, places: set[int]) -> None:
        """Say once of each item that its value is not of the tag's type."""
        for place in sorted(places - self._told):
            item = self._items.items[place]
            log.warning(
                "the value is not of the tag's type",
                extra={"source": self._name, "tag": item.path, "node": str(item.node)},
            )
        self._told |= places
        places.clear()
