"""Where a medium went: from each meter to the meters behind it, and what nobody accounts for."""

from dataclasses import dataclass
from fractions import Fraction

from config.energy_meters import Meter, children, fraction
from gateway.energy.figures import APART, Answer
from gateway.energy.query import Query


@dataclass(frozen=True, slots=True)
class Flow:
    """A stream from a meter to one behind it, in the parent's unit, exactly."""

    source: str
    target: str
    """Empty: what is measured at `source` and found at no meter behind it."""
    amount: Fraction
    share: Fraction | None
    """Of what `source` measured; None where that is 0."""
    is_alarm: bool = False
    """More than the meter's `unaccounted`, by more than the readings leave open."""
    is_beside: bool = False
    """What a virtual meter subtracts: it comes through `source`, and is no part of what that measured."""


@dataclass(frozen=True, slots=True)
class Flows:
    """Every stream of a period."""

    unit: str
    flows: tuple[Flow, ...]
    over: tuple[Flow, ...]
    """Meters whose children found more than they: the surplus, which no stream can show."""
    unknown: tuple[str, ...]
    """Meters of which nothing is known; their streams are left out, and so is their parent's rest."""
    partly: tuple[str, ...]
    """Meters not read for some of the time; their stream is so far, a rest beside it is left out."""


def flows_of(query: Query, medium: str, first: int, last: int, subject: str = "") -> Flows:
    """Return the streams of a medium over whole days; `subject`: only below this place or meter.

    Each meter is asked once. Raises as `Query.energy`.
    """
    chosen = {
        name: each
        for name, each in query.meters.items()
        if each.medium.name.removesuffix("_generation") == medium
    }
    answers: dict[str, Answer] = {}
    unknown: list[str] = []
    for name in sorted(_wanted(chosen, subject)):
        answer = query.energy(name, "day", first, last)
        if answer.total.quanta is None:
            unknown.append(name)
        else:
            answers[name] = answer
    made, over, partly = [], [], []
    for name in list(answers):
        made += _into(query, name, first, last, unknown)
        streams, surplus, others = _from(query, name, answers)
        made += streams
        over += surplus
        partly += others
    units = sorted({each.unit for each in answers.values()})
    return Flows(units[0] if units else "", tuple(made), tuple(over), tuple(unknown), tuple(partly))


def _into(query: Query, name: str, first: int, last: int, unknown: list[str]) -> list[Flow]:
    """Return the streams of what a virtual meter is made of, where none of it hangs behind it."""
    meter = query.meters[name]
    if any(term in children(query.meters, name) for term in meter.terms):
        return []
    found = []
    for term, times in meter.terms.items():
        answer = query.energy(term, "day", first, last)
        amount = answer.amount(answer.total)
        if amount is None:
            unknown.append(term)
        elif times > 0:
            found.append(Flow(term, name, amount * times, times))
        else:
            found.append(Flow(name, term, amount * -times, None, is_beside=True))
    return [each for each in found if each.amount > 0]


def _wanted(chosen: dict[str, Meter], subject: str) -> set[str]:
    """Return the meters that hang behind or before another, and lie in the subject."""
    joined = {name for name, each in chosen.items() if each.parent in chosen}
    joined |= {each.parent for each in chosen.values() if each.parent in chosen and each.parent is not None}
    if not subject:
        return joined
    return {
        name
        for name in joined
        if name == subject or chosen[name].node == subject or chosen[name].node.startswith(f"{subject}/")
    }


def _from(query: Query, name: str, answers: dict[str, Answer]) -> tuple[list[Flow], list[Flow], list[str]]:
    """Return the streams behind a meter, the surplus of those, and which were read for another time."""
    whole = answers[name]
    behind = children(query.meters, name)
    if not behind:
        return [], [], []
    measured = whole.amount(whole.total) or Fraction(0)
    parts = [(each, answers[each]) for each in behind if each in answers]
    made = [
        Flow(name, each, amount, amount / measured if measured else None)
        for each, part in parts
        if (amount := part.amount(part.total)) is not None and amount > 0
    ]
    apart = {each: whole.total.apart(part.total) for each, part in parts}
    if max(apart.values(), default=Fraction(0)) > APART or len(parts) < len(behind):
        # A rest that holds the share of a meter not read is no loss.
        return made, [], sorted({late for each, part in parts if (late := _late(name, whole, each, part))})
    found = sum((part.amount(part.total) or Fraction(0) for _, part in parts), Fraction(0))
    rest = measured - found
    limit = query.meters[name].options.unaccounted
    open_ = sum((max(p.total.below, p.total.above) * p.quantum for _, p in parts), Fraction(0))
    open_ += max(whole.total.below, whole.total.above) * whole.quantum
    open_ += max(apart.values()) * abs(measured)
    is_alarm = limit is not None and abs(rest) > fraction(limit) / 100 * abs(measured) + open_
    flow = Flow(name, "", abs(rest), abs(rest) / measured if measured else None, is_alarm)
    return ([*made, flow], [], []) if rest >= 0 else (made, [flow], [])


def _late(name: str, whole: Answer, part_name: str, part: Answer) -> str:
    """Return which of two meters was not read for some of the time, by more than they are read apart."""
    late = min((name, whole), (part_name, part), key=lambda each: each[1].total.read)
    near = max(whole.made.near, part.made.near)
    return late[0] if abs(whole.total.read - part.total.read) > near else ""
