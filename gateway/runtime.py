"""The whole program on a page: from a plant to running links, and in order to a stop.

source ─collect─▶ buffer ═cursor═▶ select ─forward─▶ sink
                     ▲     ║╚═cursor═▶ select ──book──▶ history
                     ▲     ║╚═cursor═▶ counters ─book──▶ energy
                     ▲     ╚══thin, derive═══╗
                     ╚══════════append═══════╝
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, Literal

from config.connections import AnySink, SourceOptions
from config.energy_meters import meters
from config.formulas import formulas
from config.plant import Plant
from connectors import Clock, Context, Source, SystemClock, Tag, TagTable
from connectors.factory import build_sink, build_source
from gateway.buffer import Backlog, DiskBuffer, LogCursor
from gateway.buffer.contract import STORE
from gateway.collect import Collector
from gateway.derive import DERIVED, Deriver
from gateway.energy.bookkeeping.files import FOLDER as ENERGY
from gateway.energy.bookkeeping.link import Bookkeeper
from gateway.energy.periods import calendar_of
from gateway.energy.results.choices import choices_of
from gateway.forward import Forwarder
from gateway.history import HISTORY, Historian, Reader
from gateway.http import StatusServer
from gateway.live import LiveValues
from gateway.mapped import live_folder
from gateway.memory import give_back, keep_what_is_there
from gateway.observe import (
    Observer,
    observe_backlog,
    observe_books,
    observe_connector,
    observe_history,
    observe_ledger,
    observe_store,
)
from gateway.page import Page
from gateway.recompute import Recomputer, Recomputing
from gateway.review import Reviews
from gateway.select import Rules, Selection
from gateway.supervise import Link, LinkState, supervise
from gateway.thin import Thinner, thinned_source
from gateway.told import About, Told, links_told, peer, store_told
from gateway.watchdog import ServiceManager

log = logging.getLogger(__name__)

_SETTLED_S: Final = 10.0
"""By then sessions are open, and what opening them took can go."""
DRAIN_NS: Final = 8_000_000_000
"""How long sinks may still deliver after the sources have stopped."""


class Gateway:
    """A plant, running. One task per link in `tasks`, so that one can be replaced while its siblings live."""

    def __init__(
        self,
        plant: Plant,
        directory: Path,
        *,
        clock: Clock | None = None,
        strict: bool = False,
        plant_file: Path | None = None,
    ) -> None:
        self.plant = plant
        self._plant_file = plant_file
        self.directory = directory
        self.clock = clock or SystemClock()
        self.strict = strict
        self.observer = Observer()
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.status_port = 0
        self.running = asyncio.Event()
        self.page: Page | None = None
        self._cursors: list[LogCursor] = []
        self._about: dict[tuple[str, str], About] = {}
        self._started = self.clock.now()

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set; then stop asking, let what is stored flow out, stop telling."""
        plant = self.plant
        async with (
            DiskBuffer(self.directory / STORE, plant.buffer, self.clock) as buffer,
            StatusServer(plant.gateway.http_port, self.observer.snapshot, self._tell) as status,
            AsyncExitStack() as at_end,
            asyncio.TaskGroup() as group,
        ):
            self._buffer, self._group = buffer, group
            self._reviews = at_end.enter_context(Reviews(self.directory, self.clock))
            self._tags = TagTable(buffer.catalogue(), self._persist)
            self._live = LiveValues(live_folder(self.directory, make=True), self._tags)
            at_end.callback(self._live.close)
            self.status_port = status.port
            observe_store(self.observer, buffer)
            observe_books(self.observer, buffer)
            for name, sink in plant.sinks.items():
                self._start_sink(name, sink)
            historian = self._start_history() if plant.history.enabled else None
            keeper = self._start_ledger()
            self._start_deriver()
            buffer.ready()
            for name, source in plant.sources.items():
                self._start_source(name, source)
            keep_what_is_there()
            asyncio.get_running_loop().call_later(_SETTLED_S, give_back)
            if plant.page.enabled:
                self._start_page(status.port)
            manager = ServiceManager()
            self.tasks["watchdog"] = group.create_task(manager.feed(buffer.come_round), name="watchdog")
            self.running.set()
            manager.tell("READY=1")
            log.info("gateway running", extra={"gateway": plant.gateway.id, "status_port": status.port})
            await stop.wait()
            manager.tell("STOPPING=1")
            await self._end("source/")
            await self._drain([each for each in (historian, keeper) if each is not None])
            await self._end("")

    def _persist(self, changed: Sequence[tuple[int, Tag]]) -> None:
        """Store new and changed tags; what changed its meaning is held for review first."""
        read = [(number, tag) for number, tag in changed if tag.source in self.plant.sources]
        self._reviews.changed(self._tags, read)
        self._buffer.persist(changed)

    def _start_source(self, name: str, options: SourceOptions) -> None:
        link = self._link(name, "source", About("source", options.kind, peer(options)))
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
        collector = Collector(
            link,
            open_source,
            self._tags,
            self._buffer,
            self.clock,
            live=self._live,
            reviews=self._reviews,
        )
        observe_connector(self.observer, "source", name, lambda: collector.source)
        self._spawn(f"source/{name}", link, collector.session, collector.lost)

    def _start_sink(self, name: str, options: AnySink) -> None:
        rules = Rules(name, options.select, self._tags)
        if rules.thinning:
            self._start_thinner(name, options, rules)
        context = Context(
            self.plant.gateway.id,
            self._tags,
            self.clock,
            history=Reader(self.directory / HISTORY) if self.plant.history.enabled else None,
            last=self._live,
            status=lambda: self._status(cursor.backlog()),
            selects=rules.raw,
            directory=self.directory,
        )

        sink = build_sink(name, options, site=self.plant.gateway.site, context=context)
        cursor = self._buffer.cursor(
            name,
            sink.order,
            start=options.start,
            required=options.required,
            replay_rate=options.replay_rate,
        )
        self._cursors.append(cursor)
        chosen = tuple((rule.path, rule.class_, rule.every) for rule in options.select)
        link = self._link(name, "sink", About("sink", options.kind, peer(options), chosen))
        selection = Selection(rules, self._tags)
        forwarder = Forwarder(link, sink, cursor, selection, self.clock)
        observe_connector(self.observer, "sink", name, lambda: forwarder.sink)
        observe_backlog(self.observer, name, cursor, self.clock)
        self._spawn(f"sink/{name}", link, forwarder.session)

    def _start_thinner(self, name: str, options: AnySink, rules: Rules) -> None:
        source = thinned_source(name)
        link = self._link(source, "sink", About("thinner", ""))
        self._start_recomputing(link, lambda: Thinner(name, rules, self._tags), start=options.start)

    def _start_deriver(self) -> None:
        made = formulas(self.plant)
        if made:
            link = self._link(DERIVED, "source", About("source", "derived"))
            self._start_recomputing(link, lambda: Deriver(made, self._tags, self.clock), live=self._live)

    def _start_recomputing(
        self,
        link: Link,
        build: Callable[[], Recomputing],
        start: Literal["now", "oldest"] = "now",
        live: LiveValues | None = None,
    ) -> None:
        recomputer = Recomputer(
            link, build, tags=self._tags, buffer=self._buffer, clock=self.clock, start=start, live=live
        )
        recomputer.reserve()
        self._spawn(link.name, link, recomputer.session, recomputer.lost)

    def _start_history(self) -> Historian:
        chosen = tuple((rule.path, rule.class_, rule.every) for rule in self.plant.history.select)
        link = self._link("local", "history", About("history", "history", select=chosen))
        historian = Historian(
            link,
            self.directory / HISTORY,
            self.plant.history,
            min_free=self.plant.buffer.min_free,
            tags=self._tags,
            buffer=self._buffer,
            clock=self.clock,
        )
        historian.reserve()
        observe_history(self.observer, historian)
        self._spawn("history", link, historian.session)
        return historian

    def _start_ledger(self) -> Bookkeeper | None:
        """Start the energy ledger where there is anything to book."""
        found = meters(self.plant)
        if not found:
            return None
        link = self._link("local", "energy")
        folder = Path() if self._plant_file is None else self._plant_file.parent
        keeper = Bookkeeper(
            link,
            self.directory / ENERGY,
            self.plant.energy,
            found,
            calendar_of(self.plant.energy, self.plant.gateway.zone),
            tags=self._tags,
            buffer=self._buffer,
            clock=self.clock,
            site=self.plant.gateway.site,
            choices=lambda: choices_of(self.plant, folder),
            live=self._live,
        )
        keeper.reserve()
        observe_ledger(self.observer, keeper)
        self._spawn("energy", link, keeper.session)
        return keeper

    def _status(self, waiting: Backlog) -> dict[str, Any]:
        """Return what a status message tells the platform."""
        return {
            "epoch": str(self._buffer.epoch),
            "lag_s": round(waiting.age_s(self.clock.now()), 1),
            "buffered": waiting.rows,
        }

    def _start_page(self, status_port: int) -> None:
        link = Link("page", "page", self.clock)
        self.page = Page(link, self.plant.page, self.directory, status_port, self._plant_file)
        self._spawn("page", link, self.page.session)

    def _tell(self) -> Told:
        """Return what the page's process asks for once a second."""
        self._live.refresh()
        snapshot = self.observer.snapshot()
        options = self.plant.gateway
        return Told(
            options.id,
            options.site,
            options.time_zone,
            self.clock.now(),
            self._started,
            tuple(snapshot.health["reasons"]),
            tuple(links_told(self.observer, snapshot, self._about)),
            store_told(snapshot),
            self.plant.buffer.max_bytes,
            tuple(self._buffer.accounts()),
        )

    def _link(
        self, name: str, direction: Literal["source", "sink", "history", "energy"], about: About | None = None
    ) -> Link:
        link = Link(name, direction, self.clock)
        self.observer.links.append(link)
        if about is not None:
            self._about[direction, name] = about
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

    async def _drain(self, booking: Sequence[Historian | Bookkeeper]) -> None:
        """Give connected sinks a moment to take what is stored; what they don't take stays stored."""
        for each in booking:
            each.hurry.set()
        connected = {link.name for link in self.observer.links if link.state is LinkState.CONNECTED}
        until = self.clock.monotonic() + DRAIN_NS
        while self.clock.monotonic() < until:
            # What was read last may still wait for its commit, and counts as stored only then.
            committing = self._buffer.stats().queued_bytes
            waiting = any(c.backlog().rows for c in self._cursors if c.sink in connected)
            unbooked = any(each.is_running and each.backlog().rows for each in booking)
            if not committing and not waiting and not unbooked:
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
