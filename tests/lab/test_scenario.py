"""Faults as data: read, drawn the same again, and refused where they make no sense."""

import re
from pathlib import Path

import pytest

from gateway.lab import amounts
from gateway.lab.edge_nodes import FAULTS as SPARKPLUG
from gateway.lab.meters.replies import FAULTS as METERS
from gateway.lab.modbus.replies import FAULTS
from gateway.lab.mqtt import FAULTS as MQTT
from gateway.lab.opcua import FAULTS as OPCUA
from gateway.lab.scenario import Fault, Known, Moment, Scenario


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


@pytest.mark.parametrize(
    "text", ["drop@130%", "drop@2", "drop@#x", "drop/x", "drop@9s-9x", "drop@9s-9s", "drop@9s-3s"]
)
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


@pytest.mark.parametrize(
    ("known", "text", "reason"),
    [
        (FAULTS, "late_reply=soon@1h-2h", "late_reply=soon: 'soon' is not a duration; its units are us, ms"),
        (FAULTS, "late_reply=-1s", "late_reply=-1s: '-1s' is not a duration"),
        (FAULTS, "exception=300@#9", "exception=300: '300' is not a whole number from 0 to 255"),
        (FAULTS, "at_most=1.5", "at_most=1.5: '1.5' is not a whole number from 1 to"),
        (FAULTS, "drop=5s", "drop=5s: this fault takes no value"),
        (METERS, "error=D1", "error=D1: 'D1' is not a whole number from 0 to 255"),
        (METERS, "cut=1h", "cut=1h: '1h' is not a whole number from 0 to 300"),
        (MQTT, "huge=big", "huge=big: 'big' is not a size; its units are B"),
        (MQTT, "other_clock=-x", "other_clock=-x: 'x' is not a duration"),
        (SPARKPLUG, "historical=1000000h", "historical=1000000h: '1000000h' is more than 3.1536e+08 s"),
        (SPARKPLUG, "gap=a", "gap=a: 'a' is not a whole number"),
        (OPCUA, "old_timestamps=1w@1h-2h", "old_timestamps=1w: '1w' is not a duration"),
        (OPCUA, "few_items=no", "few_items=no: 'no' is not a whole number"),
        (OPCUA, "early_certificate=a", "early_certificate=a: 'a' is not a duration"),
        (OPCUA, "revoked_certificate=7", "revoked_certificate=7: this fault takes no value"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_before_its_time_comes(
    known: Known, text: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        Scenario.of([Fault.read(text)], known)


@pytest.mark.parametrize("value", [".inf", ".nan", "-2", "1.5", "2e300"])
def test_a_number_in_a_file_that_is_no_count_is_refused(value: str, tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(f"faults: [{{fault: few_items, value: {value}, between: [1h, 2h]}}]\n")
    with pytest.raises(ValueError, match=r"few_items=.* is not a whole number"):
        Scenario.load(file, OPCUA)


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
