"""The Sparkplug sink: an edge node whose data count once the broker has them, the host being there."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from config.connections import SparkplugSink
from connectors.broker.seen import Seen
from connectors.broker.session import GRACE_S
from connectors.broker.wire import Will
from connectors.contract import Certificate, Context, Delivery, Order
from connectors.dial import Traffic
from connectors.errors import NotConnected, Refusal, Rejected
from connectors.sparkplug.edge import commands
from connectors.sparkplug.edge.births import node_death
from connectors.sparkplug.edge.counts import Statistics
from connectors.sparkplug.edge.kept import next_bd_seq
from connectors.sparkplug.edge.layout import Layouts, Share
from connectors.sparkplug.edge.naming import DeviceIds
from connectors.sparkplug.edge.node import EdgeNode, NotYet
from connectors.sparkplug.edge.session import EdgeSession
from connectors.sparkplug.edge.state import PrimaryHost
from connectors.sparkplug.edge.wire import varint
from connectors.sparkplug.topics import command_topic, edge_topic, state_topic

_PUBLISH_OVERHEAD: Final = 1 + 4 + 2 + 1
"""Most bytes of a PUBLISH of QoS 0 beside topic and payload."""
_GAP_OVERHEAD: Final = 64
"""Most bytes of a message about a gap beside its text."""
_HOST_SINCE: Final = "host since"
"""What the next session may not believe at once: the STATE of one whose connection broke."""
_DOUBT_S: Final = 5.0
"""How long a host may take to come back to a broker that was away, and kept its word that it is there."""


class SparkplugEdge:
    """Be born, say what the buffer delivers, die."""

    order = Order.LIVE_FIRST

    def __init__(self, name: str, options: SparkplugSink, context: Context) -> None:
        self._options = options
        self._context = context
        self._node_id = options.node or context.gateway
        self._client_id = options.client_id or f"wanglian-{context.gateway}-{name}"
        self._file = None if context.directory is None else _place(context.directory, name)
        self._statistics = Statistics()
        self._traffic = Traffic()
        self.seen = Seen()
        self._ids = DeviceIds(options, context.tags)
        self._layouts = Layouts(context.tags)
        self._begin()

    async def __aenter__(self) -> Self:
        """Connect, wait for the primary host, be born."""
        self._begin()
        options, clock = self._options, self._context.clock
        bd_seq = await self._next_bd_seq()
        death = Will(self._topic("NDEATH"), node_death(bd_seq, clock.now()), retain=False)
        self._session = EdgeSession(
            options,
            self._client_id,
            death,
            self._statistics,
            subscriptions=self._filters(),
            hears=self._hear,
            ends=self._change.set,
        )
        self._session.count_into(self._traffic)
        self._session.show_in(self.seen)
        self._node = EdgeNode(self._context, self._ids, self._say, bd_seq=bd_seq, statistics=self._statistics)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._leave)
            await self._session.open()
            await self._wait_for_host()
            self._be_born()
            await self._session.mark()
            await self._session.drain()
            await self._tell_gaps()
            self._serve()
            stack.pop_all()
        return self

    async def write(self, deliveries: Sequence[Delivery]) -> None:
        """Return once the broker has every message, and the primary host was there all the while.

        Raises:
            NotConnected: what was said may have been heard, and will be said again.
            Rejected: rows that make a message larger than the broker takes.
        """
        await self._tell_gaps()
        refusals = []
        for index, delivery in enumerate(deliveries):
            for share in self._layouts.shares(delivery.batch.parts):
                too_large = await self._tell(share, delivery)
                refusals += [Refusal(index, rows, "one row makes too large a message") for rows in too_large]
                await self._session.keep_pace()
        await self._session.mark()
        await self._session.drain()
        self._serve()
        if refusals:
            raise Rejected(refusals)

    async def watch(self) -> None:
        """Answer requests for births, see the host go, and let those die that are due to."""
        while True:
            self._change.clear()
            self._serve()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience_s()):
                    await self._change.wait()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Say the node's death, then close; where the link is gone the broker says it."""
        await self._leave()

    def certificates(self) -> Sequence[Certificate]:
        """Return those of the running session; none without TLS."""
        return self._session.certificates

    def traffic(self) -> int:
        """Return the bytes moved over the network, both ways, over all sessions."""
        return self._traffic.total()

    def statistics(self) -> dict[str, int]:
        """Return the counts of this session."""
        return asdict(self._statistics)

    async def _tell_gaps(self) -> None:
        """Say what is missing, before the rows behind it; noted as told once the broker has it."""
        while news := await self._context.gaps.untold():
            for each in news:
                self._serve()
                self._node.tell_gap(each.json(self._limit("") - _GAP_OVERHEAD).decode())
                await self._session.keep_pace()
            await self._session.mark()
            await self._session.drain()
            self._serve()
            await self._context.gaps.told(news[-1].revision)

    def _begin(self) -> None:
        """Know nothing of an earlier session's host and births."""
        self._host = PrimaryHost()
        self._seq = 0
        self._is_born = False
        self._is_host_gone = False
        self._rebirth_wanted = False
        self._change = asyncio.Event()

    async def _next_bd_seq(self) -> int:
        if self._file is None:
            return 0
        try:
            return await asyncio.to_thread(next_bd_seq, self._file)
        except OSError as exc:
            raise NotConnected(f"{self._file} can't be written: {exc.strerror}") from exc

    async def _leave(self) -> None:
        if not self._session.is_lost:
            self._context.kept.pop(_HOST_SINCE, None)
        try:
            if self._is_born:
                with contextlib.suppress(NotConnected, TimeoutError):
                    async with asyncio.timeout(GRACE_S):
                        await self._session.die()
        finally:
            await self._session.leave(is_born=self._is_born)

    def _filters(self) -> list[str]:
        group, host = self._options.group, self._options.primary_host
        own = [command_topic(group, self._node_id), edge_topic(group, "DCMD", self._node_id, "+")]
        return own if host is None else [*own, state_topic(host)]

    async def _wait_for_host(self) -> None:
        host = self._options.primary_host
        if host is None:
            return
        try:
            async with asyncio.timeout(self._options.host_wait / 1e9):
                await self._host_online(lambda: self._host.is_online)
        except TimeoutError:
            what = "is offline" if self._host.is_known else "has said nothing of itself"
            raise NotConnected(f"the primary host {host} {what} at {self._session.broker}") from None
        # The word of the session before may be older than the broker's last start: a newer one is waited for.
        doubted = self._context.kept.get(_HOST_SINCE)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DOUBT_S):
                await self._host_online(lambda: self._host.is_online and self._host.since != doubted)
        if not self._host.is_online:
            raise NotConnected(f"the primary host {host} is offline at {self._session.broker}")
        self._context.kept[_HOST_SINCE] = self._host.since

    async def _host_online(self, is_there: Callable[[], bool]) -> None:
        while not is_there():
            self._change.clear()
            self._session.raise_if_lost()
            await self._change.wait()

    def _hear(self, topic: str, payload: bytes) -> None:
        """Take what the broker brings: the host's state, or a command."""
        host = self._options.primary_host
        if host is not None and topic == state_topic(host):
            if self._host.hear(payload) and self._is_born:
                self._is_host_gone |= not self._host.is_online
                if not self._is_host_gone:
                    self._context.kept[_HOST_SINCE] = self._host.since
        elif topic == command_topic(self._options.group, self._node_id):
            asks, others = commands.hear(payload)
            self._statistics.rebirths_asked += asks
            self._statistics.refused_commands += others
            self._rebirth_wanted |= asks
        else:
            self._statistics.refused_commands += 1
        self._change.set()

    def _serve(self) -> None:
        """Do what is due; between any two messages.

        Raises:
            NotConnected: the link is down, or the primary host went.
        """
        self._session.raise_if_lost()
        if self._is_host_gone:
            host = self._options.primary_host
            raise NotConnected(f"the primary host {host} went offline at {self._session.broker}")
        now = self._context.clock.monotonic()
        if self._rebirth_wanted and now >= self._node.born + self._options.rebirth:
            self._be_born()
        self._node.tick(now)

    def _patience_s(self) -> float | None:
        due = [self._node.next_at()]
        if self._rebirth_wanted:
            due.append(self._node.born + self._options.rebirth)
        at = min((each for each in due if each is not None), default=None)
        return None if at is None else max(0.0, (at - self._context.clock.monotonic()) / 1e9)

    def _be_born(self) -> None:
        self._rebirth_wanted = False
        self._seq = 0
        self._is_born = True
        self._node.be_born()

    async def _tell(self, share: Share, delivery: Delivery) -> Sequence[NDArray[np.int32]]:
        while True:
            self._serve()
            try:
                return self._node.tell(share, delivery, self._limit)
            except NotYet as exc:
                await asyncio.sleep(exc.wait_s)

    def _say(self, kind: str, device: str, payload: bytes) -> None:
        topic = self._topic(kind, device)
        data = payload + b"\x18" + varint(self._seq)
        packet = self._session.limits.packet
        if packet is not None and len(data) + len(topic.encode()) + _PUBLISH_OVERHEAD > packet:
            raise NotConnected(
                f"{self._session.broker} takes {packet} bytes and the {kind} of {device or self._node_id} "
                f"has {len(data)}: raise the broker's limit, or select fewer tags",
                needs_a_person=True,
            )
        self._session.say(topic, data)
        self._seq = (self._seq + 1) & 0xFF

    def _limit(self, device: str) -> int:
        """Return how many bytes a payload of this device's data may have."""
        most, packet = self._options.max_message, self._session.limits.packet
        if packet is None:
            return most
        return min(most, packet - len(self._topic("DDATA", device).encode()) - _PUBLISH_OVERHEAD)

    def _topic(self, kind: str, device: str = "") -> str:
        return edge_topic(self._options.group, kind, self._node_id, device)


def _place(directory: Path, name: str) -> Path:
    return directory / "sparkplug" / f"{name}.json"
