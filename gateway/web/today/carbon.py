"""Standard coal and carbon of all that the site takes today, by the arithmetic of the carbon view."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final, Literal

from gateway.energy.carbon.coal import standard_coal
from gateway.energy.carbon.exact import rounded
from gateway.energy.carbon.figure import Figure
from gateway.energy.carbon.inventory import inventory
from gateway.energy.carbon.refused import Refused
from gateway.energy.figures import Answer
from gateway.energy.results.booked import quantity
from gateway.web.energy_carbon import wanted
from gateway.web.energy_figures import Found, rows
from gateway.web.energy_models import Wanted
from gateway.web.energy_tree import medium_told
from gateway.web.today.against import against, over_of, paired
from gateway.web.today.days import BACK, Days
from gateway.web.today.figures import MS, nothing, rate_now
from gateway.web.today.models import TodayAgainst, TodayFigure

Name = Literal["coal", "co2"]
_NAMES: Final[tuple[Name, Name]] = ("coal", "co2")
_PLACES: Final = 3
_Sums = dict[Name, Fraction | None]


def carbon_of(days: Days) -> list[TodayFigure]:
    """Return standard coal by heat content, and CO2 of scopes 1 and 2 by location.

    Raises NoSuchFigure where nothing with carbon is metered, and as `Query.energy`.
    """
    try:
        made = days.made()
    except Refused as exc:
        lack = Wanted(choice=exc.code, en=exc.text("en"), zh=exc.text("zh"))
        return [nothing(days, name).model_copy(update={"wanted": [lack]}) for name in _NAMES]
    scope_1, location, _, coal, _ = made.figures
    parts: dict[Name, Sequence[Figure]] = {"coal": [coal], "co2": [scope_1, location]}
    now = days.media()
    over = sorted(
        set.intersection(*(set(over_of(days.accounts, each.figures, _known(each))) for each in now.values()))
    )
    so_far = _sums(days, now, over)
    hourly = {name: _hourly(days, now, parts[name]) for name in _NAMES}
    figures = next(iter(now.values())).figures
    told: dict[Name, list[TodayAgainst]] = {name: [] for name in _NAMES}
    for day, back in BACK.items():
        mine, theirs = _side_by_side(days, now, days.media(back))
        for name in _NAMES:
            told[name].append(against(day, mine[name], theirs[name], _PLACES))
    complete = min((_complete(days, each) for each in now.values()), default=0.0)
    return [
        nothing(days, name).model_copy(
            update={
                "value": _text(_whole(parts[name])),
                "hourly": _text(hourly[name][0]),
                "hourly_without": [medium_told(each) for each in hourly[name][1]],
                "so_far": _text(so_far[name]),
                "until": (figures[over[-1]].span.last if over else days.day().first) // MS,
                "against": told[name],
                "wanted": wanted(lack for each in parts[name] for lack in each.missing),
                "completeness": complete,
                **_shares(parts[name]),
            }
        )
        for name in _NAMES
    ]


def _known(answer: Answer) -> list[Fraction | None]:
    return [answer.amount(each) for each in answer.figures]


def _side_by_side(days: Days, now: Mapping[str, Answer], before: Mapping[str, Answer]) -> tuple[_Sums, _Sums]:
    """Return the sums of two days over the quarters in which every medium is known on both."""
    pairs: set[tuple[int, int]] | None = None
    for name, mine in now.items():
        theirs = before[name]
        found = set(paired(days.accounts, mine.figures, _known(mine), theirs.figures, _known(theirs)))
        pairs = found if pairs is None else pairs & found
    mine_of, theirs_of = (sorted(pair[i] for pair in pairs or ()) for i in (0, 1))
    return _sums(days, now, mine_of), _sums(days, before, theirs_of)


def _hourly(
    days: Days, now: Mapping[str, Answer], parts: Sequence[Figure]
) -> tuple[Fraction | None, list[str]]:
    """Return what an hour comes to at the rates of now, and the media of these figures that tell none.

    Each by the factor it has today. A sum of which nothing is told is None.
    """
    newest = {line.quantity.medium: line for each in parts for line in each.lines if line.exact}
    rates = {name: rate_now(days, name, answer) for name, answer in now.items() if name in newest}
    told = [
        rate * newest[name].exact / Fraction(newest[name].quantity.amount)
        for name, rate in rates.items()
        if rate is not None
    ]
    return sum(told, Fraction(0)) if told else None, [name for name, rate in rates.items() if rate is None]


def _sums(days: Days, answers: Mapping[str, Answer], which: Sequence[int]) -> _Sums:
    """Return what some quarters come to; None while a choice is missing, or where meters contradict."""
    nothing_known: _Sums = dict.fromkeys(_NAMES)
    try:
        found = [quantity(answer, answer.figures[i], days.site) for answer in answers.values() for i in which]
        if not found:
            return nothing_known
        coal = standard_coal(found, days.accounts.choices).equivalent.exact
        return {"coal": coal, "co2": inventory(found, days.accounts.choices).exact("location")}
    except Refused:
        return nothing_known


def _complete(days: Days, answer: Answer) -> float:
    found = Found(answer, answer.unit, _known(answer), answer.amount(answer.total))
    return rows(days.accounts, found)[1].completeness


def _whole(parts: Sequence[Figure]) -> Fraction | None:
    known = [each.exact for each in parts if each.exact is not None]
    return sum(known, Fraction(0)) if len(known) == len(parts) else None


def _shares(parts: Sequence[Figure]) -> dict[str, float]:
    """Return the shares of figures that are added up, each by its part of the sum."""
    names = ("measured", "estimated", "manual")
    whole = _whole(parts)
    if not whole:
        return dict.fromkeys(names, 0.0) | ({} if whole is None else {"measured": 1.0})
    told = [(each.exact or 0, each.shares) for each in parts]
    return {
        name: float(sum((exact * getattr(some, name) for exact, some in told if some), Fraction(0)) / whole)
        for name in names
    }


def _text(value: Fraction | None) -> str | None:
    return None if value is None else f"{rounded(value, _PLACES):f}"
