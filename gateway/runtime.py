"""The whole program on a page: from a plant to running links, and in order to a stop.

source ─collect─▶ buffer ═cursor═▶ select ─forward─▶ sink
                     ▲      ╚═thin (windows)═╗
                     ╚══════════append═══════╝
"""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Final

from config.connections import AnySink
from config.plant import Plant
from connectors import Clock, Context, SystemClock
from connectors.factory import build_sink, build_source
from gateway.buffer import DiskBuffer
from gateway.collect import Collector
from gateway.forward import Forwarder
from gateway.http import StatusServer
from gateway.observe import Observer
from gateway.select import THINNED_SOURCE, Rules, Selection
from gateway.supervise import Link, supervise
from gateway.thin import Thinner, thin

log = logging.getLogger(__name__)

DRAIN_S: Final = 8.0
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
        self.port = 0
        self.running = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set; then stop asking, let what is stored flow out, stop telling."""
        plant = self.plant
        async with (
            DiskBuffer(self.directory, plant.buffer, clock=self.clock, sinks=plant.sinks) as buffer,
            StatusServer(plant.gateway.http_port, self.observer.snapshot) as status,
            asyncio.TaskGroup() as group,
        ):
            self.port = status.port
            self.observer.ask("store", {}, buffer.gauges, is_counter=False)
            self.observer.ask("store", {}, buffer.counters, is_counter=True)
            self.observer.ask_health(buffer.degraded)
            for name, options in plant.sinks.items():
                self._start_sink(group, buffer, name, options)
            for name in plant.sources:
                self._start_source(group, buffer, name)
            self.running.set()
            log.info("gateway running", extra={"gateway": plant.gateway.id, "status_port": status.port})
            await stop.wait()
            await self._end("source/")
            await self._drain(buffer)
            await self._end("")

    def _start_source(self, group: asyncio.TaskGroup, buffer: DiskBuffer, name: str) -> None:
        plant = self.plant
        link = self._link(name, "source")

        def open_source() -> Any:
            return build_source(
                name, plant.sources[name], site=plant.gateway.site, tags=buffer.tags, clock=self.clock
            )

        collector = Collector(link, open_source, buffer.tags, buffer, self.clock)
        self.observer.ask("source", {"source": name}, lambda: _statistics(collector.source), is_counter=True)
        self._spawn(group, f"source/{name}", link, collector.session)

    def _start_sink(self, group: asyncio.TaskGroup, buffer: DiskBuffer, name: str, options: AnySink) -> None:
        plant, tags = self.plant, buffer.tags
        rules = Rules(name, options.select, tags)
        if any(rule.every is not None for rule in options.select):
            self._start_thinner(group, buffer, name, rules)
        cursor = None

        def status() -> dict[str, Any]:
            waiting = None if cursor is None else cursor.backlog()
            if waiting is None:
                return {"epoch": str(buffer.epoch)}
            age = 0.0 if waiting.oldest is None else (self.clock.now() - waiting.oldest) / 1e9
            return {"epoch": str(buffer.epoch), "lag_s": round(age, 1), "buffered": waiting.rows}

        context = Context(plant.gateway.id, tags, self.clock, status=status)

        def open_sink() -> Any:
            return build_sink(name, options, site=plant.gateway.site, context=context)

        cursor = buffer.cursor(name, open_sink().order)
        link = self._link(name, "sink")
        forwarder = Forwarder(
            link,
            open_sink,
            cursor=cursor,
            selection=Selection(rules, tags),
            quarantine=buffer.quarantine,
            clock=self.clock,
        )
        label = {"sink": name}
        self.observer.ask("sink", label, lambda: _statistics(forwarder.sink), is_counter=True)
        self.observer.ask(
            "sink_backlog", label, lambda: _backlog(cursor.backlog(), self.clock), is_counter=False
        )
        self._spawn(group, f"sink/{name}", link, forwarder.session)

    def _start_thinner(self, group: asyncio.TaskGroup, buffer: DiskBuffer, name: str, rules: Rules) -> None:
        source = THINNED_SOURCE + name
        link = self._link(source, "sink")

        async def session() -> None:
            thinner = Thinner(name, rules, buffer.tags)
            begin = thinner.resume(buffer.resume_token(source))
            await thin(thinner, buffer.strict_cursor(source, begin), buffer)

        self._spawn(group, f"thin/{name}", link, session)

    def _link(self, name: str, direction: Any) -> Link:
        link = Link(name, direction, self.clock)
        self.observer.links.append(link)
        return link

    def _spawn(
        self, group: asyncio.TaskGroup, name: str, link: Link, session: Callable[[], Awaitable[None]]
    ) -> None:
        self.tasks[name] = group.create_task(supervise(link, session, strict=self.strict), name=name)

    async def _end(self, prefix: str) -> None:
        ending = [task for name, task in self.tasks.items() if name.startswith(prefix)]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _drain(self, buffer: DiskBuffer) -> None:
        """Give connected sinks a moment to take what is stored; what they don't take stays stored."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await buffer.drained(self._connected_sinks())

    def _connected_sinks(self) -> Iterable[str]:
        return [link.name for link in self.observer.links if link.direction == "sink" and not link.error]


def _statistics(connector: object) -> dict[str, float]:
    ask = getattr(connector, "statistics", None)
    return {} if ask is None else dict(ask())


def _backlog(backlog: Any, clock: Clock) -> dict[str, float]:
    age = 0.0 if backlog.oldest is None else max(0.0, (clock.now() - backlog.oldest) / 1e9)
    return {"rows": backlog.rows, "oldest_seconds": age}


def default_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's factory where it is installed: a quarter faster, never required."""
    if sys.platform == "win32":
        return None
    try:
        import uvloop  # noqa: PLC0415  an extra
    except ImportError:
        return None
    return uvloop.new_event_loop
