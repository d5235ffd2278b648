"""What is drawn against what may be drawn, and by whom: demand by contract, and the largest consumers."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Final, Literal

from config.energy_meters import Meter, fraction
from gateway.energy.figures import rounded
from gateway.energy.periods import HOUR_NS, QUARTER_NS
from gateway.energy.running import running
from gateway.web.energy_figures import Asked, load
from gateway.web.energy_models import Wanted
from gateway.web.today.days import MEDIUM, Days
from gateway.web.today.figures import MS
from gateway.web.today.models import TodayConsumer, TodayDemand

MOST_DEMANDS: Final = 2
MOST_CONSUMERS: Final = 8
_KW_PLACES: Final = 3
_KWH_PLACES: Final = 6
_OLD_NS: Final = QUARTER_NS
"""A forecast whose newest reading is older tells of no running quarter."""
NO_LIMIT: Final = Wanted(
    choice="energy.meters",
    en="No demand limit is entered. Write `contract:` (kW) at the supply's meter under energy.meters,"
    " or demand_kw in the tariff's contract.",
    zh="还没有写合同需量。请在 energy.meters 的总表下写 contract:（kW），"
    "或在电价的 contract 里写 demand_kw。",
)
_LimitBy = Literal["meter", "tariff", ""]


def demands_of(days: Days) -> list[TodayDemand]:
    """Return the demand of each meter with a contract value, else of the site. Raises as `Query.energy`."""
    limits: list[tuple[str, Fraction | None, _LimitBy]] = [
        (name, fraction(each.options.contract), "meter")
        for name, each in days.accounts.query.meters.items()
        if each.options.contract is not None
    ]
    limits = limits or [(days.site, *_declared(days))]
    return [_demand(days, *limit) for limit in limits[:MOST_DEMANDS]]


def _declared(days: Days) -> tuple[Fraction | None, _LimitBy]:
    """Return the demand that today's tariff entry declares."""
    accounts = days.accounts
    today = accounts.query.calendar.local(accounts.now()).date()
    for terms in accounts.tariff.terms if accounts.tariff else ():
        declared = terms.supply.contract.demand_kw
        holds = terms.first <= today and (terms.last is None or today <= terms.last)
        if holds and declared is not None:
            return Fraction(declared), "tariff"
    return None, ""


def _demand(days: Days, subject: str, limit: Fraction | None, limit_by: _LimitBy) -> TodayDemand:
    query, now = days.accounts.query, days.accounts.now()
    bill, peak = days.peak(subject)
    told = running(query, subject)
    if told is not None and now - told.at > _OLD_NS:
        told = None
    may_use = None
    if told is not None and limit is not None:
        may_use = (limit * QUARTER_NS / HOUR_NS - told.energy) * HOUR_NS / (told.first + QUARTER_NS - told.at)
    return TodayDemand(
        subject=subject,
        present=_text(_last_quarter(days, subject) if told is None else told.demand),
        is_forecast=told is not None,
        may_use=_text(may_use),
        limit=_text(limit),
        limit_by=limit_by,
        warn_at=days.accounts.plant.energy.demand.warn_at / 100,
        highest=_text(peak.fixed),
        highest_at=None if peak.fixed_at is None else peak.fixed_at // MS,
        since=bill.first // MS,
        wanted=[] if limit is not None else [NO_LIMIT],
    )


def _last_quarter(days: Days, subject: str) -> Fraction | None:
    """Return the mean power of the newest known quarter of an hour of the last hour."""
    now = days.accounts.now()
    found = load(days.accounts, Asked(subject, MEDIUM, "15min", now - HOUR_NS, now))
    over = [
        value
        for figure, value in zip(found.answer.figures, found.values, strict=True)
        if figure.span.last <= now and value is not None
    ]
    return over[-1] if over else None


def consumers_of(days: Days) -> tuple[list[TodayConsumer], int]:
    """Return the meters that took most today, of those behind which none hangs, and how many there are."""
    query, today = days.accounts.query, days.day()
    names = _ends(query.meters.values())
    table = query.table(names, "day", today.first, today.first + 1)
    amounts = [
        (int(table.quanta[i, 0]) * table.quantum[i], name)
        for i, name in enumerate(names)
        if table.known[i, 0] and table.quanta[i, 0] > 0
    ]
    total = _shared(days, [query.meters[name] for name in names])
    told = [
        TodayConsumer(
            meter=name,
            title=query.meters[name].options.title or "",
            node=query.meters[name].node,
            value=f"{rounded(value, _KWH_PLACES):f}",
            part=float(value / total) if total is not None and total > 0 else None,
        )
        for value, name in sorted(amounts, key=lambda each: (-each[0], each[1]))[:MOST_CONSUMERS]
    ]
    return told, len(names)


def _shared(days: Days, ends: Sequence[Meter]) -> Fraction | None:
    """Return what these meters share today: what they hang behind has measured, own generation with it.

    Where one hangs behind nothing it is what the site took.
    """
    meters = days.accounts.query.meters
    tops = set()
    for each in ends:
        top = each
        while top.parent is not None:
            top = meters[top.parent]
        tops.add(top.name)
    if tops & {each.name for each in ends}:
        return days.energy().total
    totals = [days.energy_behind(name).total for name in sorted(tops)]
    known = [each for each in totals if each is not None]
    return sum(known, Fraction(0)) if len(known) == len(totals) else None


def _ends(meters: Iterable[Meter]) -> list[str]:
    """Return the meters of electricity that are read and behind which none hangs; the site's only alone."""
    some = [each for each in meters if each.medium.name == MEDIUM]
    parents = {each.parent for each in some}
    ends = [each for each in some if each.is_read and each.name not in parents]
    return [each.name for each in ends if "/" in each.node] or [each.name for each in ends]


def _text(value: Fraction | None) -> str | None:
    return None if value is None else f"{rounded(value, _KW_PLACES):f}"
