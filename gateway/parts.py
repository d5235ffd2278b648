"""How each part of a running gateway is put together from what all of them share, and begun."""

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from config.connections import AnySink, SourceOptions
from config.energy_meters import meters
from config.formulas import formulas
from config.plant import Plant
from config.problems import default_language
from connectors import Clock, Context, Renewable, Sink, Source, TagTable
from connectors.factory import build_sink, build_source
from gateway.alarms import look
from gateway.alarms.condition import Condition, Key
from gateway.alarms.keeper import AlarmKeeper
from gateway.alarms.webhooks.link import WebhookLink
from gateway.alarms.webhooks.messages import From
from gateway.buffer import Backlog, DiskBuffer, LogCursor
from gateway.collect import Collector
from gateway.derive import DERIVED, Deriver
from gateway.energy.bookkeeping.files import FOLDER as ENERGY
from gateway.energy.bookkeeping.link import Bookkeeper
from gateway.energy.periods import calendar_of
from gateway.energy.results.choices import choices_of
from gateway.forward import Forwarder
from gateway.history import HISTORY, Historian, Reader
from gateway.ledger.days import DAYS, DayBook
from gateway.ledger.news import News
from gateway.links import Links
from gateway.live import LiveValues
from gateway.metered import Days, Meter
from gateway.observe import (
    Observer,
    observe_alarms,
    observe_backlog,
    observe_connector,
    observe_history,
    observe_ledger,
    observe_meter,
)
from gateway.page import Page
from gateway.pipeline import ClockWatch
from gateway.recompute import Recomputer, Recomputing
from gateway.reload import Change, Part
from gateway.review import Reviews
from gateway.security.expiries import Expiries
from gateway.select import Rules, Selection
from gateway.supervise import Link
from gateway.thinning import Thinner, thinned_source
from gateway.told import About, peer
from gateway.turnstile import Turnstile


