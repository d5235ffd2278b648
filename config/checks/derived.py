"""Derived tags: is each expression arithmetic over tags there are, in units that go together, in no ring?"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from config.expression import TRUTHS, NotAnExpression, evaluate
from config.formulas import Formula, Names, Unresolved, derived_tags, formula
from config.plant import Plant
from config.problems import Phrase, Problem, quote
from config.reading import advice
from config.reading.document import Document, Path
from config.rings import leads_back
from config.units import Unit, find_unit

_MOST_SHOWN: Final = 3
_ALIKE: Final = ("+", "-", "min", "max", "sum", "mean", "<", "<=", ">", ">=", "==", "!=")
"""Operations whose operands are of one unit."""


def check_derived(plant: Plant, document: Document, *, is_whole: bool) -> Iterator[Problem]:
    """Yield every mistake of the derived section; without `is_whole` nothing of what seems missing."""
    if not plant.derived:
        return
    known = Names(plant)
    found: dict[str, Formula] = {}
    for device, name in derived_tags(plant):
        path = ("derived", device, "tags", name, "expression")
        try:
            each = formula(plant, device, name, known)
        except NotAnExpression as error:
            reason = Phrase(error.key, {"found": quote(error.found.strip('"'))})
            yield document.problem("E-CF-1701", path, reason=reason)
        except Unresolved as error:
            if is_whole or error.code not in ("E-CF-1702", "E-CF-1705"):
                yield _unresolved(error, known, document, path)
        else:
            found[each.path] = each
    uses = {path: [one.path for one in each.inputs] for path, each in found.items()}
    for each in found.values():
        at = ("derived", each.device, "tags", each.name)
        if leads_back(each.path, uses):
            yield document.problem("E-CF-1706", (*at, "expression"))
        elif not each.inputs:
            yield document.problem("E-CF-1709", (*at, "expression"))
        else:
            yield from _units(each, known, document, at)


def _unresolved(error: Unresolved, known: Names, document: Document, path: Path) -> Problem:
    args: dict[str, object] = {"name": quote(error.name), "paths": list(error.found[:_MOST_SHOWN])}
    if error.code == "E-CF-1702":
        there = known.known if "/" in error.name else known.short
        args["advice"] = advice.near(error.name, tuple(sorted(there)))
    return document.problem_with(error.code, path, args)


def _units(each: Formula, known: Names, document: Document, at: Path) -> Iterator[Problem]:
    try:
        unit = evaluate(each.program, _Units(known))
    except _UnitsDiffer as error:
        yield document.problem("E-CF-1707", (*at, "expression"), one=error.one, other=error.other)
        return
    wanted = each.options.unit
    if isinstance(unit, Unit) and unit != wanted:
        where = (*at, "unit") if "unit" in each.options.model_fields_set else (*at, "expression")
        yield document.problem("E-CF-1708", where, unit=unit.symbol, wanted=wanted.symbol)


class _UnitsDiffer(ValueError):
    def __init__(self, one: Unit, other: Unit) -> None:
        super().__init__()
        self.one, self.other = one.symbol, other.symbol


_ONE: Final = find_unit("1")
Sense = Unit | Fraction | None
"""A unit; a plain number, which goes with any; None where nobody can tell, such as a product's."""


class _Units:
    """Arithmetic of units, as far as it goes: what it can't tell it lets pass."""

    def __init__(self, known: Names) -> None:
        self._known = known

    def number(self, value: Fraction) -> Sense:
        return value

    def name(self, name: str) -> Sense:
        return self._known.unit(name)

    def apply(self, operation: str, arguments: list[Sense]) -> Sense:
        if operation in _ALIKE:
            unit = _alike(arguments)
            return _ONE if operation in TRUTHS else unit
        match operation, arguments:
            case (("neg" | "abs" | "round"), [one, *_]):
                return one
            case "if", _:
                return _alike([*arguments[1::2], arguments[-1]])
            case (("and" | "or" | "not"), _):
                return _ONE
            case "/", [Unit() as one, other] if one == other:
                return _ONE
            case _:
                return None


def _alike(arguments: list[Sense]) -> Sense:
    """Return the unit all of these have; nothing is known of it when nothing is known of one of them."""
    units = [each for each in arguments if isinstance(each, Unit)]
    for each in units[1:]:
        if each != units[0]:
            raise _UnitsDiffer(units[0], each)
    if any(each is None for each in arguments):
        return None
    return units[0] if units else arguments[0]
