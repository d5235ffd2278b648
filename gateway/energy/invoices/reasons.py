"""Why kWh by band may differ from the invoice: each suspicion is computed, and named only when it fits.

Suspected are the season, overlays, another tariff entry, the meter's clock, a multiplier, a constant load
behind the meter, and single half-hours counted to another band. What fits within `_CLOSE` of the month's
energy is a likely reason, the nearest first; it is a hint where to look, not a finding.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from config.bands import BANDS, Band
from config.exact import hours_text
from config.problems import Language, Phrase
from config.tariff_library import Terms
from gateway.energy.pricing.cost import Cost, Energy, costs
from gateway.energy.pricing.timetable import QUARTER_NS, Plan, Timetable, timetable, zone_offset

_CLOSE: Final = Decimal("0.002")
"""Of the month's energy: nearer than that in every band, a suspicion fits."""
_NOT_ONE: Final = Decimal("0.005")
_SHIFTS: Final = (-4, -3, -2, -1, 1, 2, 3, 4)
"""Quarters of an hour a meter's clock may be wrong by."""
_HALF_HOURS: Final = 48

Kwh = Mapping[Band, Decimal]


@dataclass(frozen=True, slots=True)
class Reason:
    """A phrase of the catalogue, ``invoice.reason.<key>``, with what fills it."""

    key: str
    args: Mapping[str, object] = field(default_factory=dict)

    def text(self, language: Language) -> str:
        """Return it as a person reads it."""
        return Phrase(f"invoice.reason.{self.key}", self.args).text(language)


def reasons_for_kwh(
    theirs: Kwh, table: Timetable, energy: Energy, ours: Cost, resolution: Decimal
) -> tuple[Reason, ...]:
    """Return the likely reasons why kWh by band differ, the nearest first."""
    mine = {each.band: each.kwh for each in ours.bands if each.band is not None}
    limit = max(resolution, _CLOSE * sum(theirs.values(), Decimal(0)))
    if not theirs or _distance(theirs, mine) <= resolution:
        return ()
    found = [
        (distance, i, reason)
        for i, (reason, kwh) in enumerate(_suspicions(theirs, mine, table, energy))
        if (distance := _distance(theirs, kwh)) <= limit and distance < _distance(theirs, mine)
    ]
    reasons = [reason for _, _, reason in sorted(found, key=lambda each: each[:2])]
    if ours.missing:
        reasons.append(Reason("missing", {"count": ours.missing}))
    if any(each.band is None and each.kwh for each in ours.bands):
        reasons.append(Reason("undecided"))
    return tuple(reasons)


def with_other_reading(table: Timetable) -> Timetable | None:
    """Return the timetable under the other reading of overlay factors; None where none is open."""
    terms = [
        replace(each, supply=each.supply.model_copy(update={"overlays_on": _other(each.supply.overlays_on)}))
        for each in table.plan.terms
    ]
    if not any(overlay.reading for each in terms for overlay in each.overlays()):
        return None
    return replace(table, plan=replace(table.plan, terms=tuple(terms)))


def _other(on: str | None) -> str:
    return "base" if on == "whole" else "whole"


def _suspicions(theirs: Kwh, mine: Kwh, table: Timetable, energy: Energy) -> Iterator[tuple[Reason, Kwh]]:
    yield from _ratio(theirs, mine)
    yield from _other_hours(table, energy)
    for quarters in _SHIFTS:
        shifted = replace(energy, start=energy.start + quarters * QUARTER_NS)
        margin = len(_SHIFTS) * QUARTER_NS
        wide = timetable(table.plan, table.start - margin, table.end + margin)
        kwh = _by_band(wide, shifted)
        if kwh is not None:
            yield Reason("clock", {"minutes": quarters * 15}), kwh
    yield from _constant_load(theirs, mine, table)
    yield from _half_hours(theirs, mine, table, energy)


def _ratio(theirs: Kwh, mine: Kwh) -> Iterator[tuple[Reason, Kwh]]:
    total = sum(mine.values(), Decimal(0))
    if total and theirs:
        ratio = sum(theirs.values(), Decimal(0)) / total
        if abs(ratio - 1) > _NOT_ONE:
            shown = ratio.quantize(Decimal("0.001"))
            yield Reason("multiplier", {"ratio": shown}), {band: kwh * ratio for band, kwh in mine.items()}


