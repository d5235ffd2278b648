"""The big figures: power now; energy, cost, standard coal and carbon of today, each against earlier days.

Every amount comes from where the energy and carbon views have theirs; only what is set against each other is
chosen here. Raises NoSuchFigure where nothing is metered, NoBooks before anything is booked.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final, NamedTuple

from gateway.energy.figures import Answer, Figure, rounded
from gateway.energy.periods import HOUR_NS, MINUTE_NS, QUARTER_NS
from gateway.energy.running import running
from gateway.web.energy_cost import NO_TARIFF, bands
from gateway.web.energy_figures import Found, rows
from gateway.web.energy_models import EnergyRow
from gateway.web.today.against import against, over_of, paired, sum_of
from gateway.web.today.days import BACK, MEDIUM, Days, Earlier
from gateway.web.today.models import FigureName, TodayAgainst, TodayFigure

MS: Final = 1_000_000
_KW_PLACES: Final = 3
_RECENT: Final = 3
"""Readings that are so many scans old still tell the power of now …"""
_RECENT_NS: Final = 2 * MINUTE_NS
"""… and those of so long ago, whatever the scan."""
_COVERED: Final = Fraction(9, 10)
"""Of a quarter of an hour so much was read as it should be, else it tells nothing of now."""
UNITS: Final[dict[FigureName, str]] = {
    "power": "kW", "energy": "kWh", "cost": "CNY", "coal": "kgce", "co2": "kgCO2"
}  # fmt: skip


DOUBTS: Final = ("overlap", "negative")
"""Some meters may count the same energy; meters contradict each other."""


class _Power(NamedTuple):
    kw: Fraction
    first: int
    last: int
    row: EnergyRow | None
    """The quarter of an hour it is the mean of; None: of the newest minutes."""


def power_of(days: Days) -> TodayFigure:
    """Return the power of the last minute or two, else of the last quarter of an hour that is known."""
    made, _ = rows(days.accounts, days.load())
    now = _now(days) or _quarter(days, made)
    if now is None:
        return nothing(days, "power")
    clock = days.accounts.query.calendar.local((now.first + now.last) // 2)
    return nothing(days, "power").model_copy(
        update={
            "value": f"{rounded(now.kw, _KW_PLACES):f}",
            "start": now.first // MS,
            "end": now.last // MS,
            "until": now.last // MS,
            "against": [_at_clock(days, day, now.kw, (clock.hour, clock.minute // 15)) for day in BACK],
            **({"measured": 1.0, "completeness": 1.0} if now.row is None else worth(now.row)),
        }
    )


def _now(days: Days) -> _Power | None:
    query = days.accounts.query
    told = running(query, days.site, MEDIUM)
    if told is None:
        return None
    scan = max(meter.scan for meter, _ in query.made(days.site, MEDIUM).terms)
    if days.accounts.now() - told.at > max(_RECENT * scan, _RECENT_NS):
        return None
    return _Power(told.power, told.at - MINUTE_NS, told.at, None)


def _quarter(days: Days, made: Sequence[EnergyRow]) -> _Power | None:
    """Return the newest known quarter of an hour that is over, for an hour."""
    now = days.accounts.now()
    for row in reversed(made):
        last = row.end * MS
        if now - last > HOUR_NS:
            return None
        if last <= now and row.value is not None:
            return _Power(Fraction(row.value), row.start * MS, last, row)
    return None


def _at_clock(days: Days, day: Earlier, kw: Fraction, clock: tuple[int, int]) -> TodayAgainst:
    found, local = days.load(BACK[day]), days.accounts.query.calendar.local
    for figure, then in zip(found.answer.figures, found.values, strict=True):
        at = local(figure.span.first)
        if (at.hour, at.minute // 15) == clock:
            return against(day, kw, then, _KW_PLACES)
    return against(day, kw, None, _KW_PLACES)


def energy_of(days: Days) -> TodayFigure:
    """Return the energy the site took today."""
    power = power_now(days)
    return _summed(days, "energy", days.energy(), [days.energy(back) for back in BACK.values()]).model_copy(
        update={"hourly": None if power is None else f"{rounded(power, _KW_PLACES):f}"}
    )


def cost_of(days: Days) -> TodayFigure:
    """Return what that energy costs; without a tariff what to enter."""
    if days.accounts.tariff is None:
        return nothing(days, "cost").model_copy(update={"wanted": [NO_TARIFF]})
    found = days.cost()
    hourly = _hourly_cost(days, found)
    return _summed(days, "cost", found, [days.cost(back) for back in BACK.values()]).model_copy(
        update={"hourly": None if hourly is None else f"{rounded(hourly, found.places):f}"}
    )


def power_now(days: Days) -> Fraction | None:
    """Return the power of the last minute or two, kW; None where the readings do not tell."""
    now = _now(days)
    return None if now is None else now.kw


def rate_now(days: Days, medium: str, answer: Answer) -> Fraction | None:
    """Return what is taken of a medium now, units an hour; None where its meters do not tell.

    Of electricity it is the power. Other counters are coarse, no cubic metre passes every minute: of those it
    is the mean of the newest quarter of an hour, where they are read that often.
    """
    if medium == MEDIUM:
        return power_now(days)
    known = [answer.amount(each) for each in answer.figures]
    newest = _newest_quarter(days, answer.figures, known)
    if newest is None or max(meter.scan for meter, _ in answer.made.terms) > QUARTER_NS:
        return None
    amount = known[newest]
    is_covered = answer.figures[newest].covered >= _COVERED
    return amount * HOUR_NS / QUARTER_NS if amount is not None and is_covered else None


def _newest_quarter(days: Days, figures: Sequence[Figure], known: Sequence[Fraction | None]) -> int | None:
    """Return the newest quarter of an hour of today that is over and known, if it ended within the hour."""
    over = over_of(days.accounts, figures, known)
    return over[-1] if over and days.accounts.now() - figures[over[-1]].span.last < HOUR_NS else None


def _hourly_cost(days: Days, found: Found) -> Fraction | None:
    """Return what an hour costs at the power of now and the price of now: the last quarter's, in one band."""
    power, energy = power_now(days), days.energy().values
    newest = _newest_quarter(days, found.answer.figures, found.values)
    if power is None or newest is None:
        return None
    yuan, kwh = found.values[newest], energy[newest]
    first, now = found.answer.figures[newest].span.first, days.accounts.now()
    if yuan is None or not kwh or len(bands(days.accounts, first, now)) != 1:
        return None
    return power * yuan / kwh


