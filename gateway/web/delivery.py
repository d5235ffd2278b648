"""The Delivery view's routes: the books of every sink, its pace, its quarantine, the gaps."""

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Final

from fastapi import FastAPI, Query

from config.reasons import in_words
from gateway.buffer.state import NAME as STATE
from gateway.energy.bookkeeping.link import CURSOR as ENERGY_SINK
from gateway.history.link import CURSOR as HISTORY_SINK
from gateway.ledger import Account, Entry
from gateway.ledger import Gap as NotedGap
from gateway.ledger.days import DAYS, Day, read_days
from gateway.ledger.gap import COLUMNS, LINK_DOWN, from_row
from gateway.sqlite import connect_for_reading
from gateway.told import LinkTold, Told
from gateway.web.delivery_models import (
    Counted,
    Delivery,
    Gap,
    GapPage,
    LedgerDay,
    LedgerDays,
    LedgerLine,
    Refused,
    SinkLedger,
    SinkRole,
    South,
)
from gateway.web.models import Mistake, Whole
from gateway.web.refused import PageRefused
from gateway.web.rows import ms
from gateway.web.view import View

MOST_GAPS: Final = 200
MOST_DAYS: Final = 92
_ROLES: Final[tuple[SinkRole, ...]] = ("sink", "history", "energy", "reader", "removed")
_OWN: Final[dict[str, SinkRole]] = {HISTORY_SINK: "history", ENERGY_SINK: "energy"}
_NOT_TAKEN: Final = (
    *(
        "malformed",
        "too_large",
        "unmatched",
        "unsupported",
        "unnameable",
        "clashing",
        "own_output",
        "over_limit",
    ),
    *(
        "values_missing",
        "before_birth",
        "unknown_aliases",
        "dropped",
        "missed",
        "overflows",
        "cut",
        "strange",
    ),
    *("type_mismatches", "rejected_replies", "late_replies", "unasked_replies", "overruns", "poll_overruns"),
)
"""Counters of sources that tell of something that came and was not taken, or should have come and did not."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What the gateway told at one moment, for the pace."""

    now: int
    acquired: Mapping[str, int]
    waiting: Mapping[str, int]


class Pace:
    """Rows a second in and out of every sink's backlog, from one look at the gateway to the next."""

    def __init__(self) -> None:
        self._last: _Look | None = None
        self._rates: dict[str, tuple[float, float]] = {}

    def of(self, told: Told) -> Mapping[str, tuple[float, float]]:
        """Return (in, out) by sink, smoothed over some looks."""
        last = self._last
        if last is not None and 0 <= told.now - last.now < 500_000_000:
            return self._rates
        look = _Look(
            told.now,
            {each.sink: sum(entry.acquired for entry in each.entries) for each in told.accounts},
            {each.sink: each.counted for each in told.accounts},
        )
        self._last = look
        if last is None or look.now <= last.now:
            return self._rates
        seconds = (look.now - last.now) / 1e9
        for sink, acquired in look.acquired.items():
            if sink in last.acquired:
                came = max(0, acquired - last.acquired[sink]) / seconds
                went = max(0.0, came - (look.waiting[sink] - last.waiting[sink]) / seconds)
                before = self._rates.get(sink, (came, went))
                self._rates[sink] = (0.7 * before[0] + 0.3 * came, 0.7 * before[1] + 0.3 * went)
        return self._rates


def add_delivery(app: FastAPI, view: View) -> None:
    """Add the routes."""
    pace = Pace()
    store = view.store

    @app.get("/api/delivery", responses={503: {"model": Mistake}})
    async def read_delivery() -> Delivery:
        await view.fresh()
        if view.told is None:
            raise PageRefused(503, "E-PG-0017")
        refused = await asyncio.to_thread(_refused, store)
        total, lasting, _ = await asyncio.to_thread(_gaps, store, 0, 0)
        return delivery(view.told, pace.of(view.told), refused, answers=view.answers, gaps=(total, lasting))

    @app.get("/api/gaps")
    async def read_gaps(offset: Whole = 0, limit: Annotated[int, Query(ge=1, le=MOST_GAPS)] = 50) -> GapPage:
        total, lasting, found = await asyncio.to_thread(_gaps, store, offset, limit)
        return GapPage(total=total, lasting=lasting, offset=offset, gaps=[gap_answer(each) for each in found])

    @app.get("/api/ledger")
    async def read_ledger(
        first: Annotated[date, Query()], last: Annotated[date, Query()], sink: str | None = None
    ) -> LedgerDays:
        if not 0 <= (last - first).days < MOST_DAYS:
            raise PageRefused(422, "E-PG-0034", most=MOST_DAYS)
        try:
            found = await asyncio.to_thread(read_days, view.directory / DAYS, first, last)
        except sqlite3.Error:
            found = []
        wanted = [each for each in found if sink in (None, each.sink)]
        return LedgerDays(days=[day_answer(each) for each in reversed(wanted)])


def delivery(
    told: Told,
    rates: Mapping[str, tuple[float, float]],
    refused: Mapping[str, list[Refused]],
    *,
    answers: bool,
    gaps: tuple[int, int],
) -> Delivery:
    """Return what the view shows."""
    links = {link.name: link for link in told.links if link.about.role == "sink"}
    history = next((link for link in told.links if link.about.role == "history"), None)
    sinks = []
    for each in told.accounts:
        link = history if each.sink == HISTORY_SINK else links.get(each.sink)
        role = _role(each, is_platform=link is not None)
        sinks.append(
            _sink(
                *(each, role, link, rates.get(each.sink), refused.get(each.sink, [])),
                holds_s=told.store.get("holds_seconds"),
            )
        )
    return Delivery(
        now=told.now // 1_000_000,
        answers=answers,
        holds=all(each.holds for each in sinks),
        sinks=sorted(sinks, key=lambda each: (_ROLES.index(each.role), each.sink)),
        south=[
            South(source=link.name, refused=counted)
            for link in told.links
            if link.about.role == "source"
            and (counted := _counted({name: int(link.counts.get(name, 0)) for name in _NOT_TAKEN}))
        ],
        gaps=gaps[0],
        gaps_lasting=gaps[1],
    )


