"""Scope 1: what is burnt on site, from heating value, carbon content and oxidation.

    kgCO2 = AD × LHV × CC × OF × 44/12        AD amount, LHV in GJ, CC in tC/GJ, OF a share; 1 t = 1000 kg

A measured heating value from the supplier's bill takes the place of the table's; carbon and oxidation come
from the chosen set. Process emissions, refrigerants and vehicles filled elsewhere are not in it.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import partial

from config.carbon import MediumPick
from config.factor_rows import FuelFactor
from config.factors import constant
from config.problems import Phrase
from gateway.energy.carbon.choice import Choices, Timeline, or_missing
from gateway.energy.carbon.coal import entered, needs_density
from gateway.energy.carbon.exact import converted
from gateway.energy.carbon.figure import Figure, Line, Used, figure, used
from gateway.energy.carbon.quantity import Entry, Missing, Period, Quantity, parted, period_of
from gateway.energy.carbon.refused import Refused


def direct(
    quantities: Sequence[Entry],
    choices: Choices,
    period: Period | None = None,
    *,
    not_burnt: Sequence[str] = ("heat",),
) -> Figure:
    """Return kgCO2 of the fuels among these quantities; `period` is their span when absent.

    Electricity, media in `not_burnt`, steam and working fluids are passed over; any other medium without a
    set of fuel factors, or in a unit its choice can't take, is missing in the figure.

    Raises:
        Refused: E-FA-0004, a quantity spans a change of its choice.
    """
    lines: list[Line] = []
    burnt = (each for each in quantities if not each.medium.startswith("electricity"))
    known, missing = parted(each for each in burnt if each.medium not in not_burnt)
    for quantity in known:
        chosen = choices.medium(quantity.medium)
        pick = chosen.at(quantity)
        if isinstance(pick, Missing):
            missing.append(pick)
        elif pick.set is not None:
            line = or_missing(chosen.choice, quantity, partial(_burnt, quantity, pick, chosen, choices))
            (missing if isinstance(line, Missing) else lines).append(line)  # type: ignore[arg-type]
        elif not _is_not_burnt(pick, choices):
            reason = Phrase("carbon.no_set", {"choice": chosen.choice})
            missing.append(Missing(chosen.choice, reason, quantity.start, quantity.end))
    return figure("co2_direct", period or period_of(quantities), lines, missing)


def _is_not_burnt(pick: MediumPick, choices: Choices) -> bool:
    row = choices.factors.coal(pick.coal) if pick.coal else None
    return pick.steam is not None or (row is not None and row.kind != "fuel")


def _burnt(quantity: Quantity, pick: MediumPick, chosen: Timeline[MediumPick], choices: Choices) -> Line:
    row_key = (pick.set or "", pick.fuel or quantity.medium)
    row = choices.factors.fuel(*row_key)
    if row is None:
        raise Refused("E-FA-0006", row=f"fuels/{'/'.join(row_key)}")
    per: str = row.per
    lhv = Fraction(row.lhv)
    heat = used("LHV", row.lhv, f"GJ/{row.per}", row)
    if pick.lhv is not None and pick.per is not None:
        per, lhv = pick.per, Fraction(pick.lhv) / 1000
        heat = entered("LHV", pick.lhv / 1000, f"GJ/{pick.per}", chosen.choice, pick.source or "")
    numbers = [heat, *_of_carbon(row)]
    formula = "AD × LHV × CC × OF × 44/12 × 1000"
    if pick.density is not None and needs_density(quantity, per):
        numbers.append(entered("ρ", pick.density, "kg/L", chosen.choice, pick.source or ""))
        formula = f"{formula}; AD = V × ρ"
    molar = Fraction(constant("co2_molar_mass").value) / Fraction(constant("carbon_molar_mass").value)
    factor = lhv * Fraction(row.carbon) * Fraction(row.oxidation) * molar * 1000
    amount = converted(quantity.amount, quantity.unit, per, pick.density)
    return Line(quantity, amount, per, factor, formula, tuple(numbers))


def _of_carbon(row: FuelFactor) -> tuple[Used, ...]:
    return (used("CC", row.carbon, "tC/GJ", row), used("OF", row.oxidation, "1", row))
