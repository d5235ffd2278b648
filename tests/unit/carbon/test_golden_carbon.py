"""Every golden case of standard coal, carbon, indicators and footprint, exact to the last digit."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from config.problems import Language
from gateway.energy.carbon.coal import standard_coal
from gateway.energy.carbon.figure import Figure
from gateway.energy.carbon.footprint import Batch, Upstream, footprint
from gateway.energy.carbon.indicators import Output, energy, intensity
from gateway.energy.carbon.inventory import inventory
from tests.unit.carbon.case import cases, chosen, quantity, read, rounded_by_hand, worked_out

EXACT_PLACES = {"share": 4, "measured": 4, "estimated": 4, "manual": 4, "indicator": 6, "per_unit": 6}


class Results:
    """What a case comes to, each part worked out when it is asked for."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case = case
        self.choices = chosen(case["carbon"])
        self.bought = [quantity(row) for row in case["bought"]]

    def of(self, name: str) -> Figure | Fraction | None:
        ways: dict[str, Any] = {
            "equivalent": lambda: standard_coal(self.bought, self.choices).equivalent,
            "primary": lambda: standard_coal(self.bought, self.choices).primary,
            "energy": lambda: energy(self.bought),
            "footprint": lambda: self._footprint().figure,
            "per_unit": lambda: self._footprint().per_unit,
            "share": lambda: self._footprint().share,
            "indicator": self._indicator,
            "measured": lambda: self._inventory().scope_2.location.shares.measured,
            "estimated": lambda: self._inventory().scope_2.location.shares.estimated,
            "manual": lambda: self._inventory().scope_2.location.shares.manual,
            "scope_1": lambda: self._inventory().scope_1,
            "location": lambda: self._inventory().scope_2.location,
            "market": lambda: self._inventory().scope_2.market,
            "by_location": lambda: self._inventory().exact("location"),
            "by_market": lambda: self._inventory().exact("market"),
        }
        found: Figure | Fraction | None = ways[name]()
        return found

    def _inventory(self):
        return inventory(self.bought, self.choices)

    def _footprint(self):
        made = self.case["batch"]
        first, last = self.bought[0].start, self.bought[0].end
        batch = Batch("b-1", "bracket", first, last, Decimal(made["amount"]), made["unit"])
        up = made.get("upstream")
        return footprint(batch, self.bought, self.choices, Upstream(Decimal(up), "supplier") if up else None)

    def _indicator(self):
        made = self.case["output"]
        figure = self.of(made["of"])
        output = Output(Decimal(made["amount"]), made["unit"], figure.start, figure.end, "site")
        return intensity(figure, output).exact


@pytest.mark.parametrize("file", cases(), ids=lambda file: file.stem)
def test_a_figure_is_what_the_hand_worked_out(file: Path) -> None:
    case = read(file)
    results = Results(case)
    for name, expected in case["expect"].items():
        found = results.of(name)
        if "missing" in expected:
            assert isinstance(found, Figure)
            assert found.value is None
            assert [each.choice for each in found.missing] == [expected["missing"]]
            continue
        exact = found.exact if isinstance(found, Figure) else found
        by_hand = worked_out(str(expected["by_hand"]))
        assert exact == by_hand, name
        places = EXACT_PLACES.get(name, 3)
        assert f"{rounded_by_hand(by_hand, places):f}" == expected["value"], name
        if isinstance(found, Figure):
            assert f"{found.value:f}" == expected["value"], name


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("file", cases(), ids=lambda file: file.stem)
def test_every_figure_tells_its_arithmetic_in_both_languages(file: Path, language: Language) -> None:
    case = read(file)
    results = Results(case)
    for name in case["expect"]:
        found = results.of(name)
        if not isinstance(found, Figure):
            continue
        told = found.as_dict(language)
        again = sum(
            (Fraction(line["amount"]) * Fraction(line["factor"]) for line in told["lines"]), Fraction(0)
        )
        assert told["exact"] is None or Fraction(told["exact"]) == again
        for line in told["lines"]:
            assert line["formula"].startswith(("AD", "(AD"))
            for number in line["used"]:
                assert number["source"]
                assert number["confidence"]
                assert number["hash"] or number["confidence"] == "entered"
        for text in [line["rule"] for line in told["lines"]] + [each["reason"] for each in told["missing"]]:
            assert "{" not in text
            assert not text or any("一" <= c <= "鿿" for c in text) == (language == "zh")


def test_there_are_enough_cases() -> None:
    assert len(cases()) >= 20
