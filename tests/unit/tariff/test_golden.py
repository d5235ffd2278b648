"""Every golden case: a tariff, energies, and what they cost, computed by hand in the case's own comment."""

import re
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import yaml

from config.load import read_plant_bytes
from gateway.energy.pricing.cost import Energy, cost
from gateway.energy.pricing.plan import plan_of
from gateway.energy.pricing.power_factor import Reactive
from gateway.energy.pricing.timetable import timetable

CASES = Path(__file__).parents[2] / "cases" / "tariff"
FILES = sorted(CASES.glob("*.yaml"))
ZONE = ZoneInfo("Asia/Shanghai")
BASE = {
    "gateway": {"id": "g", "site": "s"},
    "sources": {"trial": {"kind": "simulated", "devices": {"d": {"tags": {"x": {}}}}}},
}
NUMBER = r"-?\d+(?:\.\d+)?"
PRODUCT = re.compile(rf"(?<![\d.])(?<![×+-] )({NUMBER}(?: [×+-] {NUMBER})+) = ({NUMBER})(?: -> ({NUMBER}))?")


class Text(yaml.SafeLoader):
    """YAML whose numbers and dates stay text, so that no float rounds them."""


Text.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:bool")]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def instant(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()) * 10**9


def case_of(file: Path) -> tuple[dict[str, Any], Any]:
    text = file.read_text("utf-8")
    case = yaml.load(text, Text)  # noqa: S506  the safe loader, less its numbers
    end = re.search(r"^start:", text, re.MULTILINE)
    plant = text[: end.start()] + "".join(re.findall(r"^calendar:.*\n", text[end.start() :], re.MULTILINE))
    outcome = read_plant_bytes((plant + yaml.safe_dump(BASE)).encode(), file.name, file.parent)
    assert outcome.plant is not None, [problem.render("en") for problem in outcome.problems]
    return case, outcome.plant


def energy_of(case: dict[str, Any]) -> Energy:
    width = int(case.get("width", 30)) * 60 * 10**9
    start = np.arange(instant(case["start"]), instant(case["end"]), width)
    quanta = np.array([Decimal(0)] * len(start), dtype=object)
    estimated = quanta.copy()
    for rule in case["kwh"]:
        begin, _, end = rule["hours"].partition("-")
        for i, at in enumerate(start.tolist()):
            local = datetime.fromtimestamp(at // 10**9, ZONE)
            if begin <= f"{local:%H:%M}" < end and f"{local:%F}" in rule.get("days", [f"{local:%F}"]):
                quanta[i] += Decimal(rule["each"])
                estimated[i] += Decimal(rule.get("estimated", "0"))
    return Energy(start, width, quanta, Decimal(case.get("quantum", "1")), estimated)


def test_there_are_enough_golden_cases() -> None:
    assert len(FILES) >= 20


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_golden_case_comes_out_to_the_last_digit(file: Path) -> None:
    case, plant = case_of(file)
    plan = plan_of(plant)
    assert plan is not None
    basic = case.get("basic")
    found = cost(
        timetable(plan, instant(case["start"]), instant(case["end"])),
        energy_of(case),
        demand_kw={month: Decimal(kw) for month, kw in (basic or {}).get("demand_kw", {}).items()},
        reactive={
            month: Reactive(Decimal(kvarh)) for month, kvarh in (basic or {}).get("reactive", {}).items()
        },
        basic=basic is not None,
        since=instant(case["since"]) if "since" in case else None,
    )
    expected = case["expect"]
    if "bands" in expected:
        bands = {each.band or "undecided": each.kwh for each in found.bands}
        assert bands == {band: Decimal(kwh) for band, kwh in expected["bands"].items()}
    lines = {}
    for line in found.lines:
        name = f"{line.item} {line.band}" if line.band else line.item
        lines[name] = lines[f"{line.month} {name}"] = line.yuan
    for name, yuan in expected.get("lines", {}).items():
        assert lines[name] == (None if yuan is None else Decimal(yuan)), name
        assert yuan is None or f"{lines[name]}" == yuan, name
    assert found.yuan == (None if expected["yuan"] is None else Decimal(expected["yuan"]))
    if "known" in expected:
        assert found.known_yuan == Decimal(expected["known"])
    if "shares" in expected:
        assert found.shares == {name: Decimal(kwh) for name, kwh in expected["shares"].items()}
    assert [each.code for each in found.open] == expected.get("open", [])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_arithmetic_beside_a_golden_case_is_right(file: Path) -> None:
    comment = "\n".join(line for line in file.read_text("utf-8").splitlines() if line.startswith("#"))
    for match in PRODUCT.finditer(comment):
        total, sign = Decimal(0), 1
        term = None
        for word in match[1].split(" "):
            if word in "+-":
                total += sign * term
                sign, term = (1 if word == "+" else -1), None
            elif word != "×":
                term = Decimal(word) if term is None else term * Decimal(word)
        total += sign * term
        assert total == Decimal(match[2]), match[0]
        if match[3]:
            assert total.quantize(Decimal(match[3]), ROUND_HALF_UP) == Decimal(match[3]), match[0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_total_of_a_golden_case_stands_in_its_arithmetic(file: Path) -> None:
    comment = [line for line in file.read_text("utf-8").splitlines() if line.startswith("#")]
    case, _ = case_of(file)
    total = case["expect"]["yuan"] or case["expect"]["known"]
    numbers = {Decimal(number) for number in re.findall(NUMBER, comment[-1])}
    assert Decimal(total) in numbers
