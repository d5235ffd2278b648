"""Why two results for the same period differ: other amounts, other factors, other lines; to the last digit.

When a factor is replaced both results are kept. The difference is told line by line: first the amount moves
under the old factor, then the factor moves under the new amount, so that the parts add up exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from config.problems import Language
from gateway.energy.carbon.exact import converted, rounded
from gateway.energy.carbon.figure import PLACES, Figure, Line
from gateway.energy.carbon.refused import Refused

_NONE = Fraction(0)


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one quantity's line; None where only one result has it."""

    old: Line | None
    new: Line | None

    @property
    def by_amount(self) -> Fraction:
        """Return the part that comes from another amount, or from a line that came or went."""
        match self.old, self.new:
            case Line() as old, Line() as new:
                amount = _in_units_of(old, new)
                return new.exact - old.exact if amount is None else (amount - old.amount) * old.factor
            case Line() as old, None:
                return -old.exact
            case None, Line() as new:
                return new.exact
        return _NONE

    @property
    def by_factor(self) -> Fraction:
        """Return the part that comes from another factor."""
        if self.old is None or self.new is None:
            return _NONE
        return self.new.exact - self.old.exact - self.by_amount

    def as_dict(self) -> dict[str, object]:
        """Return it for programs: the rows of both sides and the two parts."""
        line = self.new or self.old
        rows = [
            [{"row": each.row, "hash": each.hash, "value": f"{each.value:f}"} for each in side.used]
            if side
            else []
            for side in (self.old, self.new)
        ]
        return {
            "quantity": line.quantity.as_dict() if line else {},
            "old": rows[0],
            "new": rows[1],
            "by_amount": str(self.by_amount),
            "by_factor": str(self.by_factor),
        }


@dataclass(frozen=True, slots=True)
class Delta:
    """Both results and what lies between them."""

    old: Figure
    new: Figure
    changes: tuple[Change, ...]

    @property
    def exact(self) -> Fraction:
        """Return new minus old; the sum of all parts."""
        return sum((each.by_amount + each.by_factor for each in self.changes), _NONE)

    @property
    def value(self) -> Decimal:
        """Return it rounded once to a gram."""
        return rounded(self.exact, PLACES)

    def as_dict(self, language: Language) -> dict[str, Any]:
        """Return both results and the explanation."""
        return {
            "old": self.old.as_dict(language),
            "new": self.new.as_dict(language),
            "difference": f"{self.value:f}",
            "exact": str(self.exact),
            "changes": [each.as_dict() for each in self.changes],
        }


def difference(old: Figure, new: Figure) -> Delta:
    """Return what lies between two results of one kind and period; lines that are the same are left out.

    Both are made from the same quantities, cut where either side's choices change.

    Raises:
        Refused: E-FA-0001, they are of different kinds; E-FA-0009, of different periods, cut differently, or
            one has no value.
    """
    if old.kind != new.kind:
        raise Refused("E-FA-0001", kinds=[old.kind, new.kind])
    if (old.start, old.end) != (new.start, new.end) or old.missing or new.missing:
        raise Refused("E-FA-0009")
    spans = _spans(old.lines), _spans(new.lines)
    if any(spans[0][each] != spans[1][each] for each in spans[0].keys() & spans[1].keys()):
        raise Refused("E-FA-0009")
    before, after = _by_quantity(old.lines), _by_quantity(new.lines)
    keys = dict.fromkeys([*before, *after])
    changes = [Change(before.get(key), after.get(key)) for key in keys]
    return Delta(old, new, tuple(each for each in changes if each.old != each.new))


def _spans(lines: Sequence[Line]) -> dict[tuple[str, str], set[tuple[int, int]]]:
    """Return how each node's medium is cut; what a contract has too much is of no node."""
    found: dict[tuple[str, str], set[tuple[int, int]]] = {}
    for of in (line.quantity for line in lines):
        if of.node:
            found.setdefault((of.node, of.medium), set()).add((of.start, of.end))
    return found


def _by_quantity(lines: Sequence[Line]) -> dict[tuple[object, ...], Line]:
    found: dict[tuple[object, ...], Line] = {}
    for line in lines:
        of = line.quantity
        rule = line.rule.key if line.rule else ""
        key: tuple[object, ...] = (of.node, of.medium, of.start, of.end, rule)
        while key in found:
            key = (*key, "again")
        found[key] = line
    return found


def _in_units_of(old: Line, new: Line) -> Fraction | None:
    """Return the new amount in the old line's unit: a factor per GJ may take the place of one per m³."""
    if new.amount_unit == old.amount_unit:
        return new.amount
    if not old.quantity.amount:
        return None
    per_unit = old.amount / Fraction(old.quantity.amount)
    return converted(new.quantity.amount, new.quantity.unit, old.quantity.unit) * per_unit
