"""The evidence of one figure: which readings, by what rules, by what arithmetic. For people who check."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

import numpy as np

from config.energy_meters import Meter
from gateway.energy import flags as f
from gateway.energy.accounts.readings import Readings, merged
from gateway.energy.accounts.state import rules_of
from gateway.energy.figures import Answer, Figure, rounded
from gateway.energy.periods import Span
from gateway.energy.query import Query

_AROUND_NS: Final = 3_600_000_000_000
"""So far before and behind the period readings are shown."""
PLACES: Final = 6


def evidence(
    query: Query,
    subject: str,
    first: int,
    last: int,
    medium: str = "electricity",
    *,
    around: int | None = None,
) -> dict[str, Any]:
    """Return what is behind one figure, ready for JSON; times as local text. Raises as `Query.energy`.

    `around`, ns: only the readings so near to the two boundaries, which alone decide the figure; all if None.
    """
    answer = query.energy(subject, "whole", first, last, medium)
    terms = [_term(query, meter, times, Span(first, last), around) for meter, times in answer.made.terms]
    return {
        "figure": {"subject": subject, "medium": answer.medium, **said(query, answer, answer.total)},
        "unit": answer.unit,
        "quantum": str(answer.quantum),
        "arithmetic": " + ".join(f"({times}) × {meter.name}" for meter, times in answer.made.terms),
        "terms": terms,
        "closed": [
            {"from": _local(query, each.span.first), "to": _local(query, each.span.last), "by": each.who}
            for each in query.closings()
            if each.span.first < last and each.span.last > first
        ],
    }


def said(query: Query, answer: Answer, figure: Figure) -> dict[str, Any]:
    """Return a figure ready for JSON: exact amounts as decimal text, never a float."""
    measured, estimated, manual = figure.shares()
    q = answer.quantum

    def share(part: Fraction) -> str | None:
        return None if figure.quanta is None else str(rounded(part, 4))

    return {
        "from": _local(query, figure.span.first),
        "to": _local(query, figure.span.last),
        "label": figure.span.label,
        "amount": _text(answer.amount(figure)),
        "at_least": _text(None if figure.quanta is None else (figure.quanta - figure.below) * q),
        "at_most": _text(None if figure.quanta is None else (figure.quanta + figure.above) * q),
        "quanta": figure.quanta,
        "measured_share": share(measured),
        "estimated_share": share(estimated),
        "manual_share": share(manual),
        "completeness": str(rounded(figure.covered, 4)),
        "revision": figure.revision,
        "flags": f.words(figure.flags),
        "closed": figure.is_closed,
    }


def rows(found: dict[str, Any]) -> Iterator[list[str]]:
    """Yield the readings of an evidence as rows of a table, a heading first."""
    yield ["meter", "time", "reading", "unit", "manual"]
    for term in found["terms"]:
        for each in term["readings"]:
            yield [term["meter"], each["time"], each["reading"], term["unit"], str(each["manual"]).lower()]


def _term(query: Query, meter: Meter, times: Fraction, span: Span, around: int | None) -> dict[str, Any]:
    first, last = span.first, span.last
    begin, end = query.boundary(meter.name, first), query.boundary(meter.name, last)
    if around is None:
        kept = query.readings(meter.name, first - _AROUND_NS, last + _AROUND_NS)
    else:
        kept = merged(*(query.readings(meter.name, at - around, at + around) for at in (first, last)))
    rules = rules_of(meter)
    return {
        "meter": meter.name,
        "times": str(times),
        "unit": meter.medium.unit.symbol,
        "tag": meter.tag,
        "kind": meter.kind,
        "serial": meter.options.serial,
        "accuracy": meter.options.accuracy,
        "identifier": meter.options.identifier,
        "verify_by": meter.options.verify_by,
        "quantum": str(meter.quantum),
        "resolution": f"{meter.resolution:f}",
        "maximum": f"{meter.maximum:f}",
        "maximum_assumed": meter.is_maximum_assumed,
        "rollover": None if rules.modulus is None else _text(rules.modulus * meter.quantum),
        "boundaries": [_boundary(query, meter, first, begin), _boundary(query, meter, last, end)],
        "arithmetic": _difference(meter, begin, end),
        "readings_kept": len(kept.time),
        "readings": list(_readings(query, meter, kept)),
        "events": [
            {
                "time": _local(query, each.time),
                "what": f.words(each.flag)[0],
                "before": _text(each.before * meter.quantum),
                "after": _text(each.after * meter.quantum),
            }
            for each in query.events(meter.name, first, last)
        ],
        "adjustments": [
            {"entered": _local(query, at), "amount": _text(quanta * meter.quantum)}
            for span, at, quanta in query.adjustments(meter.name)
            if span.first < last and span.last > first
        ],
    }


def _boundary(query: Query, meter: Meter, time: int, slot: np.ndarray[Any, Any]) -> dict[str, Any]:
    if slot["flags"][0] & f.MISSING:
        return {"time": _local(query, time), "counter": None}
    q = meter.quantum
    return {
        "time": _local(query, time),
        "counter": _text(int(slot["total"][0]) * q),
        "quanta": int(slot["total"][0]),
        "at_least": _text(int(slot["total"][0] - slot["below"][0]) * q),
        "at_most": _text(int(slot["total"][0] + slot["above"][0]) * q),
    }


def _difference(meter: Meter, begin: np.ndarray[Any, Any], end: np.ndarray[Any, Any]) -> str:
    if (begin["flags"][0] | end["flags"][0]) & f.MISSING:
        return "a boundary is not known: from the first reading, or up to the newest"
    a, b = int(begin["total"][0]), int(end["total"][0])
    amount = _text((b - a) * meter.quantum)
    return f"{b} - {a} = {b - a} quanta × {meter.quantum} = {amount} {meter.medium.unit.symbol}"


def _readings(query: Query, meter: Meter, kept: Readings) -> Iterator[dict[str, Any]]:
    for time, raw, manual in zip(*(column.tolist() for column in kept), strict=True):
        yield {"time": _local(query, time), "reading": _text(raw * meter.quantum), "manual": manual}


def _local(query: Query, time: int) -> str:
    whole = query.calendar.local(time).isoformat(timespec="seconds")
    part = time % 1_000_000_000
    return whole if not part else f"{whole[:19]}.{part:09d}{whole[19:]}"


def _text(amount: Fraction | None) -> str | None:
    """Return an amount as decimal text: exact where a decimal can be, else to six places."""
    if amount is None:
        return None
    exact = rounded(amount, 12)
    if Fraction(exact) == amount:
        return f"{exact.normalize():f}"
    return f"{rounded(amount, PLACES):f}"
