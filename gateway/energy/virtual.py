"""Which meters make up a figure: a meter, a virtual one spelled out, or everything below a node of the tree.

Sums are exact: the figure's quantum divides every term's, so nothing is ever rounded on the way.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from config.energy_meters import Meter
from config.problems import Phrase
from gateway.energy import flags as f
from gateway.energy.accounts.walk import MOST_SCANS
from gateway.energy.periods import QUARTER_NS


class NoSuchFigure(ValueError):
    """Nothing in the plant file makes up this figure; `said` tells what was asked."""

    def __init__(self, code: str, **args: object) -> None:
        super().__init__(code, args)
        self.said = Phrase(code, args)

    def __str__(self) -> str:
        """Return it in English."""
        return self.said.text("en")


@dataclass(frozen=True, slots=True)
class Made:
    """What a figure is made of."""

    terms: tuple[tuple[Meter, Fraction], ...]
    """Meters with readings of their own, and how many times each; by name."""
    unit: str
    """UNECE common code."""
    symbol: str
    quantum: Fraction
    """Units in one quantum of the figure."""
    flags: int = 0

    @property
    def factors(self) -> list[int]:
        """Return by how much each term's quanta count in the figure's."""
        return [int(times * meter.quantum / self.quantum) for meter, times in self.terms]

    @property
    def near(self) -> int:
        """Return how far apart, ns, readings of these meters lie that pass for one moment's."""
        return MOST_SCANS * max(min(meter.scan, QUARTER_NS) for meter, _ in self.terms)


def spelled_out(meters: Mapping[str, Meter], name: str) -> dict[str, Fraction]:
    """Return how many times each meter with readings of its own is in a meter."""
    meter = meters[name]
    if meter.is_read:
        return {name: Fraction(1)}
    found: dict[str, Fraction] = {}
    for term, times in meter.terms.items():
        for each, inner in spelled_out(meters, term).items() if term in meters else ():
            found[each] = found.get(each, Fraction(0)) + times * inner
    return {each: times for each, times in found.items() if times}


def made_of_meter(meters: Mapping[str, Meter], name: str) -> Made:
    """Return what a meter's figures are made of; NoSuchFigure where there is no such meter."""
    if name not in meters:
        raise NoSuchFigure("E-EN-0010", meter=name)
    return _made(meters, spelled_out(meters, name), meters[name])


def made_of_node(meters: Mapping[str, Meter], node: str, medium: str) -> Made:
    """Return what a node's figures of a medium are made of.

    Meters that say they measure this very node, else all below it; of both only those that do not hang behind
    another of them. Virtual meters count where the plant file gives them a place. Several meters of which
    nobody said how they hang together carry OVERLAP: some may count the same energy.
    """
    there = [
        each
        for each in meters.values()
        if each.medium.name == medium and (each.is_read or each.options.at is not None)
    ]
    exact = [each for each in there if each.node == node]
    below = exact or [each for each in there if each.node.startswith(f"{node}/")]
    names = {each.name for each in below}
    roots = [each for each in below if not _hangs_behind(meters, each, names)]
    if not roots:
        raise NoSuchFigure("E-EN-0011", medium=medium, node=node)
    terms: dict[str, Fraction] = {}
    for root in roots:
        for name, times in spelled_out(meters, root.name).items():
            terms[name] = terms.get(name, Fraction(0)) + times
    loose = sum(each.parent is None for each in roots) > 1
    return _made(meters, terms, roots[0], f.OVERLAP if loose and not exact else 0)


def _hangs_behind(meters: Mapping[str, Meter], meter: Meter, names: set[str]) -> bool:
    seen, parent = {meter.name}, meter.parent
    while parent is not None and parent not in seen:
        if parent in names:
            return True
        seen.add(parent)
        parent = meters[parent].parent if parent in meters else None
    return False


def _made(meters: Mapping[str, Meter], terms: Mapping[str, Fraction], like: Meter, flags: int = 0) -> Made:
    unit = like.medium.unit
    chosen = tuple((meters[name], times) for name, times in sorted(terms.items()))
    factors = []
    for meter, times in chosen:
        convert = Fraction(repr(meter.medium.unit.factor)) / Fraction(repr(unit.factor))
        factors.append((meter, times * convert))
    quantum = _gcd(abs(times) * meter.quantum for meter, times in factors) or Fraction(1, 1000)
    return Made(tuple(factors), unit.code, unit.symbol, quantum, flags)


def _gcd(numbers: Iterable[Fraction]) -> Fraction:
    """Return the greatest number of which all are whole multiples."""
    result = Fraction(0)
    for number in numbers:
        denominator = math.lcm(result.denominator, number.denominator)
        result = Fraction(math.gcd(int(result * denominator), int(number * denominator)), denominator)
    return result