@dataclass(slots=True)
class Parts:
    """What every part of one run is made with; the parts that run, by kind and name."""

    plant: Callable[[], Plant]
    """The one that runs now: it may be another after a change."""
    plant_file: Path | None
    directory: Path
    clock: Clock
    observer: Observer
    buffer: DiskBuffer
    tags: TagTable
    live: LiveValues
    reviews: Reviews
    traffic: Days
    expiries: Expiries
    links: Links
    watch: ClockWatch
    status_port: int
    cursors: dict[str, LogCursor] = field(default_factory=dict)
    sinks: dict[str, Sink] = field(default_factory=dict)
    collectors: dict[str, Collector] = field(default_factory=dict)
    booking: dict[Part, Historian | Bookkeeper] = field(default_factory=dict)
    alarms: AlarmKeeper = field(init=False)
    turn: Turnstile = field(default_factory=Turnstile)
    page: Page | None = None
    losses: look.Store = field(init=False)

    def __post_init__(self) -> None:
        # Before the cursors are opened: what this start finds lost is an alarm too.
        self.losses = look.Store(self.buffer.stats())

    def import_(self, plant: Plant, change: Change) -> None:
        """Build what is new once: an import on the loop would hold up every other link for seconds."""
        if change.part == "source":
            self._build_source(change.name, plant.sources[change.name], {})

    def renews(self, change: Change) -> bool:
        """Let a source go on with other devices where it can, so that those that stay miss nothing."""
        if change.part != "source" or not change.devices:
            return False
        source = self.collectors[change.name].source
        if source is None:
            return False
        return isinstance(source, Renewable) and source.renew(self.plant().sources[change.name])

    def begin(self, change: Change) -> None:
        """Begin a part as the plant that runs now has it."""
        match change.part:
            case "source":
                self._start_source(change.name, self.plant().sources[change.name])
            case "sink":
                self._start_sink(change.name, self.plant().sinks[change.name])
            case "derived":
                self._start_deriver()
            case "history" if self.plant().history.enabled:
                self.booking["history"] = self._start_history()
            case "energy" if (keeper := self._start_ledger()) is not None:
                self.booking["energy"] = keeper
            case "page" if self.plant().page.enabled:
                self._start_page()
            case "webhook":
                self._start_webhook(change.name)

    async def leave(self, change: Change) -> None:
        """End a part; what is gone for good keeps nothing waiting for it and is told of no more."""
        name = change.name
        gone: tuple[str, str, str] | None = None
        match change.part:
            case "source":
                await self.links.end(f"source/{name}")
                self.collectors.pop(name, None)
                self._retire(name)
                gone = "source", name, ""
            case "sink":
                thinned = thinned_source(name)
                await self.links.end(f"sink/{name}", thinned)
                self._forget("sink", thinned, thinned)
                self.cursors.pop(name, None)
                self.sinks.pop(name, None)
                gone = "sink", name, name
            case "derived":
                await self.links.end(DERIVED)
                self._retire(DERIVED)
                gone = "source", DERIVED, DERIVED
            case "history" | "energy" as part:
                await self.links.end(part)
                self.booking.pop(part)
                gone = part, "local", f"gateway/{part}"
            case "page":
                await self.links.end("page")
                self.page = None
            case "webhook":
                await self.links.end(f"webhook/{name}")
                gone = "webhook", name, ""
        if change.how == "removed" and gone is not None:
            self._forget(*gone)

    def _retire(self, source: str) -> None:
        """Take a source's tags out; what still belongs to it is announced again when it begins."""
        self.tags.keep_only(source, np.zeros(0, np.int32))

    def _forget(self, direction: str, name: str, cursor: str) -> None:
        """Tell no more of a link that is gone; park its cursor, if it has one."""
        if cursor:
            self.buffer.release(cursor)
        self.links.forget(direction, name)

    def _start_source(self, name: str, options: SourceOptions) -> None:
        link = self.links.link(name, "source", About("source", options.kind, peer(options)))
        kept: dict[str, Any] = {}

        def open_source() -> Source:
            return self._build_source(name, self.plant().sources[name], kept)

        # Built once for its imports: asyncua's take seconds, in which no other link could answer its peer.
        open_source()
        collector = Collector(
            link,
            open_source,
            self.tags,
            self.buffer,
            self.clock,
            watch=self.watch,
            live=self.live,
            reviews=self.reviews,
            turn=self.turn,
        )
        self.collectors[name] = collector
        observe_connector(self.observer, "source", name, lambda: collector.source)
        self.expiries.watch(self.observer, "source", name, lambda: collector.source)
        self.links.spawn(f"source/{name}", link, collector.session, collector.lost)

    def _build_source(self, name: str, options: SourceOptions, kept: dict[str, Any]) -> Source:
        return build_source(
            name,
            options,
            gateway=self.plant().gateway.id,
            site=self.plant().gateway.site,
            tags=self.tags,
            clock=self.clock,
            directory=self.directory,
            kept=kept,
        )

    def stood_still(self, since: int, until: int) -> None:
        """Note for every source that the gateway itself stood still; ns UTC."""
        for each in self.collectors.values():
            each.stood_still(since, until)

    def _start_sink(self, name: str, options: AnySink) -> None:
        rules = Rules(name, options.select, self.tags)
        if rules.thinning:
            self._thinner(name, options, rules)
        gateway = self.plant().gateway
        context = Context(
            gateway.id,
            self.tags,
            self.clock,
            history=Reader(self.directory / HISTORY) if self.plant().history.enabled else None,
            last=self.live,
            gaps=News(self.buffer, gateway.id, name, lambda: cursor.books.since),
            status=lambda: self._status(cursor.backlog(), meter),
            selects=rules.raw,
            directory=self.directory,
        )

        sink = build_sink(name, options, site=self.plant().gateway.site, context=context)
        cursor = self.buffer.cursor(
            name,
            sink.order,
            start=options.start,
            required=options.required,
            replay_rate=options.replay_rate,
        )
        self.cursors[name] = cursor
        self.sinks[name] = sink
        chosen = tuple((rule.path, rule.class_, rule.every) for rule in options.select)
        link = self.links.link(name, "sink", About("sink", options.kind, peer(options), chosen))
        selection = Selection(rules)
        meter = Meter(name, sink, self.traffic, peer=peer(options) or name, cap=options.daily_cap)
        cursor.holds_back = meter.backlog_waits
        forwarder = Forwarder(link, sink, cursor, selection, self.clock, meter=meter)
        observe_connector(self.observer, "sink", name, lambda: forwarder.sink)
        self.expiries.watch(self.observer, "sink", name, lambda: forwarder.sink)
        observe_meter(self.observer, name, meter)
        observe_backlog(self.observer, name, cursor, self.clock)
        self.links.spawn(f"sink/{name}", link, forwarder.session)

    def _thinner(self, name: str, options: AnySink, rules: Rules) -> None:
        source = thinned_source(name)
        link = self.links.link(source, "sink", About("thinner", ""))
        self._recompute(link, lambda: Thinner(name, rules, self.tags), start=options.start)

    def _start_deriver(self) -> None:
        made = formulas(self.plant())
        if made:
            link = self.links.link(DERIVED, "source", About("source", "derived"))
            self._recompute(link, lambda: Deriver(made, self.tags, self.watch), live=self.live)

    def _recompute(
        self,
        link: Link,
        build: Callable[[], Recomputing],
        start: Literal["now", "oldest"] = "now",
        live: LiveValues | None = None,
    ) -> None:
        recomputer = Recomputer(
            link, build, tags=self.tags, buffer=self.buffer, clock=self.clock, start=start, live=live
        )
        recomputer.reserve()
        self.links.spawn(link.name, link, recomputer.session, recomputer.lost)

    def _start_history(self) -> Historian:
        chosen = tuple((rule.path, rule.class_, rule.every) for rule in self.plant().history.select)
        link = self.links.link("local", "history", About("history", "history", select=chosen))
        historian = Historian(
            link,
            self.directory / HISTORY,
            self.plant().history,
            min_free=self.plant().buffer.min_free,
            tags=self.tags,
            buffer=self.buffer,
            clock=self.clock,
        )
        historian.reserve()
        observe_history(self.observer, historian)
        self.links.spawn("history", link, historian.session)
        return historian

    def _start_ledger(self) -> Bookkeeper | None:
        """Start the energy ledger where there is anything to book."""
        found = meters(self.plant())
        if not found:
            return None
        link = self.links.link("local", "energy")
        folder = Path() if self.plant_file is None else self.plant_file.parent
        keeper = Bookkeeper(
            link,
            self.directory / ENERGY,
            self.plant().energy,
            found,
            calendar_of(self.plant().energy, self.plant().gateway.zone),
            tags=self.tags,
            buffer=self.buffer,
            clock=self.clock,
            site=self.plant().gateway.site,
            choices=lambda: choices_of(self.plant(), folder),
            live=self.live,
        )
        keeper.reserve()
        observe_ledger(self.observer, keeper)
        self.links.spawn("energy", link, keeper.session)
        return keeper

    def start_days(self) -> DayBook:
        """Begin the daily record of what was delivered."""
        link = Link("days", "ledger", self.clock)
        days = DayBook(
            link, self.directory / DAYS, self.plant().gateway.zone, self.buffer.accounts, self.clock
        )
        self.links.spawn("days", link, days.session)
        return days

    def start_alarms(self) -> None:
        """Begin to look for alarms, and the webhooks that tell of them."""
        wall = look.Wall(self.clock)
        self.alarms = AlarmKeeper(
            Link("alarms", "alarms", self.clock),
            self.directory,
            plant=self.plant,
            look=partial(self._conditions, wall),
            tags=self.tags,
            live=self.live,
            buffer=self.buffer,
            clock=self.clock,
        )
        observe_alarms(self.observer, self.alarms)
        self.links.spawn("alarms", self.alarms.link, self.alarms.session)
        for name in self.plant().alarms.webhooks:
            self._start_webhook(name)

    def _conditions(self, wall: look.Wall, stands: Container[Key]) -> Iterator[Condition]:
        """Yield what may be an alarm beside the values, and of what stands whether it still does."""
        yield from look.links(self.observer.links, self.plant().alarms.link_after, stands)
        yield from self.losses.look(self.buffer.stats())
        yield from look.certificates(self.expiries.shown(), self.clock.now())
        yield from look.page_certificate(None if self.page is None else self.page.ends, self.clock.now())
        yield wall.look()
        keeper = self.booking.get("energy")
        if isinstance(keeper, Bookkeeper):
            yield from look.energy(keeper.watch.standing())

    def _start_webhook(self, name: str) -> None:
        link = self.links.link(name, "webhook")
        options = self.plant().alarms.webhooks[name]
        webhook = WebhookLink(link, options, self.alarms, self._told_by, self.clock)
        self.links.spawn(f"webhook/{name}", link, webhook.session)

    def _told_by(self) -> From:
        options = self.plant().gateway
        return From(options.id, options.site, options.zone, options.language or default_language())

    def _status(self, waiting: Backlog, meter: Meter) -> dict[str, Any]:
        """Return what a status message tells the platform."""
        return {
            "epoch": str(self.buffer.epoch),
            "lag_s": round(waiting.age_s(self.clock.now()), 1),
            "buffered": waiting.rows,
            "day_bytes": meter.today(),
        }

    def _start_page(self) -> None:
        link = Link("page", "page", self.clock)
        self.page = Page(link, self.plant().page, self.directory, self.status_port, self.plant_file)
        self.links.spawn("page", link, self.page.session)
