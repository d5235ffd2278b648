"""From the books to what carbon is computed of, and the five figures of a place and period.

Of a medium that is known for some days of the period the figure is of these days, and says of how many.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final

from config.energy import media
from gateway.energy.carbon.choice import Choices
from gateway.energy.carbon.coal import standard_coal
from gateway.energy.carbon.figure import Figure
from gateway.energy.carbon.inventory import Inventory, inventory
from gateway.energy.carbon.quantity import Entry, Quantity, Unknown
from gateway.energy.figures import Answer
from gateway.energy.figures import Figure as Amount
from gateway.energy.periods import Span
from gateway.energy.query import NoSuchFigure, Query

PRODUCTION: Final = ("production", "production_mass")
NOT_CARBON: Final = frozenset({"electricity_reactive", "electricity_reactive_export", *PRODUCTION})
"""Media no figure of carbon is made of."""


@dataclass(frozen=True, slots=True)
class Made:
    """Scopes and calibres of one node over whole days."""

    node: str
    start: int
    end: int
    inventory: Inventory
    figures: tuple[Figure, ...]
    """Scope 1, scope 2 by location and by market, standard coal 当量 and 等价."""
    media: tuple[str, ...]
    known: tuple[int, ...]
    """Of how many days each medium is known."""
    days: int

    @property
    def is_whole(self) -> bool:
        """Tell whether every medium is known on every day."""
        return all(each == self.days for each in self.known)


def made_of(query: Query, choices: Choices, node: str, first: int, last: int) -> Made:
    """Return the figures of a node between two local midnights. Raises NoSuchFigure, NoBooks, Refused."""
    entries: list[Entry] = []
    names, known = [], []
    for name in media():
        if name in NOT_CARBON:
            continue
        try:
            answer = query.energy(node, "day", first, last, name)
        except NoSuchFigure:
            continue
        found = [quantity(answer, each, node) for each in answer.figures if each.quanta is not None]
        names.append(name)
        known.append(len(found))
        entries += found or [Unknown(name, first, last, node)]
    if not names:
        raise NoSuchFigure("E-EN-0013", node=node)
    made = inventory(entries, choices, period=(first, last))
    coal = standard_coal(entries, choices, period=(first, last))
    figures = (made.scope_1, made.scope_2.location, made.scope_2.market, coal.equivalent, coal.primary)
    days = len(query.calendar.days(first, last)) - 1
    return Made(node, first, last, made, figures, tuple(names), tuple(known), days)


def quantity(answer: Answer, figure: Amount, node: str) -> Quantity:
    """Return what the calculations of carbon take; of a figure that is known."""
    quanta, q = figure.quanta or 0, answer.quantum
    gross = figure.gross or 1
    # Shares are of what was counted; where meters are subtracted they are handed on in proportion.
    return Quantity(
        answer.medium,
        quanta * q,
        answer.unit,
        figure.span.first,
        figure.span.last,
        node,
        estimated=Fraction(figure.estimated * quanta, gross) * q,
        manual=Fraction(figure.manual * quanta, gross) * q,
    )


def whole(
    query: Query, choices: Choices, node: str, medium: str, span: Span, *, to_its_end: bool = False
) -> Iterator[Entry]:
    """Yield what is booked of a medium in a stretch, cut where a choice changes. Raises NoSuchFigure.

    With `to_its_end` what is known for a part of the stretch only is not known.
    """
    for begin, end in pairwise((span.first, *choices.changes(span.first, span.last), span.last)):
        answer = query.energy(node, "whole", begin, end, medium)
        if answer.total.quanta is None or (to_its_end and not answer.total.is_whole):
            yield Unknown(medium, begin, end, node)
        else:
            yield quantity(answer, answer.total, node)
