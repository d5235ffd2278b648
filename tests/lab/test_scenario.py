"""Faults as data: read, drawn the same again, and refused where they make no sense."""

from pathlib import Path

import pytest

from gateway.lab import amounts
from gateway.lab.modbus.replies import FAULTS
from gateway.lab.scenario import Fault, Moment, Scenario


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("drop", Fault(fault="drop")),
        ("late_reply=1.3s@10%/2", Fault(fault="late_reply", value="1.3s", share=0.1, unit=2)),
        ("exception=6@#5,9", Fault(fault="exception", value="6", requests=frozenset({5, 9}))),
        ("cut@30s-1min", Fault(fault="cut", between=(30, 60))),
        ("drop@0.25", Fault(fault="drop", share=0.25)),
    ],
)
def test_a_command_line_says_what_a_file_says(text: str, fault: Fault) -> None:
    assert Fault.read(text) == fault


@pytest.mark.parametrize("text", ["drop@130%", "drop@2", "drop@#x", "drop/x", "drop@9s-9x"])
def test_what_is_no_fault_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Fault.read(text)


def test_a_fault_the_equipment_can_not_have_is_refused_and_the_others_are_named() -> None:
    with pytest.raises(ValueError, match=r"no fault 'explode'; there are at_most, babble"):
        Scenario.of([Fault(fault="explode")], FAULTS)


def test_a_file_holds_seed_and_faults(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text("seed: 7\nfaults:\n  - {fault: drop, share: 50%, between: [1s, 2s]}\n")
    scenario = Scenario.load(file, FAULTS)
    assert scenario.seed == 7
    assert Scenario.load(file, FAULTS, 8).seed == 8
    assert scenario.faults == (Fault(fault="drop", share=0.5, between=(1, 2)),)


@pytest.mark.parametrize(
    "text",
    ["- drop", "faults: 3", "seed: x", "colour: red", "faults: [{fault: drop, colour: red}]", "a: [", "- {"],
)
def test_a_file_that_is_no_scenario_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"."):
        Scenario.load(file, FAULTS)


def draws(seed: int, count: int = 2000) -> list[bool]:
    scenario = Scenario.of([Fault(fault="drop", share=0.1)], FAULTS, seed)
    return [scenario.at(Moment(n, 0.0)) is not None for n in range(1, count + 1)]


def test_the_same_seed_draws_the_same_whoever_asked_before() -> None:
    scenario = Scenario.of([Fault(fault="drop", share=0.1)], FAULTS, 3)
    backwards = [scenario.at(Moment(n, 0.0)) is not None for n in range(2000, 0, -1)]
    assert draws(3) == backwards[::-1]
    assert draws(3) != draws(4)
    assert 150 < sum(draws(3)) < 250


def test_every_condition_given_must_hold_and_the_first_fault_that_fits_happens() -> None:
    scenario = Scenario.of(
        [
            Fault(fault="drop", unit=2, between=(1, 2)),
            Fault(fault="cut", address=40),
            Fault(fault="delay", requests=frozenset({3})),
        ],
        FAULTS,
    )

    def happens(*moment: object) -> str | None:
        fault = scenario.at(Moment(*moment))  # type: ignore[arg-type]
        return fault and fault.fault

    assert happens(1, 1.5, 2) == "drop"
    assert happens(1, 2.0, 2) is None
    assert happens(1, 1.5, 1) is None
    assert happens(1, 0.0, 1, range(30, 50)) == "cut"
    assert happens(3, 0.0, 1, range(30, 50)) == "cut"
    assert happens(3, 0.0, 1) == "delay"


def test_amounts_are_read_as_people_write_them() -> None:
    assert amounts.seconds("200ms") == 0.2
    assert amounts.octets("2MiB") == 2 * 2**20
    assert amounts.octets_a_second("64kbit/s") == 8000
    assert amounts.share("1%") == 0.01
    assert amounts.octets_a_second("0") == 0
    with pytest.raises(ValueError, match="its units are us, ms, s"):
        amounts.seconds("5 parsec")
