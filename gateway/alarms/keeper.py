"""The alarms of a running gateway: looks once a second, keeps the table, stores events like readings.

    what is known ─look─▶ conditions ─engine─▶ turns ─▶ table on disk ─┬─▶ tags of our own, every sink
                                                 people act ──▶ ┘      └─▶ webhooks, each at its own pace

The table comes first: what is told was noted before. The number of the last event lies with the rows in the
log, so a kill in between repeats no event and loses none. Nothing here runs where values pass through.
"""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Container, Iterable, Sequence
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import orjson

from config.plant import Plant
from connectors import Clock, NotConnected, TagTable
from gateway.alarms.condition import Condition, Key, Turn
from gateway.alarms.engine import Engine
from gateway.alarms.limits import Limits
from gateway.alarms.table import ALARMS, Alarm, Event, Table
from gateway.alarms.tags import SOURCE, AlarmTags
from gateway.beat import until_beat
from gateway.buffer import DiskBuffer
from gateway.buffer.contract import StoreFailed
from gateway.buffer.repair import set_aside
from gateway.history.files import is_damage
from gateway.live import LiveValues
from gateway.sqlite import NewerFormat
from gateway.supervise import Link, LinkState

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)
LOOK_S: Final = 1.0
_AT_ONCE: Final = 100
"""Events stored in one look: a thousand alarms at once come over some seconds."""
_STORED: Final = ""
"""Who has told what is stored as rows, among those who tell events."""


