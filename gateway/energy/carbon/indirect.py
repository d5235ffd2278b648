"""Scope 2: bought electricity, heat and steam, by location and by market, always side by side.

Rules, as our definition (the standards' texts were not read first-hand):

- By location: electricity taken from the grid × the average factor of the grid. Own generation used on site
  did not come from the grid and counts zero. What is fed into the grid is not deducted.
- By market: what green certificates (绿证) or directly bought green power (绿电) cover counts zero; the rest
  × the chosen factor of what no contract covers. Own generation whose certificates were sold counts like it.
- A contract covers use within its own days. A figure over a part of them has no market value: nobody said how
  much of the contract belongs to that part. What a contract has too much is shown and covers nothing.
- Heat and steam count the same in both.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import partial

from config.carbon import MediumPick
from config.factor_rows import HeatFactor
from config.problems import Phrase
from gateway.energy.carbon.choice import Choices, Covering, InventoryFactor, Timeline, or_missing
from gateway.energy.carbon.coal import enthalpies
from gateway.energy.carbon.exact import converted
from gateway.energy.carbon.figure import Figure, Line, Used, figure, used
from gateway.energy.carbon.quantity import Entry, Missing, Period, Quantity, parted, period_of
from gateway.energy.carbon.refused import Refused


@dataclass(frozen=True, slots=True)
class Indirect:
    """Scope 2 twice."""

    location: Figure
    market: Figure


def indirect(
    imported: Sequence[Entry],
    choices: Choices,
    *,
    heat: Sequence[Entry] = (),
    generated: Sequence[Entry] = (),
    exported: Sequence[Entry] = (),
    period: Period | None = None,
) -> Indirect:
    """Return kgCO2 of what was bought; `period` is the span of all quantities when absent.

    `imported` and `exported` are at the grid's meter, `generated` at the generators'; electricity in any unit
    of energy. `heat` is bought heat (energy) or steam (mass, with a state under `carbon.media`).

    Raises:
        Refused: E-FA-0004, a quantity spans a change of its choice; E-FA-0005, electricity or heat is in no
            unit of energy; E-FA-0008, more was exported or sold than generated.
    """
    period = period or period_of((*imported, *heat, *generated, *exported))
    taken, unknown = parted(imported)
    made, made_unknown = parted(generated)
    fed_in, fed_in_unknown = parted(exported)
    warm, warm_missing = _heat(heat, choices)
    # By location neither side of own generation changes the sum; by market sold certificates may.
    own = None if made_unknown or fed_in_unknown else _own_use(made, fed_in)
    location, missing = _bought(taken, choices.electricity)
    missing += unknown
    lines = [*location, *(own or ()), *_not_deducted(fed_in), *warm]
    by_location = figure("co2_location", period, lines, [*missing, *warm_missing], _calibre(location))
    rest, covered, market_missing = _contracts(taken, period, own, choices)
    market_missing += [*unknown, *made_unknown, *fed_in_unknown]
    lines = [*rest, *covered, *(own or ()), *_not_deducted(fed_in), *warm]
    by_market = figure("co2_market", period, lines, [*market_missing, *warm_missing], _calibre(rest))
    return Indirect(by_location, by_market)


def _bought(
    quantities: Sequence[Quantity], chosen: Timeline[InventoryFactor]
) -> tuple[list[Line], list[Missing]]:
    lines: list[Line] = []
    missing: list[Missing] = []
    for quantity in quantities:
        amount = converted(quantity.amount, quantity.unit, "kWh")
        line = _by_factor(quantity, amount, chosen)
        (missing if isinstance(line, Missing) else lines).append(line)  # type: ignore[arg-type]
    return lines, missing


def _by_factor(quantity: Quantity, amount: Fraction, chosen: Timeline[InventoryFactor]) -> Line | Missing:
    factor = chosen.at(quantity)
    if isinstance(factor, Missing):
        return factor
    row = factor.row
    return Line(
        quantity, amount, "kWh", Fraction(row.value), "AD × EF", (used("EF", row.value, row.unit, row),)
    )


def _calibre(lines: Sequence[Line]) -> str:
    """Return the one calibre of these lines."""
    found = list(dict.fromkeys(each.row.rpartition("/")[2] for line in lines for each in line.used))
    if len(found) > 1:
        raise Refused("E-FA-0002", calibres=found)
    return found[0] if found else ""


def _heat(entries: Sequence[Entry], choices: Choices) -> tuple[list[Line], list[Missing]]:
    lines: list[Line] = []
    known, missing = parted(entries)
    for quantity in known:
        row = choices.heat.at(quantity)
        if isinstance(row, Missing):
            missing.append(row)
            continue
        number = used("EF", row.value, row.unit, row)
        factor = Fraction(row.value) * 1000
        if quantity.medium == "heat":
            amount = converted(quantity.amount, quantity.unit, "GJ")
            lines.append(Line(quantity, amount, "GJ", factor, "AD × EF × 1000", (number,)))
            continue
        chosen = choices.medium(quantity.medium)
        pick = chosen.at(quantity)
        if isinstance(pick, Missing) or pick.steam is None:
            reason = Phrase("carbon.no_steam", {"choice": chosen.choice})
            missing.append(Missing(chosen.choice, reason, quantity.start, quantity.end))
            continue
        line = or_missing(chosen.choice, quantity, partial(_steam, quantity, pick, chosen.choice, row))
        (missing if isinstance(line, Missing) else lines).append(line)  # type: ignore[arg-type]
    return lines, missing


def _steam(quantity: Quantity, pick: MediumPick, choice: str, row: HeatFactor) -> Line:
    numbers, gain = enthalpies(pick, choice)
    amount = converted(quantity.amount, quantity.unit, "kg", pick.density)
    per_kg = Fraction(gain) / 1_000_000 * Fraction(row.value) * 1000
    formula = "AD × (h − h₀) / 10⁶ × EF × 1000"
    return Line(quantity, amount, "kg", per_kg, formula, (*numbers, used("EF", row.value, row.unit, row)))


def _own_use(generated: Sequence[Quantity], exported: Sequence[Quantity]) -> list[Line]:
    made = sum((converted(each.amount, each.unit, "kWh") for each in generated), Fraction(0))
    fed_in = sum((converted(each.amount, each.unit, "kWh") for each in exported), Fraction(0))
    if generated and fed_in > made:
        raise Refused("E-FA-0008", more=f"{float(fed_in):g} kWh", than=f"{float(made):g} kWh")
    used_here = (made - fed_in) / made if made else Fraction(0)
    rule = Phrase("carbon.rule.own_use")
    return [
        Line(
            each, converted(each.amount, each.unit, "kWh") * used_here, "kWh", Fraction(0), "AD × 0", (), rule
        )
        for each in generated
    ]


def _not_deducted(exported: Sequence[Quantity]) -> list[Line]:
    rule = Phrase("carbon.rule.export")
    return [
        Line(each, converted(each.amount, each.unit, "kWh"), "kWh", Fraction(0), "AD × 0", (), rule)
        for each in exported
    ]


def _contracts(
    imported: Sequence[Quantity], period: Period, own: Sequence[Line] | None, choices: Choices
) -> tuple[list[Line], list[Line], list[Missing]]:
    """Return the lines of the rest, those of the contracts, and what is missing."""
    start, end = period
    left = [converted(each.amount, each.unit, "kWh") for each in imported]
    rest: list[Line] = []
    covered: list[Line] = []
    missing: list[Missing] = []
    for contract in choices.contracts:
        if contract.end <= start or end <= contract.start:
            continue
        if contract.start < start or end < contract.end:
            told = contract.contract
            until = {"document": told.document, "start": f"{told.from_}", "end": f"{told.to}"}
            reason = Phrase("carbon.part_of_contract", until)
            missing.append(Missing("carbon.contracts", reason, start, end))
        elif contract.contract.kind == "sold":
            if own is not None:  # else the market figure is open already
                line = _sold(contract, own, choices)
                (missing if isinstance(line, Missing) else rest).append(line)  # type: ignore[arg-type]
        else:
            covered += _cover(contract, imported, left)
    for quantity, amount in zip(imported, left, strict=True):
        if amount:
            line = _by_factor(quantity, amount, choices.residual)
            (missing if isinstance(line, Missing) else rest).append(line)  # type: ignore[arg-type]
    return rest, covered, missing


def _cover(contract: Covering, imported: Sequence[Quantity], left: list[Fraction]) -> list[Line]:
    """Take the contract's kWh out of what is left, in proportion; return its lines."""
    within = [i for i, each in enumerate(imported) if contract.start <= each.start < contract.end]
    for i in (*within, *(i for i, each in enumerate(imported) if each.start < contract.start < each.end)):
        if not contract.start <= imported[i].start < imported[i].end <= contract.end:
            at = contract.contract.from_ if imported[i].start < contract.start else contract.contract.to
            raise Refused("E-FA-0004", choice="carbon.contracts", instant=f"{at}")
    open_ = sum((left[i] for i in within), Fraction(0))
    taken = min(contract.kwh, open_)
    rule = Phrase(f"carbon.rule.{contract.contract.kind}", {"document": contract.contract.document})
    numbers = (_document(contract),)
    lines = []
    for i in within:
        part = left[i] * taken / open_ if open_ else Fraction(0)
        left[i] -= part
        if part:
            lines.append(Line(imported[i], part, "kWh", Fraction(0), "AD × 0", numbers, rule))
    if taken < contract.kwh:
        surplus = Quantity("electricity", _shown(contract.kwh), "kWh", contract.start, contract.end, "")
        over = Phrase("carbon.rule.surplus", {"document": contract.contract.document})
        lines.append(Line(surplus, contract.kwh - taken, "kWh", Fraction(0), "AD × 0", numbers, over))
    return lines


def _sold(contract: Covering, own: Sequence[Line], choices: Choices) -> Line | Missing:
    here = sum((line.amount for line in own), Fraction(0))
    if contract.kwh > here:
        raise Refused("E-FA-0008", more=f"{float(contract.kwh):g} kWh", than=f"{float(here):g} kWh")
    quantity = Quantity("electricity", _shown(contract.kwh), "kWh", contract.start, contract.end, "")
    line = _by_factor(quantity, contract.kwh, choices.residual)
    if isinstance(line, Missing):
        return line
    return replace(line, rule=Phrase("carbon.rule.sold", {"document": contract.contract.document}))


def _document(contract: Covering) -> Used:
    kwh = _shown(contract.kwh)
    return Used("W", kwh, "kWh", "carbon.contracts", "", contract.contract.document, "entered")


def _shown(kwh: Fraction) -> Decimal:
    # mwh × 1000 of a decimal is a decimal.
    return Decimal(kwh.numerator) / Decimal(kwh.denominator)
