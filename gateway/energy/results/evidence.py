"""The evidence of a figure of carbon or standard coal: samples, factors, arithmetic, earlier versions."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from config.plant import Plant
from config.problems import Language
from gateway.energy.carbon.choice import Choices
from gateway.energy.carbon.exact import rounded
from gateway.energy.carbon.figure import PLACES, UNITS, Kind
from gateway.energy.evidence import evidence
from gateway.energy.periods import Calendar
from gateway.energy.query import NoSuchFigure, Query
from gateway.energy.results.batches import footprint_of, runs_of
from gateway.energy.results.booked import made_of
from gateway.energy.results.kept import Kept, kept, terms

KINDS: Final[tuple[Kind, ...]] = (
    "co2_direct", "co2_location", "co2_market", "coal_equivalent", "coal_primary",
)  # fmt: skip
AROUND_NS: Final = 600_000_000_000
"""The readings that decide a boundary lie near it."""


def carbon_evidence(
    query: Query, choices: Choices, directory: Path, subject: tuple[str, Kind, int, int], language: Language
) -> dict[str, Any]:
    """Return what is behind one figure, ready for JSON; subject: node, kind, and two local midnights.

    Raises NoSuchFigure, NoBooks, Refused.
    """
    node, kind, first, last = subject
    midnights = query.calendar.days(first, last)
    if len(midnights) < 2 or (midnights[0], midnights[-1]) != (first, last):
        raise NoSuchFigure("E-EN-0017")
    made = made_of(query, choices, node, first, last)
    figure = next(each for each in made.figures if each.kind == kind)
    versions = [each for each in kept(directory, node, first, last) if _is_same(each[0], kind, first, last)]
    return {
        "node": node,
        "figure": figure.as_dict(language),
        "days": made.days,
        "known_days": dict(zip(made.media, made.known, strict=True)),
        "samples": {
            medium: evidence(query, node, first, last, medium, around=AROUND_NS)
            for medium in dict.fromkeys(line.quantity.medium for line in figure.lines)
        },
        "kept": [version_told(each, query.calendar) for each in (versions[0] if versions else ())],
        "differences": [difference_told(old, new) for old, new in pairwise(versions[0] if versions else ())],
    }


def footprints(
    query: Query, plant: Plant, choices: Choices, subject: tuple[str, int, int], language: Language
) -> dict[str, Any]:
    """Return the footprints of the batches at or below a node that begin in a period, ready for JSON."""
    found = runs_of(query, *subject)
    if not found:
        raise NoSuchFigure("E-EN-0014", node=subject[0])
    told = [footprint_of(query, plant, choices, run).as_dict(language) | {"node": run.node} for run in found]
    return {"batches": told}


def version_told(one: Kept, calendar: Calendar) -> dict[str, Any]:
    """Return one version of a result, without its lines."""
    exact = one.figure.exact
    return {
        "revision": one.revision,
        "made": calendar.local(one.made).isoformat(timespec="seconds"),
        "value": None if exact is None else f"{rounded(exact, PLACES):f}",
        "exact": None if exact is None else str(exact),
        "unit": one.figure.unit,
        "rows": [
            {"row": row, "hash": version}
            for row, version in dict.fromkeys(
                (each.row, each.hash) for line in one.figure.lines for each in line.used
            )
        ],
        "days": one.days,
        "known_days": one.known,
    }


def difference_told(old: Kept, new: Kept) -> dict[str, Any]:
    """Return what lies between two versions, by term; the parts add up to the difference exactly."""
    found = terms(old.figure, new.figure)
    whole = (new.figure.exact or Fraction(0)) - (old.figure.exact or Fraction(0))
    return {
        "from": old.revision,
        "to": new.revision,
        "difference": f"{rounded(whole, PLACES):f}",
        "unit": UNITS[new.figure.kind],
        "terms": None
        if found is None
        else [
            {
                "medium": each.medium,
                "old": [f"{row} {version}".strip() for row, version in each.old],
                "new": [f"{row} {version}".strip() for row, version in each.new],
                "by_amount": f"{rounded(each.by_amount, PLACES):f}",
                "by_factor": f"{rounded(each.by_factor, PLACES):f}",
            }
            for each in found
        ],
    }


def _is_same(one: Kept, kind: Kind, first: int, last: int) -> bool:
    return (one.figure.kind, one.figure.start, one.figure.end) == (kind, first, last)
