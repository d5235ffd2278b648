"""Standard coal: by heat content (当量值) and by primary energy (等价值), always side by side.

The two differ in electricity alone, but by a factor of about 2.4 for it: a total without its calibre says
nothing. Fuels count by the heating value on the supplier's bill or by a chosen row, steam by its enthalpy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import partial

from config.carbon import MediumPick, PrimaryPick
from config.factor_rows import CoalFactor
from config.factors import constant
from config.problems import Phrase
from gateway.energy.carbon.choice import Choices, Timeline, or_missing
from gateway.energy.carbon.exact import converted
from gateway.energy.carbon.figure import Figure, Line, Used, figure, used
from gateway.energy.carbon.quantity import Entry, Missing, Period, Quantity, parted, period_of
from gateway.energy.carbon.refused import Refused
from gateway.energy.carbon.steam import SOURCE, steam_heat, table_hash


@dataclass(frozen=True, slots=True)
class StandardCoal:
    """The same quantities twice."""

    equivalent: Figure
    """当量值."""
    primary: Figure
    """等价值; without a value until its coefficient is entered."""


def standard_coal(
    quantities: Sequence[Entry], choices: Choices, period: Period | None = None
) -> StandardCoal:
    """Return what these quantities come to in kgce, under both calibres; `period` is their span when absent.

    What is bought or burnt counts (our definition): own generation is passed over and what is fed into the
    grid is not deducted. A working fluid (compressed air, water, oxygen) counts when bought; made on site it
    is in its electricity already. A choice that can't take its quantity is missing in the figure.

    Raises:
        Refused: E-FA-0004, a quantity spans a change of its choice; E-FA-0005, electricity or heat is in no
            unit of energy.
    """
    known, unknown = parted(each for each in quantities if not each.medium.startswith("electricity_"))
    both: list[tuple[Line | Missing, Line | Missing]] = [(each, each) for each in unknown]
    for quantity in known:
        if quantity.medium == "electricity":
            both.append((_by_row(quantity, "electricity_eq", choices), _primary(quantity, choices)))
        else:
            line = _line(quantity, choices)
            both.append((line, line))
    equivalent, primary = ([pair[i] for pair in both] for i in (0, 1))
    period = period or period_of(quantities)
    return StandardCoal(
        figure("coal_equivalent", period, *_parted(equivalent)),
        figure("coal_primary", period, *_parted(primary)),
    )


def _parted(found: Sequence[Line | Missing]) -> tuple[list[Line], list[Missing]]:
    lines = [each for each in found if isinstance(each, Line)]
    return lines, [each for each in found if isinstance(each, Missing)]


def _primary(quantity: Quantity, choices: Choices) -> Line | Missing:
    pick = choices.primary.at(quantity)
    if isinstance(pick, Missing):
        return pick
    number = entered("c", pick.kgce_per_kwh, "kgce/kWh", "carbon.primary", _year(pick))
    amount = converted(quantity.amount, quantity.unit, "kWh")
    return Line(quantity, amount, "kWh", Fraction(pick.kgce_per_kwh), "AD × c", (number,))


def _year(pick: PrimaryPick) -> str:
    return f"{pick.source} ({pick.year})"


def _line(quantity: Quantity, choices: Choices) -> Line | Missing:
    if quantity.medium == "heat":
        return _by_row(quantity, "heat", choices)
    chosen = choices.medium(quantity.medium)
    pick = chosen.at(quantity)
    if isinstance(pick, Missing):
        return pick
    way: Callable[[], Line] | None = None
    if pick.lhv is not None:
        way = partial(_by_heating_value, quantity, pick, chosen)
    elif pick.steam is not None:
        way = partial(_by_enthalpy, quantity, pick, choices)
    elif pick.coal is not None:
        way = partial(_by_row, quantity, pick.coal, choices, pick, chosen)
    if way is not None:
        return or_missing(chosen.choice, quantity, way)
    reason = Phrase("carbon.no_coal", {"choice": chosen.choice})
    return Missing(chosen.choice, reason, quantity.start, quantity.end)


def _by_row(
    quantity: Quantity,
    code: str,
    choices: Choices,
    pick: MediumPick | None = None,
    chosen: Timeline[MediumPick] | None = None,
) -> Line:
    row = choices.factors.coal(code)
    if row is None:
        raise Refused("E-FA-0006", row=f"coal/{code}")
    numbers = [used("c", row.kgce, f"kgce/{row.per}", row, others_in_use(row, choices))]
    density = pick.density if pick else None
    amount = converted(quantity.amount, quantity.unit, row.per, density)
    if pick is not None and chosen is not None and density is not None and needs_density(quantity, row.per):
        numbers.append(entered("ρ", density, "kg/L", chosen.choice, pick.source or ""))
    formula = "AD × ρ × c" if len(numbers) > 1 else "AD × c"
    rule = Phrase("carbon.rule.working_fluid") if row.kind == "working_fluid" else None
    return Line(quantity, amount, row.per, Fraction(row.kgce), formula, tuple(numbers), rule)


def _by_heating_value(quantity: Quantity, pick: MediumPick, chosen: Timeline[MediumPick]) -> Line:
    lhv, per = pick.lhv or Decimal(0), pick.per or ""
    coal = constant("kgce_heat")
    numbers = [
        entered("LHV", lhv, f"MJ/{per}", chosen.choice, pick.source or ""),
        used("q", coal.value, coal.unit, coal),
    ]
    formula = "AD × LHV / q"
    if pick.density is not None and needs_density(quantity, per):
        numbers.append(entered("ρ", pick.density, "kg/L", chosen.choice, pick.source or ""))
        formula = "AD × ρ × LHV / q"
    amount = converted(quantity.amount, quantity.unit, per, pick.density)
    return Line(quantity, amount, per, Fraction(lhv) / Fraction(coal.value), formula, tuple(numbers))


def _by_enthalpy(quantity: Quantity, pick: MediumPick, choices: Choices) -> Line:
    heat = choices.factors.coal("heat")
    if heat is None:
        raise Refused("E-FA-0006", row="coal/heat")
    numbers, gain = enthalpies(pick, f"carbon.media.{quantity.medium}")
    amount = converted(quantity.amount, quantity.unit, "kg", pick.density)
    factor = Fraction(gain) / 1000 * Fraction(heat.kgce)
    coal = used("c", heat.kgce, f"kgce/{heat.per}", heat)
    return Line(quantity, amount, "kg", factor, "AD × (h − h₀) / 1000 × c", (*numbers, coal))


def enthalpies(pick: MediumPick, choice: str) -> tuple[tuple[Used, ...], Decimal]:
    """Return the numbers behind a chosen state of steam, and kJ/kg gained over its feed water.

    Raises:
        Refused: E-FA-0007, no steam exists in this state.
    """
    if pick.steam is None:
        raise Refused("E-FA-0006", row=f"{choice}.steam")
    heat = steam_heat(pick.steam)
    about = (f"{SOURCE}; {pick.source}", "entered")
    state = f"{choice}.steam"
    return (
        (
            Used("h", heat.steam, "kJ/kg", state, table_hash(), *about),
            Used("h₀", heat.feed_water, "kJ/kg", state, table_hash(), *about),
        ),
        heat.gain,
    )


def entered(symbol: str, value: Decimal, unit: str, choice: str, source: str) -> Used:
    """Return a number a person entered in the plant file."""
    return Used(symbol, value, unit, choice, "", source, "entered")


def needs_density(quantity: Quantity, target: str) -> bool:
    """Tell whether the way to a unit leads from volume to mass or back."""
    try:
        converted(Decimal(1), quantity.unit, target)
    except Refused:
        return True
    return False


def others_in_use(row: CoalFactor, choices: Choices) -> tuple[str, ...]:
    """Return the rows that give another value for the same thing, with their values."""
    found = [choices.factors.coal(code) for code in row.conflicts.split()]
    return tuple(f"{each.id}: {each.kgce} kgce/{each.per}" for each in found if each is not None)
