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
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from config.plant import Plant
from connectors import Clock, SystemClock, Tag, TagTable
from gateway.alarms.commands import verbs as alarm_verbs
from gateway.buffer import DiskBuffer
from gateway.buffer.contract import STORE
from gateway.control import Control
from gateway.energy.bookkeeping.link import Bookkeeper
from gateway.history import Historian
from gateway.http import StatusServer
from gateway.lateness import Lateness
from gateway.ledger.absence import look_for_absence
from gateway.links import Links
from gateway.live import LiveValues
from gateway.mapped import live_folder
from gateway.memory import spared
from gateway.metered import Days
from gateway.observe import (
    Observer,
    observe_books,
    observe_store,
)
from gateway.parts import Parts
from gateway.pipeline import ClockWatch
from gateway.published import published_verbs
from gateway.reload import Applier, Change, on_hang_up, verbs
from gateway.review import Reviews
from gateway.security.expiries import Expiries
from gateway.supervise import LinkState
from gateway.told import Told, links_told, store_told
from gateway.watchdog import ServiceManager

log = logging.getLogger(__name__)

DRAIN_NS: Final = 8_000_000_000
"""How long sinks may still deliver after the sources have stopped."""


class Gateway:
    """A plant, running."""

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
        self.status_port = 0
        self.running = asyncio.Event()
        self.applier: Applier | None = None
        """Takes over changed plant files; there is none without a file."""
        self._control = Control(directory, lambda: self.status_port)
        self._last_good = ""
        self._version = 0
        self._started = self.clock.now()

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set; then stop asking, let what is stored flow out, stop telling."""
        plant = self.plant
        async with (
            DiskBuffer(self.directory / STORE, plant.buffer, self.clock) as buffer,
            StatusServer(
                plant.gateway.http_port, self.observer.snapshot, self._tell, self._control.answer
            ) as status,
            AsyncExitStack() as at_end,
            asyncio.TaskGroup() as group,
        ):
            self.status_port = status.port
            parts = self._share(buffer, Links(self.observer, self.clock, group, strict=self.strict), at_end)
            observe_store(self.observer, buffer)
            observe_books(self.observer, buffer)
            for name in plant.sinks:
                parts.begin(Change("sink", name, "added"))
            for part in ("history", "energy", "derived"):
                parts.begin(Change(part, "", "added"))
            buffer.ready()
            days = parts.start_days()
            parts.start_alarms()
            at_end.enter_context(spared())
            for name in plant.sources:
                parts.begin(Change("source", name, "added"))
            parts.begin(Change("page", "", "added"))
            if self._plant_file is not None:
                await self._obey(self._plant_file, at_end)
            manager = ServiceManager()
            parts.links.run("expiries", parts.expiries.keep())
            parts.links.run("traffic", parts.traffic.keep())
            lateness = Lateness()
            self.observer.ask("loop", {}, lateness.gauges, is_counter=False)
            parts.links.run("absence", look_for_absence(parts.watch, parts.stood_still, lateness))
            parts.links.run("watchdog", manager.feed(buffer.come_round))
            self.running.set()
            manager.tell("READY=1")
            log.info("gateway running", extra={"gateway": plant.gateway.id, "status_port": status.port})
            await stop.wait()
            manager.tell("STOPPING=1")
            await parts.links.end_all("source/")
            await self._drain(list(parts.booking.values()))
            await days.close()
            await parts.links.end_all("")

    def _share(self, buffer: DiskBuffer, links: Links, at_end: AsyncExitStack) -> Parts:
        """Open what all parts of this run share."""
        plant = self.plant
        reviews = at_end.enter_context(Reviews(self.directory, self.clock))
        tags = TagTable(buffer.catalogue(), self._persist)
        tags.renamed = plant.renamed
        self.parts = Parts(
            plant=lambda: self.plant,
            plant_file=self._plant_file,
            directory=self.directory,
            clock=self.clock,
            observer=self.observer,
            buffer=buffer,
            tags=tags,
            live=LiveValues(live_folder(self.directory, make=True), tags),
            reviews=reviews,
            traffic=at_end.enter_context(Days(self.directory, self.clock, plant.gateway.zone)),
            expiries=Expiries(self.clock),
            links=links,
            watch=ClockWatch(self.clock),
            status_port=self.status_port,
        )
        at_end.callback(self.parts.live.close)
        return self.parts

    def runs_last_good(self, reason: str, version: int) -> None:
        """Say so until a plant file is applied: this is the last good one, the file has mistakes."""
        self._last_good, self._version = reason, version
        self.observer.ask_health(lambda: self._last_good)

    async def change(self, plant: Plant, changes: Sequence[Change]) -> None:
        """Take over another plant: what changed begins anew, what is gone ends, all else goes on."""
        for change in changes:
            if change.how != "removed":
                await asyncio.to_thread(self.parts.import_, plant, change)
        self.plant = plant
        self.parts.tags.renamed = plant.renamed
        self._last_good = ""
        for change in changes:
            if self.parts.renews(change):
                continue
            if change.how != "added":
                await self.parts.leave(change)
            if change.how != "removed":
                self.parts.begin(change)

    async def _obey(self, plant_file: Path, at_end: AsyncExitStack) -> None:
        """Let this machine's own users change the plant file's plant."""
        self.applier = Applier(self, plant_file, self.directory, self.clock)
        if not self._last_good:
            await self.applier.begin()
        self._control.verbs |= verbs(self.applier) | published_verbs(self.parts.sinks)
        self._control.verbs |= alarm_verbs(self.parts.alarms, self.clock)
        try:
            at_end.enter_context(self._control)
        except OSError as exc:
            log.warning("no commands are taken in this run", extra={"reason": str(exc)})
        at_end.enter_context(on_hang_up(self.applier))

    def _persist(self, changed: Sequence[tuple[int, Tag]]) -> None:
        """Store new and changed tags; what changed its meaning is held for review first."""
        read = [(number, tag) for number, tag in changed if tag.source in self.plant.sources]
        self.parts.reviews.changed(self.parts.tags, read)
        self.parts.buffer.persist(changed)

    def _tell(self) -> Told:
        """Return what the page's process asks for once a second."""
        self.parts.live.refresh()
        snapshot = self.observer.snapshot()
        options = self.plant.gateway
        return Told(
            options.id,
            options.site,
            options.time_zone,
            self.clock.now(),
            self._started,
            tuple(each for each in snapshot.health["reasons"] if each != self._last_good),
            tuple(links_told(self.observer, snapshot, self.parts.links.about)),
            store_told(snapshot),
            self.plant.buffer.max_bytes,
            tuple(self.parts.buffer.accounts()),
            self.parts.alarms.gauges(),
            self._version if self._last_good else 0,
        )

    async def _drain(self, booking: Sequence[Historian | Bookkeeper]) -> None:
        """Give connected sinks a moment to take what is stored; what they don't take stays stored."""
        for each in booking:
            each.hurry.set()
        connected = {link.name for link in self.observer.links if link.state is LinkState.CONNECTED}
        until = self.clock.monotonic() + DRAIN_NS
        while self.clock.monotonic() < until:
            # What was read last may still wait for its commit, and counts as stored only then.
            committing = self.parts.buffer.stats().queued_bytes
            waiting = any(c.backlog().rows for c in self.parts.cursors.values() if c.sink in connected)
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
