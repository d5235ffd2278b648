"""Footprints of batches: the electricity and the fuels metered where a batch was made, while it was made."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from config.carbon import Upstream as Entered
from config.energy import media
from config.plant import Plant
from gateway.energy.carbon.choice import Choices
from gateway.energy.carbon.footprint import Batch, Footprint, Upstream, footprint
from gateway.energy.carbon.quantity import Entry, Unknown
from gateway.energy.periods import Span
from gateway.energy.query import NoSuchFigure, Query
from gateway.energy.results.booked import NOT_CARBON, PRODUCTION, whole

_NOT_BURNT = ("electricity_export", "electricity_generation")


@dataclass(frozen=True, slots=True)
class Run:
    """A batch as it was entered."""

    node: str
    name: str
    first: int
    last: int
    product: str


def runs_of(query: Query, node: str, first: int, last: int) -> list[Run]:
    """Return the batches at or below a node that begin in a period, the newest first. Raises NoBooks."""
    return [Run(*row) for row in reversed(query.batches(node, first, last))]


def footprint_of(query: Query, plant: Plant, choices: Choices, run: Run) -> Footprint:
    """Return a batch's footprint. Raises NoBooks, Refused.

    Where no electricity is metered at its place, or the books do not know it, the figure has no value.
    """
    entries = list(_used(query, choices, run))
    amount, unit = _output(query, run)
    batch = Batch(
        run.name,
        run.product,
        run.first,
        run.last,
        amount or Fraction(0),
        unit,
        plant.energy.identifiers.products.get(run.product, ""),
    )
    return footprint(batch, entries, choices, _upstream(plant.carbon.upstream.get(run.product), unit))


def _used(query: Query, choices: Choices, run: Run) -> Iterator[Entry]:
    for name in media():
        if name in NOT_CARBON or name in _NOT_BURNT:
            continue
        try:
            yield from whole(query, choices, run.node, name, Span(run.first, run.last), to_its_end=True)
        except NoSuchFigure:
            if name == "electricity":
                yield Unknown(name, run.first, run.last, run.node)


def _output(query: Query, run: Run) -> tuple[Fraction | None, str]:
    """Return what a node's production counter counted in a batch; None where it has none, or several."""
    counters = [
        name
        for name, meter in query.meters.items()
        if meter.medium.name in PRODUCTION and meter.node == run.node
    ]
    if len(counters) != 1:
        return None, ""
    answer = query.energy(counters[0], "whole", run.first, run.last)
    # Of a counter that stopped before the batch did, every piece would carry the footprint of several.
    return answer.amount(answer.total) if answer.total.is_whole else None, answer.unit


def _upstream(entered: Entered | None, unit: str) -> Upstream | None:
    """Return what was entered for the product, where it is per the unit that its counter counts."""
    return None if entered is None or entered.per != unit else Upstream(entered.kgco2e, entered.source)
