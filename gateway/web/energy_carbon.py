"""Standard coal and carbon of one subject by interval: each part by the factor that counted then."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any, Final, Literal

from gateway.energy.carbon.choice import Choices
from gateway.energy.carbon.coal import standard_coal
from gateway.energy.carbon.figure import Figure, Used
from gateway.energy.carbon.inventory import inventory
from gateway.energy.carbon.quantity import Missing, Quantity
from gateway.energy.carbon.refused import Refused
from gateway.energy.figures import Answer
from gateway.energy.figures import Figure as Amount
from gateway.energy.results.booked import quantity, whole
from gateway.web.energy_books import Accounts
from gateway.web.energy_figures import Asked, Found, energy
from gateway.web.energy_models import FactorUsed, Wanted

Carbon = Literal["coal_equivalent", "coal_primary", "co2", "co2_market"]
NOT_COUNTED: Final = frozenset(
    {"electricity_generation", "electricity_export", "electricity_reactive", "electricity_reactive_export",
     "production", "production_mass"}
)  # fmt: skip
"""Media that have no carbon of their own."""
_PLACES: Final = 3


def carbon(accounts: Accounts, asked: Asked, metric: Carbon) -> Found:
    """Return kgce or kgCO2 by interval. Raises as `energy`."""
    answer = energy(accounts, asked)
    unit = "kgce" if metric.startswith("coal") else "kgCO2"
    values: list[Fraction | None] = []
    missing: dict[tuple[str, str], Wanted] = {}
    numbers: dict[tuple[str, str], FactorUsed] = {}
    for figure in answer.figures:
        value: Fraction | None = None
        try:
            parts = _quantities(accounts, asked, answer, figure)
            made = [_of(metric, [each], accounts.choices) for each in parts]
        except Refused as exc:
            refused = Wanted(choice=exc.code, en=exc.text("en"), zh=exc.text("zh"))
            missing.setdefault((exc.code, refused.en), refused)
        else:
            for each in (figure for pair in made for figure in pair):
                numbers |= {(n.symbol, n.row): n for line in each.lines for n in map(used, line.used)}
                for lack in wanted(each.missing):
                    missing.setdefault((lack.choice, ""), lack)
            exacts = [each.exact for pair in made for each in pair]
            if parts and all(each is not None for each in exacts):
                value = sum((each for each in exacts if each is not None), Fraction(0))
        values.append(value)
    known = [each for each in values if each is not None]
    total = sum(known, Fraction(0)) if known else None
    return Found(
        answer, unit, values, total, places=_PLACES,
        wanted=list(missing.values()), factors=list(numbers.values()),
    )  # fmt: skip


def _quantities(accounts: Accounts, asked: Asked, answer: Answer, figure: Amount) -> list[Quantity]:
    """Return an interval's quantity, in two where a choice changes within it; none where nothing is known."""
    changes = accounts.choices.changes(figure.span.first, figure.span.last)
    if not changes:
        return [] if figure.quanta is None else [quantity(answer, figure, asked.subject)]
    parts = whole(accounts.query, accounts.choices, asked.subject, asked.medium, figure.span)
    return [each for each in parts if isinstance(each, Quantity)]


_MAKE: Final[dict[Carbon, Callable[[Sequence[Quantity], Choices], tuple[Figure, ...]]]] = {
    "coal_equivalent": lambda some, chosen: (standard_coal(some, chosen).equivalent,),
    "coal_primary": lambda some, chosen: (standard_coal(some, chosen).primary,),
    "co2": lambda some, chosen: (
        (made := inventory(some, chosen)).scope_1, made.scope_2.location
    ),
    "co2_market": lambda some, chosen: (
        (made := inventory(some, chosen)).scope_1, made.scope_2.market
    ),
}  # fmt: skip


def _of(metric: Carbon, some: Sequence[Quantity], chosen: Choices) -> tuple[Figure, ...]:
    return _MAKE[metric](some, chosen)


def wanted(missing: Iterable[Missing]) -> list[Wanted]:
    """Return what is missing, in both languages."""
    return [
        Wanted(choice=each.choice, en=each.reason.text("en"), zh=each.reason.text("zh")) for each in missing
    ]


def used(number: Used) -> FactorUsed:
    """Return a number of a formula for the browser."""
    told: dict[str, Any] = {
        name: getattr(number, name)
        for name in ("symbol", "unit", "row", "source", "instrument", "confidence", "note")
    }
    return FactorUsed(value=f"{number.value:f}", **told)
