"""A session with an OPC UA server as a source: a batch is what changed, was polled or was missed."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from config.connections import OpcUaSource
from connectors.batch import Batch
from connectors.clock import Clock
from connectors.contract import Certificate, Node
from connectors.errors import NotConnected
from connectors.opcua.browse.glob import Glob
from connectors.opcua.browse.listing import listing
from connectors.opcua.columns import Gathering
from connectors.opcua.gaps import Gaps
from connectors.opcua.items import NAMESPACES_HANDLE, PULSE_HANDLE, Items
from connectors.opcua.polling import Group
from connectors.opcua.publish import Published
from connectors.opcua.publishing import Acknowledgement
from connectors.opcua.repair import Repair
from connectors.opcua.resume import Kept
from connectors.opcua.rows import Other
from connectors.opcua.security import Security
from connectors.opcua.session import Session
from connectors.opcua.setup import Setup
from connectors.opcua.statistics import Statistics
from connectors.quality import BAD, BAD_NODE_ID_UNKNOWN
from connectors.tags import TagTable

_LINGER_NS: Final = 5_000_000
_ENOUGH: Final = 1_000
"""Rows a batch waits for, and how long …"""
_MOST: Final = 8_000
"""… and how many of those that are there it takes: under load, few large messages instead of many small."""
_LONGEST_WAIT_NS: Final = 60_000_000_000


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
        kept: Kept | None = None,
    ) -> None:
        """`kept` is the same for every session of this source: what one leaves, the next goes on with."""
        self._kept = kept = Kept() if kept is None else kept
        left = kept.left
        self._options = options
        self._tags = tags
        self._clock = clock
        self._statistics = Statistics()
        self._items = Items(name, site, options) if left is None else left.items
        self._gathering = Gathering(self._items, self._statistics, told=None if left is None else left.told)
        self._session = Session(options, Security(options, directory, gateway))
        self._setup = Setup(
            name,
            options,
            items=self._items,
            gathering=self._gathering,
            session=self._session,
            statistics=self._statistics,
            tags=tags,
            clock=clock,
            known=kept.found,
        )
        self._publishing = self._setup.publishing
        self._gaps = Gaps(kept.past, is_resumed=False)
        self._repair = Repair(
            kept.past,
            options,
            items=self._items,
            session=self._session,
            statistics=self._statistics,
            clock=clock,
        )
        self._full_at: int | None = None
        self._unstored: deque[tuple[Batch, tuple[Acknowledgement, ...]]] = deque()
        self._acknowledgements: list[Acknowledgement] = []
        self._was_live = True
        self._ended: NotConnected | None = None

    def certificates(self) -> Sequence[Certificate]:
        """Return what protects the session."""
        return self._session.certificates

    def stored_until(self, times: NDArray[np.int64], heard: int) -> None:
        """Learn what an earlier run has stored: what came after it is read from the server's history."""
        self._kept.past.times, self._kept.past.heard = times, heard

    async def __aenter__(self) -> Self:
        """Announce the tags, connect, go on where a session was cut, or find the nodes and subscribe.

        NotConnected tells why not.
        """
        self._items.announce_known(self._tags)
        left, setup = self._kept.left, self._setup
        try:
            is_earlier = await self._session.open(lambda: None if left is None else left.take_key())
            await setup.begin(left, is_earlier=is_earlier)
        except BaseException:
            await self._session.close()
            raise
        if left is not None and setup.is_resumed:
            self._acknowledgements += left.unacknowledged
        self._kept.left = None
        self._gaps = Gaps(self._kept.past, is_resumed=setup.is_resumed)
        self._repair.begin(setup.nodes, setup.limits, self._publishing.arrived.set)
        return self

    async def read(self) -> Batch:
        """Wait for changes, a due poll or what was missed; NotConnected when the link is gone."""
        if self._setup.report is not None:
            report, self._setup.report = self._setup.report, None
            return self._given(report, is_report=True)
        # Live values and those that were missed take turns.
        missed = self._repair.take() if self._was_live else None
        while missed is None:
            if self._ended is not None:
                raise self._ended
            batch = await self._next()
            if batch is not None:
                self._was_live = True
                return self._given(batch)
            missed = self._repair.take()
        self._was_live = False
        self._unstored.append((missed, ()))
        return missed

    async def _next(self) -> Batch | None:
        """Do what comes next, or wait; return a batch when one is complete."""
        setup = self._setup
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
        if setup.is_unknown:
            await setup.ask_what_is_unknown()
        elif setup.proof.is_brought or now >= setup.proof.at:
            await setup.settle()
        elif now >= setup.watch.at:
            setup.poll(await setup.watch.look(self._session, setup.nodes, setup.limits))
        elif now >= self._repair.at:
            await self._repair.step()
        elif await setup.poll_what_is_due():
            return self._batch()
        else:
            await self._find_or_wait()
        return None

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
        """End the session, and with it its subscriptions; of one that was cut, keep what is left of it."""
        self._repair.close()
        unstored = [each for _, acknowledgements in self._unstored for each in acknowledgements]
        self._kept.left = self._setup.remains([*unstored, *self._acknowledgements])
        await self._session.close()

    def devices(self) -> Sequence[str]:
        """Return the devices' names in the plant file."""
        return list(self._options.devices)

    async def scan(self, device: str) -> Batch:
        """Read the device's nodes now; Bad rows tell which can't be read."""
        gathering = Gathering(self._items, self._statistics)
        nodes = self._setup.nodes
        places = self._items.of_device(device)
        missing = np.array([i for i in places.tolist() if i not in nodes], np.intp)
        if len(missing):
            gathering.add_bad(missing, BAD_NODE_ID_UNKNOWN, self._clock.now())
        known = [i for i in places.tolist() if i in nodes]
        await Group(known, nodes, self._setup.limits).read(self._session, gathering, self._clock)
        await self._setup.learn(gathering)
        return gathering.batch(self._clock.now())

    async def browse(self, glob: str, most: int) -> AsyncGenerator[list[Node], None]:
        """Yield the variables whose browse path matches, in a session of its own."""
        wanted = Glob(glob)
        try:
            await self._session.open()
            async with aclosing(listing(self._session, wanted, most)) as pages:
                async for page in pages:
                    yield page
        finally:
            await self._session.close()

    def statistics(self) -> dict[str, int]:
        """Return the counters."""
        return self._statistics.as_dict()

    async def _take_published(self) -> None:
        """Take in what has arrived, up to what a batch should hold."""
        while self._gathering.rows < _MOST:
            found = await self._publishing.next()
            if found is None:
                return
            published, at = found
            self._gaps.hear(published.publish_time)
            self._setup.proof.look(published, PULSE_HANDLE)
            self._gathering.add(published.runs, self._values(published), at)
            self._acknowledgements.append((published.subscription_id, published.sequence_number))

    def _values(self, published: Published) -> Sequence[Other]:
        """Return the odd values but for the server's list of namespaces, which must not change."""
        watched = NAMESPACES_HANDLE
        if all(each.handle != watched for each in published.others):
            return published.others
        for each in published.others:
            is_known = each.handle == watched and each.status < BAD
            if is_known and each.variant().Value != self._setup.namespaces:
                raise NotConnected(
                    f"{self._session.peer} has changed its namespaces; nodes are looked up anew"
                )
        return [each for each in published.others if each.handle != watched]

    def _batch(self) -> Batch:
        self._full_at = None
        self._setup.tell_strange(self._gathering.strange_types)
        return self._gathering.batch(self._clock.now())

    def _given(self, batch: Batch, *, is_report: bool = False) -> Batch:
        """Take note of what is handed out."""
        self._gaps.see(batch, is_report=is_report)
        self._unstored.append((batch, tuple(self._acknowledgements)))
        self._acknowledgements = []
        return batch

    async def _find_or_wait(self) -> None:
        """Look for more nodes while there may be some, else wait; data come between any two requests."""
        if self._setup.finding.is_busy():
            await self._setup.find()
        else:
            await self._wait()

    async def _wait(self) -> None:
        """Wait until an answer arrives, the connection drops, or something is due."""
        setup, now = self._setup, self._clock.monotonic()
        until = min(
            now + _LONGEST_WAIT_NS,
            self._publishing.deadline if self._full_at is None else self._full_at,
            setup.ask_again if setup.refused else now + _LONGEST_WAIT_NS,
            setup.watch.at,
            setup.proof.at,
            self._repair.at,
        )
        poll = setup.next_poll()
        until = until if poll is None else min(until, now + poll)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0, until - now) / 1e9):
                await self._publishing.arrived.wait()
