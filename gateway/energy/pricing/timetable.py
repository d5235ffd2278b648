"""When which band holds: a timetable in quarters of an hour, from tariffs, calendar and weather.

A tariff speaks of local wall-clock hours, our books of instants. Between them lies one table: every quarter
of an hour since 1970 UTC has one cell (entry of the plant file, local month, bill, band), so that an interval
of energy finds its price by one index. Where the calendar or the weather is not known, or no entry holds, the
quarter has no band: `UNDECIDED`, and `Timetable.open` says why. Nothing is guessed.

    local day ─ season's hours ─ overlays of its month, day type, weather ─▶ 96 quarters of the wall clock
    UTC quarter ─ the zone's offset ─▶ local day and quarter ─▶ cell

A season changes at local midnight. Hours over midnight (22:00-02:00) are both ends of the same day, so the
first of June has June's hours from 00:00 on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from config.bands import BANDS, Band
from config.calendars import Calendar, Day
from config.energy import Billing
from config.exact import QUARTER_MINUTES, quarters
from config.problems import Language, Phrase
from config.tariff_library import Terms
from config.tariffs import Overlay
from gateway.energy.pricing.bills import Bill, bills_of, month_name

QUARTER_NS: Final = QUARTER_MINUTES * 60_000_000_000
_DAY_NS: Final = 86_400_000_000_000
_QUARTERS_A_DAY: Final = 96
UNDECIDED: Final = len(BANDS)
"""Code of a quarter that has no band yet; a band's code is its place in `BANDS`."""
_CODES: Final = UNDECIDED + 1

Maxima = Mapping[date, Decimal]
"""Highest outdoor temperature of a local day, °C, where a tag measures it."""


@dataclass(frozen=True, slots=True)
class Open:
    """Something that must be known first; a key of the message catalogue with what fills it."""

    code: str
    """E-TF-0001 …"""
    args: Mapping[str, object] = field(default_factory=dict)

    def text(self, language: Language) -> str:
        """Return what to do, as a person reads it."""
        return Phrase(self.code, self.args).text(language)


@dataclass(frozen=True, slots=True)
class Plan:
    """Under which terms a plant buys: entries by date, and the calendar they go by."""

    terms: tuple[Terms, ...]
    """In the order of their days."""
    calendar: Calendar
    billing: Billing = field(default_factory=Billing)
    """When the supplier's bills begin."""
    maxima: Callable[[int, int], Maxima] | None = None
    """Tells how hot the days of a period were, where the plant measures it."""

    @property
    def zone(self) -> ZoneInfo:
        """Return the zone bills begin by."""
        return ZoneInfo(self.terms[0].tariff.time_zone)


class Slot(NamedTuple):
    """What a quarter of an hour is priced by."""

    terms: Terms | None
    """None: no entry holds."""
    month: str
    """Local month, ``2026-07``; hours and overlays are its."""
    band: Band | None
    """None: not decided."""
    bill: Bill

    def price_months(self) -> tuple[str, ...]:
        """Return the months whose prices it may have: several where the contract does not say which."""
        match self.terms.supply.contract.billed_as if self.terms else None:
            case "begins":
                return (self.bill.begins,)
            case "ends":
                return (self.bill.ends,)
            case "days":
                return (self.month,)
            case _:
                return tuple(dict.fromkeys((self.bill.begins, self.bill.ends)))


