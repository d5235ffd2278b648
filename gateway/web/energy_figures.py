"""Rows of one metric: energy, load, demand, cost, standard coal, carbon; parts that add up to their total."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from typing import Final

from config.problems import Phrase
from gateway.energy import flags as f
from gateway.energy.carbon.exact import telescoped
from gateway.energy.figures import Answer, Figure, Peak, rounded, sum_of
from gateway.energy.periods import HOUR_NS, Span
from gateway.web.energy_books import Accounts, begun
from gateway.web.energy_models import BandCost, EnergyCharge, EnergyRow, Every, FactorUsed, Wanted

MOST_ROWS: Final = 3_000
PLACES: Final = 6
"""Of amounts: a millionth of the books' unit, finer than the quantum of nearly every meter."""
_MS: Final = 1_000_000
NOTHING_COVERED: Final = Fraction(0)


class TooMany(Exception):
    """More rows were asked for than are answered at once."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question; ns UTC."""

    subject: str
    medium: str
    interval: Every
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it."""

    answer: Answer
    unit: str
    values: Sequence[Fraction | None]
    """Exact, one per figure."""
    total: Fraction | None
    adds: bool = True
    places: int = PLACES
    has_bounds: bool = False
    band_costs: list[BandCost] = field(default_factory=list)
    charges: list[EnergyCharge] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    factors: list[FactorUsed] = field(default_factory=list)


def energy(accounts: Accounts, asked: Asked) -> Answer:
    """Return what the books say of the intervals that have begun. Raises TooMany, and as `Query.energy`."""
    last = max(asked.first + 1, begun(accounts, asked.last))
    shortest = {"15min": HOUR_NS // 4, "60min": HOUR_NS}.get(asked.interval, 24 * HOUR_NS // 8)
    if (last - asked.first) // shortest > MOST_ROWS:
        raise TooMany
    answer = accounts.query.energy(asked.subject, asked.interval, asked.first, last, asked.medium)
    return answer if accounts.now() > asked.first else replace(answer, figures=())


def amounts(accounts: Accounts, asked: Asked) -> Found:
    """Return the energy itself."""
    return amounts_of(energy(accounts, asked))


def amounts_of(answer: Answer) -> Found:
    """Return the energy of an answer."""
    values = [answer.amount(each) for each in answer.figures]
    return Found(answer, answer.unit, values, _sum(values), has_bounds=True)


def load(accounts: Accounts, asked: Asked) -> Found:
    """Return the mean power of each interval, from boundary to boundary."""
    return load_of(energy(accounts, asked))


def load_of(answer: Answer) -> Found:
    """Return the mean power in an answer."""
    values: list[Fraction | None] = []
    for each in answer.figures:
        amount, long = answer.amount(each), each.span.last - each.span.first
        # Energy of a part of an interval's time is no mean of the interval.
        values.append(amount * HOUR_NS / long if amount is not None and each.is_whole else None)
    told = [each for each in values if each is not None]
    mean = sum(told, Fraction(0)) / len(told) if told else None
    unit = "kW" if answer.unit == "kWh" else f"{answer.unit}/h"
    return Found(answer, unit, values, mean, adds=False, places=3)


def demand(accounts: Accounts, asked: Asked) -> Found:
    """Return the highest quarter of an hour of each interval, by the clock."""
    answer = energy(accounts, asked)
    last = max(asked.first + 1, begun(accounts, asked.last))
    peaks: Sequence[Peak] = accounts.query.demand(
        asked.subject, asked.interval, asked.first, last, asked.medium
    )
    values = [each.fixed for each in peaks[: len(answer.figures)]]
    known = [each for each in values if each is not None]
    return Found(answer, "kW", values, max(known, default=None), adds=False, places=3)


def undecided(accounts: Accounts, asked: Asked) -> list[Wanted]:
    """Return what to enter before it is known on which days shifts begin."""
    if asked.interval != "shift":
        return []
    years = accounts.query.calendar.undecided(asked.first, max(asked.first + 1, begun(accounts, asked.last)))
    notes = [Phrase("E-TF-0002", {"year": year}) for year in years]
    return [Wanted(choice="calendar", en=each.text("en"), zh=each.text("zh")) for each in notes]


def rows(accounts: Accounts, found: Found) -> tuple[list[EnergyRow], EnergyRow]:
    """Return the rows and the total; shown parts add up to the shown total, digit by digit."""
    now = accounts.now()
    shown = _shown(found.values, found.places, adds=found.adds)
    figures = found.answer.figures
    made = [_row(found, each, text, now) for each, text in zip(figures, shown, strict=True)]
    total = sum_of(figures, Span(0, 0)) if figures else found.answer.total
    if found.total is None:
        text = None
    elif found.adds:
        text = f"{sum((Decimal(each) for each in shown if each is not None), Decimal(0)):f}"
    else:
        text = f"{rounded(found.total, found.places):f}"
    whole = _row(found, total, text, now)
    passed = sum(max(0, min(each.span.last, now) - each.span.first) for each in figures)
    covered = sum((each.covered * (each.span.last - each.span.first) for each in figures), NOTHING_COVERED)
    complete = float(min(Fraction(1), covered / passed)) if passed else 0.0
    # The bounds of a total are those of its two ends, which only the books know.
    bounds = found.answer.total if found.has_bounds and found.answer.total.quanta is not None else None
    return made, whole.model_copy(
        update={"completeness": complete, **(_bounds(found, bounds) if bounds else {})}
    )


def _row(found: Found, figure: Figure, value: str | None, now: int) -> EnergyRow:
    measured, estimated, manual = figure.shares() if value is not None else (NOTHING_COVERED,) * 3
    long = figure.span.last - figure.span.first
    passed = max(1, min(figure.span.last, now) - figure.span.first)
    return EnergyRow(
        start=figure.span.first // _MS,
        end=figure.span.last // _MS,
        label=figure.span.label,
        value=value,
        **(_bounds(found, figure) if value is not None else {"at_least": None, "at_most": None}),
        measured=float(measured),
        estimated=float(estimated),
        manual=float(manual),
        completeness=float(min(Fraction(1), figure.covered * long / passed)),
        revision=figure.revision,
        flags=f.words(figure.flags),
        closed=figure.is_closed,
    )


def _bounds(found: Found, figure: Figure) -> dict[str, str | None]:
    if not found.has_bounds or figure.quanta is None:
        return {"at_least": None, "at_most": None}
    quantum = found.answer.quantum
    return {
        "at_least": f"{rounded((figure.quanta - figure.below) * quantum, found.places):f}",
        "at_most": f"{rounded((figure.quanta + figure.above) * quantum, found.places):f}",
    }


def _shown(values: Sequence[Fraction | None], places: int, *, adds: bool) -> list[str | None]:
    known = [each for each in values if each is not None]
    cut: Callable[[Sequence[Fraction]], list[Decimal]] = (
        (lambda parts: telescoped(parts, places))
        if adds
        else (lambda parts: [rounded(each, places) for each in parts])
    )
    texts = iter([f"{each:f}" for each in cut(known)])
    return [None if each is None else next(texts) for each in values]


def _sum(values: Sequence[Fraction | None]) -> Fraction | None:
    known = [each for each in values if each is not None]
    return sum(known, Fraction(0)) if known else None