def _summed(days: Days, name: FigureName, found: Found, earlier: Sequence[Found]) -> TodayFigure:
    mine, accounts = found.answer.figures, days.accounts
    told = []
    for day, before in zip(BACK, earlier, strict=True):
        pairs = paired(accounts, mine, found.values, before.answer.figures, before.values)
        now = sum_of([found.values[i] for i, _ in pairs])
        told.append(against(day, now, sum_of([before.values[j] for _, j in pairs]), found.places))
    over = over_of(accounts, mine, found.values)
    so_far = sum_of([found.values[i] for i in over])
    _, total = rows(accounts, found)
    figure = nothing(days, name)
    return figure.model_copy(
        update={
            "value": total.value,
            "so_far": None if so_far is None else f"{rounded(so_far, found.places):f}",
            "until": mine[over[-1]].span.last // MS if over else figure.until,
            "against": told,
            "wanted": found.wanted,
            "notes": found.notes,
            "doubts": [each for each in total.flags if each in DOUBTS],
            **worth(total),
        }
    )


def worth(row: EnergyRow) -> dict[str, float]:
    """Return how sure a row is."""
    names = ("measured", "estimated", "manual", "completeness")
    return {name: getattr(row, name) for name in names}


def nothing(days: Days, name: FigureName) -> TodayFigure:
    """Return a figure of which nothing is known."""
    today, grid = days.day(), days.accounts.query.calendar.grid
    reached = min(today.last, -(-days.accounts.now() // grid) * grid)
    return TodayFigure(
        name=name, unit=UNITS[name], value=None, start=today.first // MS, end=reached // MS,
        hourly=None, hourly_without=[], so_far=None, until=today.first // MS, against=[],
        measured=0.0, estimated=0.0, manual=0.0, completeness=0.0, wanted=[], notes=[], doubts=[],
    )  # fmt: skip