@dataclass(frozen=True, slots=True)
class BandSpan:
    """A stretch of one band."""

    start: int
    """ns UTC"""
    end: int
    band: Band | None
    """None: not decided; see `Timetable.open`."""
    tariff: str | None
    """Name of the entry's tariff; None where no entry holds."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """Bands by quarters of an hour from `first`, in quarters since 1970 UTC."""

    plan: Plan
    start: int
    end: int
    first: int
    cell: NDArray[np.int64]
    """(((entry + 1) × months + month) × bills + bill) × codes + band's code; entry -1 is none. (n,)"""
    month: int
    """Local month that `cell` counts from, in months since year 0."""
    months: int
    """How many months `cell` has room for."""
    bills: tuple[Bill, ...]
    """Those the stretch touches, in order."""
    open: tuple[Open, ...]

    def parts(self, cell: int) -> Slot:
        """Return what a cell stands for."""
        rest, code = divmod(cell, _CODES)
        rest, bill = divmod(rest, len(self.bills))
        entry, month = divmod(rest, self.months)
        name = month_name(self.month + month)
        terms = self.plan.terms[entry - 1] if entry else None
        return Slot(terms, name, None if code == UNDECIDED else BANDS[code], self.bills[bill])

    def spans(self) -> list[BandSpan]:
        """Return the stretches between `start` and `end`, in order, without hole or overlap."""
        begins = np.flatnonzero(np.append(True, self.cell[1:] != self.cell[:-1]))
        found: list[BandSpan] = []
        for begin in begins.tolist():
            terms, _, band, _ = self.parts(int(self.cell[begin]))
            at = max(self.start, (self.first + begin) * QUARTER_NS)
            name = terms.name if terms else None
            if found and (found[-1].band, found[-1].tariff) == (band, name):
                continue  # a month begins, the band goes on
            if found:
                found[-1] = BandSpan(found[-1].start, at, found[-1].band, found[-1].tariff)
            found.append(BandSpan(at, self.end, band, name))
        return found


def bands(plan: Plan, start: int, end: int, maxima: Maxima | None = None) -> list[BandSpan]:
    """Return the bands between two instants, ns UTC, for a chart."""
    return timetable(plan, start, end, maxima).spans()


