"""Carbon footprint of a batch, as far as a gateway can see it: the electricity and the fuels of its making.

That is gate to gate, a part of cradle to gate: raw materials, transport and what it takes to get the fuels
are not in it. What part it is can be told only if the rest is entered, with its source. Fuels count their CO2
alone (warming potential 1); methane and nitrous oxide of burning are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from config.factors import constant
from config.problems import Language, Phrase
from gateway.energy.carbon.choice import Choices
from gateway.energy.carbon.direct import direct
from gateway.energy.carbon.exact import Number, converted, rounded, text_of
from gateway.energy.carbon.figure import Figure, Line, figure, used
from gateway.energy.carbon.quantity import Entry, Missing, parted
from gateway.energy.carbon.refused import Refused

FORMAT: Final = "wanglian.footprint/1"
PLACES: Final = 6


@dataclass(frozen=True, slots=True)
class Batch:
    """What was made, and when."""

    name: str
    product: str
    start: int
    end: int
    amount: Number
    unit: str
    """piece, t, m²."""
    identifier: str = ""
    """Of the product or batch, e.g. 88.x.x/suffix; its syntax is checked where it is entered."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """Cradle to the factory's gate, entered by hand: kgCO2e per unit of product."""

    per_unit: Decimal
    source: str


@dataclass(frozen=True, slots=True)
class Footprint:
    """kgCO2e of a batch's making."""

    batch: Batch
    figure: Figure
    upstream: Upstream | None = None
    left_out: tuple[str, ...] = ()
    """Media used in the batch that are neither electricity nor fuel, e.g. bought steam: not in the figure."""

    @property
    def per_unit(self) -> Fraction | None:
        """Return kgCO2e per unit of product, gate to gate."""
        exact = self.figure.exact
        return None if exact is None or not self.batch.amount else exact / Fraction(self.batch.amount)

    @property
    def share(self) -> Fraction | None:
        """Return gate to gate ÷ cradle to gate; None where the upstream part was not entered."""
        if self.upstream is None or self.per_unit is None:
            return None
        whole = self.per_unit + Fraction(self.upstream.per_unit)
        return self.per_unit / whole if whole else None

    def as_dict(self, language: Language) -> dict[str, Any]:
        """Return the export: batch, figure with factors and versions, boundary, share of cradle to gate."""
        per_unit, share = self.per_unit, self.share
        up = self.upstream
        return {
            "format": FORMAT,
            "batch": self.batch.name,
            "product": self.batch.product,
            "identifier": self.batch.identifier,
            "start_ns": self.batch.start,
            "end_ns": self.batch.end,
            "amount": text_of(self.batch.amount),
            "unit": self.batch.unit,
            "boundary": Phrase("carbon.boundary").text(language),
            "left_out": list(self.left_out),
            "footprint": self.figure.as_dict(language),
            "per_unit": None if per_unit is None else f"{rounded(per_unit, PLACES):f}",
            "per_unit_unit": f"kgCO2e/{self.batch.unit}",
            "upstream": None if up is None else {"per_unit": f"{up.per_unit:f}", "source": up.source},
            "share_of_cradle_to_gate": None if share is None else f"{rounded(share, 4):f}",
        }


def footprint(
    batch: Batch, quantities: Sequence[Entry], choices: Choices, upstream: Upstream | None = None
) -> Footprint:
    """Return the footprint of a batch from the electricity and fuels booked to it.

    Electricity takes the factor of products (kgCO2e/kWh) and no other.

    Raises:
        Refused: a quantity lies outside the batch (E-FA-0009), spans a change of its choice (E-FA-0004), or
            is in a unit that does not fit (E-FA-0005).
    """
    if any(each.start < batch.start or batch.end < each.end for each in quantities):
        raise Refused("E-FA-0009")
    lines: list[Line] = []
    calibre = ""
    known, missing = parted(each for each in quantities if each.medium == "electricity")
    for quantity in known:
        factor = choices.footprint.at(quantity)
        if isinstance(factor, Missing):
            missing.append(factor)
            continue
        row = factor.row
        calibre = row.calibre
        number = used("EF", row.value, row.unit, row)
        amount = converted(quantity.amount, quantity.unit, "kWh")
        lines.append(Line(quantity, amount, "kWh", Fraction(row.value), "AD × EF", (number,)))
    left_out: list[str] = []
    burnt: list[Line] = []
    for medium in dict.fromkeys(each.medium for each in quantities if each.medium != "electricity"):
        part = direct([each for each in quantities if each.medium == medium], choices)
        burnt += part.lines
        missing += part.missing
        if not part.lines and not part.missing:
            left_out.append(medium)
    gwp = constant("gwp_co2")
    potential = used("GWP", gwp.value, gwp.unit, gwp)
    lines += [
        Line(
            each.quantity,
            each.amount,
            each.amount_unit,
            each.factor * Fraction(gwp.value),
            f"({each.formula}) × GWP",
            (*each.used, potential),
        )
        for each in burnt
    ]
    period = (batch.start, batch.end)
    whole = figure("co2e_footprint", period, lines, missing, calibre)
    return Footprint(batch, whole, upstream, tuple(left_out))