class AlarmKeeper:
    """The alarms over all their sessions."""

    def __init__(
        self,
        link: Link,
        directory: Path,
        *,
        plant: Callable[[], Plant],
        look: Callable[[Container[Key]], Iterable[Condition]],
        tags: TagTable,
        live: LiveValues,
        buffer: DiskBuffer,
        clock: Clock,
    ) -> None:
        self.link = link
        self._path = directory / ALARMS
        self._plant = plant
        self._look = look
        self._tags = tags
        self._live = live
        self._buffer = buffer
        self._clock = clock
        self._table = Table(self._path)
        self._one_at_a_time = threading.Lock()
        self._limits: tuple[Plant, Limits] | None = None
        self._news = asyncio.Event()
        self._opened = asyncio.Event()
        self.heard = asyncio.Condition()
        """Notified when there are new events."""
        self.counts: dict[str, int] = {}
        """Alarms that stand by kind, and `unacknowledged`."""

    async def session(self) -> None:
        """Keep the alarms; NotConnected when the disk does not take them."""
        try:
            await self._ask(self._open)
            engine = Engine(await self._ask(self._table.standing))
            known = self._buffer.resume_token(SOURCE) is not None
            tags = AlarmTags(self._tags, self._plant().gateway.site, is_known=known)
            self.link.become(LinkState.CONNECTED)
            self._opened.set()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch(engine))
                group.create_task(self._store(tags))
        finally:
            self._opened.clear()
            await self._ask(self._table.close)

    def gauges(self) -> dict[str, float]:
        """Return the alarms that stand, for metrics."""
        unacknowledged = self.counts.get("unacknowledged", 0)
        active = sum(count for kind, count in self.counts.items() if kind != "unacknowledged")
        return {"active": active, "unacknowledged": unacknowledged}

    async def acknowledge(self, number: int, who: str, note: str) -> Alarm | None:
        """Note that somebody has seen it; raises NotConnected."""
        return await self._act(self._table.acknowledge, number, self._clock.now(), who, note)

    async def shelve(self, number: int, who: str, note: str, *, until: int) -> Alarm | None:
        """Let nobody be told until then, a time that is over: let them be told again; raises NotConnected."""
        return await self._act(self._table.shelve, number, self._clock.now(), who, note, until=until)

    async def events_for(self, who: str, most: int) -> Sequence[Event]:
        """Return what somebody has not told yet, waiting for it; who is new begins with what comes next."""
        while True:
            await self._opened.wait()
            async with self.heard:
                found = await self._ask(self._untold, who, most)
                if found:
                    return found
                await self.heard.wait()

    async def told(self, who: str, number: int) -> None:
        """Remember the last event somebody has told."""
        await self._ask(self._table.tell, who, number)

    async def _act(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        found = await self._ask(call, *args, **kwargs)
        await self._count()
        return found

    async def _watch(self, engine: Engine) -> None:
        await self._count()
        while True:
            now = self._clock.now()
            limits = await self._bounds()
            conditions = [*self._look(engine.active), *limits.look(engine.active)]
            turns = engine.look(conditions, self._clock.monotonic())
            if turns or self._table.has_shelves_to_end(now):
                await self._ask(self._table.write, turns, now)
                for each in turns:
                    _say(each)
                await self._count()
            await asyncio.sleep(until_beat(self._clock, LOOK_S))

    async def _bounds(self) -> Limits:
        """Return the bounds of the plant's tags, put into columns anew when the plant has changed."""
        plant = self._plant()
        if self._limits is None or self._limits[0] is not plant:
            self._limits = plant, await asyncio.to_thread(Limits, plant, self._tags, self._live)
        return self._limits[1]

    async def _count(self) -> None:
        self.counts = await self._ask(self._table.counts, self._clock.now())
        self._news.set()
        async with self.heard:
            self.heard.notify_all()

    async def _store(self, tags: AlarmTags) -> None:
        """Append events to the log; while it takes nothing they wait in the table."""
        told = await self._ask(self._last_stored)
        while True:
            self._news.clear()
            events = await self._ask(self._table.events, told, _AT_ONCE)
            batch = tags.batch(events, self.counts, self._clock.now())
            if batch is not None:
                last = events[-1].number if events else told
                token = orjson.dumps({"table": self._table.identity, "event": last})
                try:
                    receipt = await self._buffer.append(SOURCE, batch, token)
                    self._live.put(batch, batch)
                    await receipt
                except StoreFailed:
                    tags.forget()
                else:
                    told = last
                    await self._ask(self._table.tell, _STORED, told)
            if len(events) < _AT_ONCE:
                await self._news.wait()
            await asyncio.sleep(until_beat(self._clock, LOOK_S))

    def _last_stored(self) -> int:
        token = self._buffer.resume_token(SOURCE)
        if token is not None:
            kept = orjson.loads(token)
            if kept["table"] == self._table.identity:
                return int(kept["event"])
        # The log began anew, or the table did: what the table knows to be stored, else nothing is.
        return self._table.told(_STORED) or 0

    def _untold(self, who: str, most: int) -> Sequence[Event]:
        last = self._table.told(who)
        if last is None:
            last = self._table.newest()
            self._table.tell(who, last)
        return self._table.events(last, most)

    def _open(self) -> None:
        try:
            self._table.open()
        except sqlite3.DatabaseError as exc:
            if not is_damage(exc):
                raise
            bad = set_aside(self._path)
            log.error("the table of alarms is damaged and begins anew", extra={"file": bad.name})  # noqa: TRY400
            self._table.open()

    async def _ask(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the table in a thread, one call at a time; NotConnected when the disk refuses."""

        def alone() -> T:
            # Who is cancelled leaves a thread behind that still uses the table.
            with self._one_at_a_time:
                return call(*args, **kwargs)

        try:
            return await asyncio.to_thread(alone)
        except NewerFormat as exc:
            raise NotConnected(str(exc), needs_a_person=True) from exc
        except (sqlite3.Error, OSError) as exc:
            raise NotConnected(f"alarms are not kept: {exc}") from exc


def _say(turn: Turn) -> None:
    """Write what nobody else has written into the program's log."""
    each = turn.condition
    if each.kind != "limit":
        return
    facts = {"alarm": each.kind, "subject": each.subject, "severity": each.severity, "code": each.code}
    if turn.what == "cleared":
        log.info("alarm over", extra=facts)
    else:
        log.warning("alarm", extra=facts | {"facts": each.facts})