def _other_hours(table: Timetable, energy: Energy) -> Iterator[tuple[Reason, Kwh]]:
    """Try the month under each other season, without overlays, and under each other entry."""
    plan = table.plan
    met = [table.parts(cell)[0] for cell in set(table.cell.tolist())]
    held = {id(terms): terms for terms in met if terms is not None}
    for terms in held.values():
        for name, season in terms.tariff.seasons.items():
            supply = terms.supply.model_copy(update={"hours": name})
            kwh = _under(replace(terms, supply=supply), plan, table, energy)
            if kwh is not None and len(terms.tariff.seasons) > 1:
                yield Reason("season", {"season": season.title}), kwh
        bare = replace(terms, tariff=terms.tariff.model_copy(update={"overlays": ()}))
        kwh = _under(bare, plan, table, energy)
        if kwh is not None and terms.overlays():
            yield Reason("overlays"), kwh
    for terms in plan.terms:
        if id(terms) not in held:
            kwh = _under(terms, plan, table, energy)
            if kwh is not None:
                yield Reason("entry", {"tariff": terms.name}), kwh


def _under(terms: Terms, plan: Plan, table: Timetable, energy: Energy) -> Kwh | None:
    always = replace(terms, first=terms.first.min, last=None)
    return _by_band(timetable(replace(plan, terms=(always,)), table.start, table.end), energy)


def _by_band(table: Timetable, energy: Energy) -> Kwh | None:
    one = replace(energy, quanta=energy.quanta[np.newaxis], estimated=None, manual=None, missing=None)
    try:
        (found,) = costs(table, one)
    except ValueError:  # intervals too long for hours that begin elsewhere
        return None
    return {each.band: each.kwh for each in found.bands if each.band is not None}


def _constant_load(theirs: Kwh, mine: Kwh, table: Timetable) -> Iterator[tuple[Reason, Kwh]]:
    """Try a load that never changes, such as a transformer's losses, on one side of the meter only."""
    codes, counts = np.unique(table.cell, return_counts=True)
    hours: dict[Band, Decimal] = {}
    for cell, count in zip(codes.tolist(), counts.tolist(), strict=True):
        band = table.parts(cell)[2]
        if band is not None:
            hours[band] = hours.get(band, Decimal(0)) + Decimal(count) / 4
    difference = sum(theirs.values(), Decimal(0)) - sum(mine.values(), Decimal(0))
    if hours and difference:
        load = difference / sum(hours.values(), Decimal(0))
        shown = load.quantize(Decimal("0.01"))
        yield (
            Reason("constant", {"kw": shown}),
            {b: mine.get(b, Decimal(0)) + load * h for b, h in hours.items()},
        )


def _half_hours(theirs: Kwh, mine: Kwh, table: Timetable, energy: Energy) -> Iterator[tuple[Reason, Kwh]]:
    """Try each half-hour of the day in another band, alone or with its neighbour, where two bands differ."""
    terms = table.plan.terms[0]
    zone_ns = zone_offset(table.start, ZoneInfo(terms.tariff.time_zone))
    half = ((energy.start + zone_ns) % (_HALF_HOURS * 2 * QUARTER_NS)) // (2 * QUARTER_NS)
    band = table.cell[energy.start // QUARTER_NS - table.first] % (len(BANDS) + 1)
    for code, name in enumerate(BANDS):
        of_half = [energy.quanta[(band == code) & (half == each)] for each in range(_HALF_HOURS)]
        kwh = [Decimal(sum(each.tolist())) * energy.quantum for each in of_half]
        for first in range(_HALF_HOURS):
            for many in (1, 2):
                last = first + many
                if last > _HALF_HOURS or not kwh[first] or not kwh[last - 1]:
                    continue
                moved = sum(kwh[first:last], Decimal(0))
                span = hours_text((first * 30, last * 30))
                for to in BANDS:
                    if to != name and (to in theirs or to in mine):
                        changed = {**mine, name: mine.get(name, Decimal(0)) - moved}
                        changed[to] = changed.get(to, Decimal(0)) + moved
                        args = {"hours": span, "band": Phrase(f"band.{name}"), "to": Phrase(f"band.{to}")}
                        yield Reason("hours", args), changed


def _distance(theirs: Kwh, kwh: Kwh) -> Decimal:
    """Return the greatest difference in any band, kWh."""
    return max((abs(theirs.get(b, Decimal(0)) - kwh.get(b, Decimal(0))) for b in BANDS), default=Decimal(0))
