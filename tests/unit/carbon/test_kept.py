"""Results are kept in every version: a factor that changes adds one, and the difference is told."""

import json
from collections.abc import Mapping
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from typer.testing import CliRunner

from config.carbon import CarbonOptions
from config.factors import Factors
from gateway.cli import app
from gateway.energy.bookkeeping.files import NAME
from gateway.energy.carbon.choice import Choices, choices
from gateway.energy.results.booked import Made, made_of
from gateway.energy.results.keeper import ResultsKeeper
from gateway.energy.results.kept import Kept, keep, kept, terms
from gateway.sqlite import connect, transaction
from tests.unit.carbon.test_batches import CARBON, Line

AVERAGE = {"area": "jiangsu", "year": 2022, "calibre": "average"}
OLDER = AVERAGE | {"year": 2021}


def chosen(line: Line, changes: Mapping[str, Any]) -> Choices:
    plant = line.lab.plant
    return choices(CarbonOptions.model_validate(CARBON | dict(changes)), Factors(), plant.gateway.zone)


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


def made(line: Line, changes: Mapping[str, Any] = MappingProxyType({})) -> Made:
    first, last = (line.lab.at(day) for day in ("2026-03-06", "2026-03-07"))
    return made_of(line.lab.query, chosen(line, changes), "s/hall/line", first, last)


def store(line: Line, result: Made, now: int) -> list[tuple[str, int]]:
    with closing(connect(line.lab.folder / NAME)) as db, transaction(db):
        return keep(db, result, now)


def versions(line: Line, kind: str = "co2_location") -> list[Kept]:
    first, last = (line.lab.at(day) for day in ("2026-03-06", "2026-03-07"))
    (found,) = (
        each for each in kept(line.lab.folder, "s/hall/line", first, last) if each[0].figure.kind == kind
    )
    return found


def test_a_result_is_kept_with_everything_that_made_it(line: Line) -> None:
    result = made(line)
    assert ("co2_location", 1) in store(line, result, 7)
    (one,) = versions(line)
    assert one.figure == result.figures[1]
    assert (one.made, one.days, one.known) == (7, 1, {"electricity": 1, "natural_gas": 1})
    (line_,) = one.figure.lines
    assert line_.used[0].row == "electricity/jiangsu/2022/average"
    assert one.figure.exact == Fraction("1.2") * 1440 * Fraction("0.5978")


def test_the_same_result_made_again_is_no_other_version(line: Line) -> None:
    assert store(line, made(line), 7)
    assert store(line, made(line), 8) == []
    assert [each.revision for each in versions(line)] == [1]


def test_a_factor_that_changes_adds_a_version_and_the_difference_is_the_factors(line: Line) -> None:
    store(line, made(line, {"electricity": [OLDER]}), 7)
    assert store(line, made(line), 8) == [("co2_location", 2)], "scope 1 and coal say what they said"
    old, new = versions(line)
    assert (old.revision, new.revision) == (1, 2)
    (term,) = terms(old.figure, new.figure) or ()
    assert term.medium == "electricity"
    assert [row for row, _ in term.old] == ["electricity/jiangsu/2021/average"]
    assert [row for row, _ in term.new] == ["electricity/jiangsu/2022/average"]
    assert (term.by_amount, term.by_factor) == (0, 1728 * (Fraction("0.5978") - Fraction("0.6451")))
    assert old.figure.exact is not None
    assert new.figure.exact is not None
    assert term.by_factor == new.figure.exact - old.figure.exact


def test_a_choice_that_is_taken_back_leaves_what_was_made_by_it(line: Line) -> None:
    store(line, made(line), 7)
    assert all(kind != "co2_location" for kind, _ in store(line, made(line, {"electricity": []}), 8))
    assert [each.revision for each in versions(line)] == [1]


def test_the_keeper_makes_days_and_months_that_are_over_one_at_a_time_and_again_when_the_books_change(
    line: Line,
) -> None:
    now = line.lab.at("2026-03-07T12:00")
    keeper = ResultsKeeper(line.lab.folder, line.lab.query, "s", lambda: chosen(line, {}))
    count = 0
    while keeper.make_one(now, 0):
        count += 1
        if count == 1:
            first, last = (line.lab.at(day) for day in ("2026-03-06", "2026-03-07"))
            assert kept(line.lab.folder, "s", first, last), "the newest day comes first"
    assert not keeper.make_one(now + 1, 0)
    assert not keeper.make_one(now + 1, 1), "revised books are looked at again an hour later"
    assert keeper.make_one(now + 3_600_000_000_000, 1)
    assert count > 40
    day = line.lab.at("2026-03-07"), line.lab.at("2026-03-08")
    assert kept(line.lab.folder, "s", *day) == [], "today is not over"


def evidence(line: Line, *words: str, code: int = 0) -> Any:
    file = str(line.lab.folder.parents[1] / "plant.yaml")
    command = ["evidence", file, *words, "--from", "2026-03-06", "--to", "2026-03-07", "--lang", "en"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == code, result.output
    return json.loads(result.output) if code == 0 else result.output


def test_the_evidence_of_a_figure_holds_samples_factors_arithmetic_and_both_versions(line: Line) -> None:
    store(line, made(line, {"electricity": [OLDER]}), 7)
    store(line, made(line), 8)
    told = evidence(line, "hall/line", "--kind", "co2_location")
    assert Fraction(told["figure"]["exact"]) == Fraction("1.2") * 1440 * Fraction("0.5978")
    assert told["figure"]["lines"][0]["used"][0]["source"]
    assert told["samples"]["electricity"]["terms"][0]["readings"]
    assert [each["revision"] for each in told["kept"]] == [1, 2]
    (difference,) = told["differences"]
    assert difference["terms"][0]["by_amount"] == "0.000"
    assert difference["difference"] == difference["terms"][0]["by_factor"] == "-81.734"


def test_the_evidence_of_energy_and_of_batches_comes_by_the_same_command(line: Line) -> None:
    assert evidence(line, "hall/line")["figure"]["amount"] == "1728"
    (batch,) = evidence(line, "hall/line", "--kind", "footprint")["batches"]
    assert batch["batch"] == "B-17"
    assert "no such figure" in evidence(line, "yard", "--kind", "co2_direct", code=1)
