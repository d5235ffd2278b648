"""Results of carbon and standard coal, kept in every version: a factor that changes never overwrites one.

A result is one figure of a node and a period that is over, with all of its lines: amounts, factor rows, their
versions. It is made again when the choices, the factor rows or the books may have changed; if it then says
something else it is stored beside the earlier one under the next revision; the difference is told by term.
"""

import json
import sqlite3
import zlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NamedTuple

from config.problems import Phrase
from gateway.energy.bookkeeping.files import NAME, SCHEMA
from gateway.energy.carbon.delta import difference
from gateway.energy.carbon.figure import Figure, Line, Used
from gateway.energy.carbon.quantity import Quantity
from gateway.energy.carbon.refused import Refused
from gateway.energy.results.booked import Made
from gateway.sqlite import check_version, connect_for_reading

_COLUMNS: Final = "node, kind, first, last, revision, made, days, known, figure"


@dataclass(frozen=True, slots=True)
class Kept:
    """One version of a result."""

    node: str
    figure: Figure
    revision: int
    """From 1; the highest is the one that counts."""
    made: int
    """ns UTC."""
    days: int
    known: dict[str, int]
    """Of how many of the period's days each medium was known."""


class Term(NamedTuple):
    """A part of the difference between two results: one medium whose factor rows or amount changed."""

    medium: str
    old: tuple[tuple[str, str], ...]
    """Rows of the old result and their versions."""
    new: tuple[tuple[str, str], ...]
    by_amount: Fraction
    by_factor: Fraction


def keep(db: sqlite3.Connection, made: Made, now: int) -> list[tuple[str, int]]:
    """Store the figures that have a value and say something new; return (kind, revision) of each stored.

    Within the caller's transaction.
    """
    stored: list[tuple[str, int]] = []
    known = json.dumps(dict(zip(made.media, made.known, strict=True)), ensure_ascii=False)
    for figure in made.figures:
        if figure.exact is None:
            continue
        said = _text(figure)
        newest = db.execute(
            "SELECT revision, figure FROM results WHERE node = ? AND kind = ? AND first = ? AND last = ?"
            " ORDER BY revision DESC LIMIT 1",
            (made.node, figure.kind, made.start, made.end),
        ).fetchone()
        if newest is not None and zlib.decompress(newest[1]) == said:
            continue
        revision = 1 if newest is None else newest[0] + 1
        row = (
            made.node,
            figure.kind,
            made.start,
            made.end,
            revision,
            now,
            made.days,
            known,
            zlib.compress(said),
        )
        db.execute(f"INSERT INTO results ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608
        stored.append((figure.kind, revision))
    return stored


def kept(directory: Path, node: str, first: int, last: int) -> list[list[Kept]]:
    """Return every result of a node whose period lies within first and last, its versions in order.

    Raises sqlite3.Error, NewerFormat; nothing is kept where nothing is booked.
    """
    if not (directory / NAME).exists():
        return []
    with closing(connect_for_reading(directory / NAME, sealed=False)) as db:
        if check_version(db, SCHEMA) < len(SCHEMA):
            return []  # the gateway has not opened these books since the release that keeps results
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM results WHERE node = ? AND first >= ? AND last <= ?"  # noqa: S608
            " ORDER BY first, last, kind, revision",
            (node, first, last),
        ).fetchall()
    found: dict[tuple[int, int, str], list[Kept]] = {}
    for of, kind, begin, end, revision, made, days, known, said in rows:
        figure = _unpacked(said, kind, begin, end)
        one = Kept(of, figure, revision, made, days, json.loads(known))
        found.setdefault((begin, end, kind), []).append(one)
    return list(found.values())


def terms(old: Figure, new: Figure) -> list[Term] | None:
    """Return what lies between two versions, by medium and rows; the parts add up to it exactly.

    None: the two can't be told apart line by line, for their days are cut differently.
    """
    try:
        changes = difference(old, new).changes
    except Refused:
        return None
    sums: dict[tuple[str, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]], list[Fraction]] = {}
    for each in changes:
        line = each.new or each.old
        key = (line.quantity.medium if line else "", _rows(each.old), _rows(each.new))
        parts = sums.setdefault(key, [Fraction(0), Fraction(0)])
        parts[0] += each.by_amount
        parts[1] += each.by_factor
    return [Term(*key, *parts) for key, parts in sums.items()]


def _rows(line: Line | None) -> tuple[tuple[str, str], ...]:
    return () if line is None else tuple(dict.fromkeys((each.row, each.hash) for each in line.used))


def _text(figure: Figure) -> bytes:
    """Return a figure's lines as JSON, the same for the same content; numbers as exact text."""
    numbers: dict[Used, int] = {}
    lines = [
        [
            _of_quantity(line.quantity), str(line.amount), line.amount_unit, str(line.factor), line.formula,
            [numbers.setdefault(each, len(numbers)) for each in line.used],
            None if line.rule is None else [line.rule.key, _texts(line.rule)],
        ]
        for line in figure.lines
    ]  # fmt: skip
    used = [
        [each.symbol, str(each.value), each.unit, each.row, each.hash, each.source, each.confidence,
         each.instrument, each.note, list(each.others)]
        for each in numbers
    ]  # fmt: skip
    said = {"calibre": figure.calibre, "used": used, "lines": lines}
    return json.dumps(said, ensure_ascii=False, sort_keys=True).encode()


def _texts(rule: Phrase) -> dict[str, str]:
    return {name: str(value) for name, value in rule.args.items()}


def _of_quantity(of: Quantity) -> list[Any]:
    numbers = [str(Fraction(each)) for each in (of.amount, of.estimated, of.manual)]
    return [of.medium, of.unit, of.start, of.end, of.node, *numbers]


def _unpacked(data: bytes, kind: Any, start: int, end: int) -> Figure:
    said = json.loads(zlib.decompress(data))
    used = [_used(*row) for row in said["used"]]
    lines = tuple(
        Line(
            _quantity(of), Fraction(amount), unit, Fraction(factor), formula,
            tuple(used[i] for i in numbers), None if rule is None else Phrase(*rule),
        )
        for of, amount, unit, factor, formula, numbers, rule in said["lines"]
    )  # fmt: skip
    return Figure(kind, start, end, lines, calibre=said["calibre"])


def _used(*row: Any) -> Used:
    symbol, value, *about, others = row
    unit, row_id, version, source, confidence, instrument, note = about
    return Used(
        symbol, Decimal(value), unit, row_id, version, source, confidence, instrument, note, tuple(others)
    )


def _quantity(row: Sequence[Any]) -> Quantity:
    medium, unit, start, end, node, amount, estimated, manual = row
    return Quantity(
        medium, Fraction(amount), unit, start, end, node,
        estimated=Fraction(estimated), manual=Fraction(manual),
    )  # fmt: skip