def timetable(plan: Plan, start: int, end: int, maxima: Maxima | None = None) -> Timetable:
    """Return the timetable of [start, end), ns UTC; `maxima` are of local days, the plan's own if None.

    Raises:
        ValueError: the end is not behind the start, or the plan has no entry.
    """
    if end <= start or not plan.terms:
        raise ValueError("an empty stretch of time, or no tariff")
    if maxima is None and plan.maxima is not None and _asks_weather(plan):
        maxima = plan.maxima(start, end)
    first = start // QUARTER_NS
    instants = np.arange(first, -(-end // QUARTER_NS)) * QUARTER_NS
    entry_of = np.full(len(instants), -1)
    band = np.full(len(instants), UNDECIDED)
    local_month = np.zeros(len(instants), np.int64)
    opened: dict[tuple[str, str], Open] = {}
    for i, terms in enumerate(plan.terms):
        local = instants + _offsets(instants, ZoneInfo(terms.tariff.time_zone))
        day, quarter = local // _DAY_NS, local % _DAY_NS // QUARTER_NS
        days = range(int(day[0]), int(day[-1]) + 1)
        dates = [date(1970, 1, 1) + timedelta(days=each) for each in days]
        months = np.array([each.year * 12 + each.month - 1 for each in dates])
        holds = np.array(
            [terms.first <= each and (terms.last is None or each <= terms.last) for each in dates]
        )
        if i == 0:
            local_month[:] = months[day - day[0]]  # where no entry holds, months are the first one's
        mine = holds[day - day[0]]
        if not mine.any():
            continue
        rows = _rows(plan.calendar, terms, dates, holds=holds, maxima=maxima or {}, opened=opened)
        entry_of[mine], local_month[mine] = i, months[day - day[0]][mine]
        band[mine] = rows[day - day[0], quarter][mine]
    if (entry_of < 0).any():
        opened["E-TF-0001", ""] = Open("E-TF-0001")
    month = int(local_month.min())
    room = int(local_month.max()) - month + 1
    bills = bills_of(plan.billing, plan.zone, start, end)
    bill = np.searchsorted([each.first for each in bills], instants, "right") - 1
    cell = (((entry_of + 1) * room + local_month - month) * len(bills) + np.maximum(bill, 0)) * _CODES + band
    return Timetable(plan, start, end, int(first), cell, month, room, tuple(bills), tuple(opened.values()))


def _asks_weather(plan: Plan) -> bool:
    return any(overlay.weather is not None for terms in plan.terms for overlay in terms.overlays())


def local_midnight(day: date, zone: ZoneInfo) -> int:
    """Return the instant a local day begins, ns UTC."""
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1_000_000_000


def zone_offset(instant: int, zone: ZoneInfo) -> int:
    """Return local minus UTC time at an instant, ns."""
    offset = datetime.fromtimestamp(instant // 1_000_000_000, UTC).astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds()) * 1_000_000_000


def _offsets(instants: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.int64]:
    """Return local minus UTC time of each instant, ns; a zone is asked once a day unless it changes."""
    offsets = np.empty(len(instants), np.int64)
    for begin in range(0, len(instants), _QUARTERS_A_DAY):
        piece = instants[begin : begin + _QUARTERS_A_DAY]
        at_ends = {zone_offset(int(piece[0]), zone), zone_offset(int(piece[-1]), zone)}
        if len(at_ends) == 1:
            offsets[begin : begin + len(piece)] = at_ends.pop()
        else:
            offsets[begin : begin + len(piece)] = [zone_offset(int(each), zone) for each in piece]
    return offsets


def _rows(
    calendar: Calendar,
    terms: Terms,
    dates: Sequence[date],
    *,
    holds: NDArray[np.bool_],
    maxima: Maxima,
    opened: dict[tuple[str, str], Open],
) -> NDArray[np.int64]:
    """Return the codes of each local day's 96 quarters, (days, 96)."""
    seasons = _seasons(terms)
    overlays = terms.overlays()
    covered = [sorted({q for span in each.hours for q in quarters(span)}) for each in overlays]
    made: dict[tuple[object, ...], NDArray[np.int64]] = {}
    rows = np.empty((len(dates), _QUARTERS_A_DAY), np.int64)
    for i, on in enumerate(dates):
        if not holds[i]:
            continue
        states = tuple(_holds(each, on, calendar, maxima, opened) for each in overlays)
        key = (on.month, states)
        if key not in made:
            row = seasons[on.month].copy()
            for overlay, hours, state in zip(overlays, covered, states, strict=True):
                if state is not False:
                    row[hours] = UNDECIDED if state is None else BANDS.index(overlay.band)
            made[key] = row
        rows[i] = made[key]
    return rows


def _seasons(terms: Terms) -> dict[int, NDArray[np.int64]]:
    """Return the codes of a day of each month, 1 to 12, before overlays."""
    found: dict[int, NDArray[np.int64]] = {}
    chosen = terms.supply.hours
    for name, season in terms.tariff.seasons.items():
        row = np.full(_QUARTERS_A_DAY, BANDS.index("flat"))
        for band, spans in season.hours.items() if chosen != "flat" else ():
            row[[q for span in spans for q in quarters(span)]] = BANDS.index(band)
        months = range(1, 13) if chosen == name else season.months if chosen in (None, "flat") else ()
        found |= dict.fromkeys(months, row)
    return found


def _holds(
    overlay: Overlay, on: date, calendar: Calendar, maxima: Maxima, opened: dict[tuple[str, str], Open]
) -> bool | None:
    """Tell whether an overlay holds on a day; None where that can't be known yet, and note why."""
    month = f"{on.year:04}-{on.month:02}"
    if not overlay.in_month(month):
        return False
    by_day = _on_day(overlay, calendar.day(on)) if overlay.days or overlay.festivals else True
    if by_day is None:
        is_year = calendar.day(on) is None
        note = Open("E-TF-0002", {"year": on.year}) if is_year else Open("E-TF-0003")
        opened.setdefault((note.code, str(on.year) if is_year else ""), note)
    if by_day is not True or overlay.weather is None:
        return by_day
    listed = calendar.options.hot_days.get(month)
    if listed is not None:
        return on.day in listed
    if on in maxima:
        return maxima[on] >= overlay.weather.max_temperature_at_least
    opened.setdefault(("E-TF-0004", month), Open("E-TF-0004", {"month": month}))
    return None


def _on_day(overlay: Overlay, day: Day | None) -> bool | None:
    if day is None:
        return None
    if overlay.days in ("workday", "weekend"):
        return day.kind == overlay.days
    if day.kind != "holiday":
        return False
    if overlay.festivals is not None:
        return day.festival in overlay.festivals
    return day.is_major if overlay.days == "major_holiday" else True