def line_answer(entry: Entry) -> LedgerLine:
    """Return a line of the books as the page shows it."""
    return LedgerLine(
        source=entry.source,
        acquired=entry.acquired,
        delivered=entry.delivered,
        buffered=entry.buffered,
        not_selected=entry.not_selected,
        quarantined=entry.quarantined,
        dropped=sum(entry.dropped.values()),
        dropped_by=_counted(entry.dropped),
        again=entry.again,
        holds=entry.holds,
    )


def day_answer(day: Day) -> LedgerDay:
    """Return a line of the daily record as the page shows it."""
    return LedgerDay(
        day=day.day.isoformat(),
        sink=day.sink,
        noted=day.noted // 1_000_000,
        holds=day.holds,
        line=line_answer(day.moved),
        buffered=day.stood.buffered,
        quarantined=day.stood.quarantined,
    )


def gap_answer(gap: NotedGap) -> Gap:
    """Return a gap as the page shows it."""
    return Gap(
        id=gap.id,
        noted=gap.noted // 1_000_000,
        reason=gap.reason,
        start=ms(gap.start or 0),
        end=ms(gap.end or 0),
        lasts=gap.lasts,
        sources=[Counted(code=source, count=rows) for source, rows in sorted(gap.sources.items())],
        devices=list(gap.devices),
        tags=gap.tags,
        sinks=[Counted(code=sink, count=rows) for sink, rows in sorted(gap.sinks.items())],
        rows=gap.rows,
        batches=gap.batches,
        first_seq=gap.first_seq or None,
        last_seq=gap.last_seq or None,
    )


def _sink(
    account: Account,
    role: SinkRole,
    link: LinkTold | None,
    rates: tuple[float, float] | None,
    refused: list[Refused],
    *,
    holds_s: float | None,
) -> SinkLedger:
    lag_s = None if link is None else link.counts.get("backlog_oldest_seconds", 0.0)
    came, went = rates or (None, None)
    shrinks = came is not None and went is not None and went > came and account.counted > 0
    return SinkLedger(
        sink=account.sink,
        role=role,
        kind="" if link is None else link.about.kind,
        peer="" if link is None else link.about.peer,
        state=None if link is None else link.state.value,
        error="" if link is None else link.error,
        error_zh="" if link is None else in_words(link.error, "zh"),
        since=account.since // 1_000_000,
        removed=ms(account.parked or 0),
        holds=account.holds,
        total=line_answer(account.total),
        lines=[line_answer(entry) for entry in account.entries],
        backlog=account.counted,
        lag_s=None if lag_s is None else round(lag_s, 1),
        in_rows_per_s=None if came is None else round(came, 1),
        out_rows_per_s=None if went is None else round(went, 1),
        left_s=round(account.counted / (went - came), 1) if shrinks and went and came is not None else None,
        room_s=_room_s(holds_s, lag_s) if account.counted else None,
        refused=refused,
    )


def _room_s(holds_s: float | None, lag_s: float | None) -> float | None:
    return None if holds_s is None or lag_s is None else round(max(0.0, holds_s - lag_s), 1)


def _role(account: Account, *, is_platform: bool) -> SinkRole:
    if account.parked is not None:
        return "removed"
    return _OWN.get(account.sink) or ("sink" if is_platform else "reader")


def _counted(counts: Mapping[str, int]) -> list[Counted]:
    return [Counted(code=code, count=count) for code, count in sorted(counts.items()) if count]


def _refused(store: Path) -> dict[str, list[Refused]]:
    """Return what is in quarantine, by sink and what the platform said."""
    query = (
        "SELECT sink, reason, count(*), sum(rows), min(noted), max(noted), sum(rows * retry)"
        " FROM quarantine GROUP BY sink, reason ORDER BY sink, sum(rows) DESC"
    )
    found: dict[str, list[Refused]] = {}
    try:
        with closing(connect_for_reading(store / STATE, sealed=False)) as connection:
            for sink, reason, entries, rows, first, last, retry in connection.execute(query):
                refused = Refused(
                    reason=reason,
                    entries=entries,
                    rows=rows,
                    first=first // 1_000_000,
                    last=last // 1_000_000,
                    retry=retry,
                )
                found.setdefault(sink, []).append(refused)
    except sqlite3.Error:
        return {}
    return found


def _gaps(store: Path, offset: int, limit: int) -> tuple[int, int, list[NotedGap]]:
    """Return how many there are, how many of them last, and a part of them, the newest first."""
    try:
        with closing(connect_for_reading(store / STATE, sealed=False)) as connection:
            (total,) = connection.execute("SELECT count(*) FROM gaps").fetchone()
            query = "SELECT count(*) FROM gaps WHERE reason = ? AND end IS NULL"
            (lasting,) = connection.execute(query, (LINK_DOWN,)).fetchone()
            query = f"SELECT {COLUMNS} FROM gaps ORDER BY noted DESC, id DESC LIMIT ? OFFSET ?"  # noqa: S608  our own
            rows = connection.execute(query, (limit, offset)).fetchall()
    except sqlite3.Error:
        return 0, 0, []
    return int(total), int(lasting), [from_row(row) for row in rows]
