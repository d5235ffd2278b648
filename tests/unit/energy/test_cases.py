"""Golden cases, each computed by hand: its arithmetic stands in the file under `because`."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from gateway.energy.balance import balance
from gateway.energy.bookkeeping.entered import READING
from gateway.energy.bookkeeping.manual import Entering, write_down
from gateway.energy.figures import Answer, Figure
from gateway.energy.flags import words
from tests.unit.energy.lab import SECOND, Lab, plant_of

FILES = sorted((Path(__file__).parents[2] / "cases" / "energy").glob("*.yaml"))


def number(text: str) -> Fraction:
    return Fraction(Decimal(text)) if "/" not in text else Fraction(text)


def check(answer: Answer, figure: Figure, expected: dict[str, object]) -> None:
    found = {
        "amount": None if figure.quanta is None else answer.amount(figure),
        "estimated": figure.estimated * answer.quantum,
        "manual": figure.manual * answer.quantum,
        "below": figure.below * answer.quantum,
        "above": figure.above * answer.quantum,
        "covered": figure.covered,
    }
    for name, wanted in expected.items():
        if name == "flags":
            assert words(figure.flags) == wanted, figure.span.label
        elif name in ("revision", "label", "closed"):
            assert {
                "revision": figure.revision, "label": figure.span.label, "closed": figure.is_closed
            }[name] == wanted  # fmt: skip
        elif wanted is None:
            assert found[name] is None
        else:
            assert found[name] == number(str(wanted)), f"{figure.span.label}: {name} is {found[name]}"


def test_there_are_enough_cases() -> None:
    assert len(FILES) >= 40


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_case_comes_out_as_by_hand(file: Path, tmp_path: Path) -> None:
    case = yaml.safe_load(file.read_text("utf-8"))
    assert case["because"].strip()
    plant = plant_of(
        case.get("energy", {}),
        scan=case.get("scan", "60s"),
        zone=case.get("zone", "Asia/Shanghai"),
        tags=case.get("tags"),
    )
    lab = Lab(tmp_path, plant)
    for portion in case["readings"]:
        for meter, rows in portion.items():
            lab.clock.wall = max(lab.at(row[0]) for row in rows) + 3600 * SECOND
            if meter in lab.numbers:
                lab.feed(meter, rows)
            else:
                told = [
                    Entering(READING, {"meter": meter, "value": str(row[1]), "time": lab.at(row[0])})
                    for row in rows
                ]
                write_down(tmp_path, told, "by hand", lab.clock.now())
                lab.ledger.book([])
    for ask in case["ask"]:
        first, last = lab.at(ask["from"]), lab.at(ask["to"])
        subject, medium = ask.get("of", "m"), ask.get("medium", "electricity")
        if ask.get("metric") == "demand":
            (peak,) = lab.query.demand(subject, "whole", first, last, medium)
            assert [peak.fixed, peak.sliding] == [
                None if each is None else number(str(each)) for each in (ask["fixed"], ask["sliding"])
            ]
            continue
        if ask.get("metric") == "balance":
            (found,) = balance(lab.query, subject, "whole", first, last)
            assert found.unaccounted == number(str(ask["unaccounted"]))
            assert found.share == number(str(ask["share"]))
            assert found.is_alarm == ask["alarm"]
            continue
        answer = lab.query.energy(subject, ask["interval"], first, last, medium)
        assert len(answer.figures) == len(ask["expect"])
        for figure, expected in zip(answer.figures, ask["expect"], strict=True):
            check(answer, figure, expected)
        check(answer, answer.total, ask.get("total", {}))
        parts = [each.quanta for each in answer.figures if each.quanta is not None]
        assert (answer.total.quanta or 0) == sum(parts)
    lab.ledger.close()
