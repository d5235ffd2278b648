"""The whole program on a page: from a plant to running links, and in order to a stop.

source ─collect─▶ buffer ═cursor═▶ select ─forward─▶ sink
                     ▲      ╚═thin (windows)═╗
                     ╚══════════append═══════╝
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Literal

from config.connections import AnySink, SourceOptions
from config.plant import Plant
from connectors import Clock, Context, Order, Sink, Source, SystemClock, TagTable
from connectors.factory import build_sink, build_source
from gateway.buffer import Backlog, DiskBuffer, LogCursor
from gateway.buffer.contract import STORE
from gateway.collect import Collector
from gateway.forward import Forwarder
from gateway.http import StatusServer
from gateway.observe import Observer, observe_backlog, observe_connector, observe_store
from gateway.select import Rules, Selection
from gateway.supervise import Link, LinkState, supervise
from gateway.thin import Thinner, thin, thinned_source

log = logging.getLogger(__name__)

DRAIN_NS: Final = 8_000_000_000
"""How long sinks may still deliver after the sources have stopped."""


class Gateway:
    """A plant, running. One task per link in `tasks`, so that one can be replaced while its siblings live."""

    def __init__(
        self, plant: Plant, directory: Path, *, clock: Clock | None = None, strict: bool = False
    ) -> None:
        self.plant = plant
        self.directory = directory
        self.clock = clock or SystemClock()
        self.strict = strict
        self.observer = Observer()
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.status_port = 0
        self.running = asyncio.Event()
        self._cursors: list[LogCursor] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set; then stop asking, let what is stored flow out, stop telling."""
        plant = self.plant
        async with (
            DiskBuffer(self.directory / STORE, plant.buffer, self.clock) as buffer,
            StatusServer(plant.gateway.http_port, self.observer.snapshot) as status,
            asyncio.TaskGroup() as group,
        ):
            self._buffer, self._group = buffer, group
            self._tags = TagTable(buffer.catalogue(), buffer.persist)
            self.status_port = status.port
            observe_store(self.observer, buffer)
            for name, sink in plant.sinks.items():
                self._start_sink(name, sink)
            buffer.ready()
            for name, source in plant.sources.items():
                self._start_source(name, source)
            self.running.set()
            log.info("gateway running", extra={"gateway": plant.gateway.id, "status_port": status.port})
            await stop.wait()
            await self._end("source/")
            await self._drain()
            await self._end("")

    def _start_source(self, name: str, options: SourceOptions) -> None:
        link = self._link(name, "source")
        kept: dict[str, Any] = {}

        def open_source() -> Source:
            return build_source(
                name,
                options,
                gateway=self.plant.gateway.id,
                site=self.plant.gateway.site,
                tags=self._tags,
                clock=self.clock,
                directory=self.directory,
                kept=kept,
            )

        # Built once for its imports: asyncua's take seconds, in which no other link could answer its peer.
        open_source()
        collector = Collector(link, open_source, self._tags, self._buffer, self.clock)
        observe_connector(self.observer, "source", name, lambda: collector.source)
        self._spawn(f"source/{name}", link, collector.session, collector.lost)

    def _start_sink(self, name: str, options: AnySink) -> None:
        rules = Rules(name, options.select, self._tags)
        if rules.thinning:
            self._start_thinner(name, options, rules)
        context = Context(
            self.plant.gateway.id, self._tags, self.clock, status=lambda: self._status(cursor.backlog())
        )

        def open_sink() -> Sink:
            return build_sink(name, options, site=self.plant.gateway.site, context=context)

        cursor = self._buffer.cursor(
            name,
            open_sink().order,
            start=options.start,
            required=options.required,
            replay_rate=options.replay_rate,
        )
        self._cursors.append(cursor)
        link = self._link(name, "sink")
        selection = Selection(rules, self._tags)
        forwarder = Forwarder(link, open_sink, cursor, selection, self.clock)
        observe_connector(self.observer, "sink", name, lambda: forwarder.sink)
        observe_backlog(self.observer, name, cursor, self.clock)
        self._spawn(f"sink/{name}", link, forwarder.session)

    def _start_thinner(self, name: str, options: AnySink, rules: Rules) -> None:
        source = thinned_source(name)
        link = self._link(source, "sink")

        def begin() -> tuple[Thinner, LogCursor]:
            thinner = Thinner(name, rules, self._tags)
            first = thinner.resume(self._buffer.resume_token(source))
            after = None if first is None else first - 1
            return thinner, self._buffer.cursor(source, Order.STRICT, start=options.start, after=after)

        begin()  # known before `ready`, or its cursor would pass for that of a sink that was removed

        async def session() -> None:
            thinner, cursor = begin()
            link.become(LinkState.CONNECTED)
            await thin(thinner, cursor, self._buffer)

        self._spawn(f"thin/{name}", link, session)

    def _status(self, waiting: Backlog) -> dict[str, Any]:
        """Return what a status message tells the platform."""
        return {
            "epoch": str(self._buffer.epoch),
            "lag_s": round(waiting.age_s(self.clock.now()), 1),
            "buffered": waiting.rows,
        }

    def _link(self, name: str, direction: Literal["source", "sink"]) -> Link:
        link = Link(name, direction, self.clock)
        self.observer.links.append(link)
        return link

    def _spawn(
        self,
        name: str,
        link: Link,
        session: Callable[[], Awaitable[None]],
        lost: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        supervised = supervise(link, session, lost=lost, strict=self.strict)
        self.tasks[name] = self._group.create_task(supervised, name=name)

    async def _end(self, prefix: str) -> None:
        ending = [task for name, task in self.tasks.items() if name.startswith(prefix)]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _drain(self) -> None:
        """Give connected sinks a moment to take what is stored; what they don't take stays stored."""
        connected = {link.name for link in self.observer.links if link.state is LinkState.CONNECTED}
        until = self.clock.monotonic() + DRAIN_NS
        while self.clock.monotonic() < until:
            # What was read last may still wait for its commit, and counts as stored only then.
            committing = self._buffer.stats().queued_bytes
            if not committing and not any(c.backlog().rows for c in self._cursors if c.sink in connected):
                return
            await asyncio.sleep(0.02)


def default_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's factory where it is installed: a quarter faster, never required."""
    if sys.platform == "win32":
        return None
    try:
        import uvloop  # noqa: PLC0415  an extra
    except ImportError:
        return None
    return uvloop.new_event_loop
