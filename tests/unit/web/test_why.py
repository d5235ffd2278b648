from dataclasses import replace

import pytest

from connectors import quality
from gateway.supervise import LinkState
from gateway.told import About
from gateway.web.app import create_app
from gateway.web.why import why
from tests.asgi import ask
from tests.fakes import T0
from tests.unit.web.conftest import Plant, tag

ANY = "cz/a/l/d/x"


def asked(plant: Plant, code: int | None = 0):
    if not plant.told.links:
        plant.add_link("meters")
    (number,) = plant.announce(tag(ANY))
    if code is not None:
        plant.put(number, 1.0, code)
    return why(plant, number)


def states(answer) -> dict[str, str]:
    return {
        f"{step.step} {step.name}".strip() if step.step == "sink" else step.step: step.state
        for step in answer.steps
    }


def test_a_good_value_has_a_way_without_a_fault(plant: Plant) -> None:
    plant.add_link("meters")
    plant.add_link("cloud", "sink")
    answer = asked(plant)
    assert (answer.cause, answer.action) == (None, "none")
    assert set(states(answer).values()) == {"good"}
    assert [step.step for step in answer.steps] == [
        "link", "session", "request", "decode", "rule", "buffer", "sink",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "step", "action"),
    [
        (quality.BAD_TIMEOUT, "request", "timeout"),
        (quality.BAD_NO_COMMUNICATION, "request", "no_communication"),
        (quality.BAD_COMMUNICATION_ERROR, "request", "wrong_answer"),
        (quality.BAD_RESOURCE_UNAVAILABLE, "request", "busy"),
        (quality.BAD_DEVICE_FAILURE, "request", "device_failure"),
        (quality.BAD_CONFIGURATION_ERROR, "request", "configuration"),
        (quality.BAD_DATA_LOST, "request", "gap"),
        (0x80AB0000, "request", "device_says"),
        (None, "request", "no_value"),
        (quality.BAD_OUT_OF_RANGE, "decode", "out_of_range"),
        (quality.UNCERTAIN_ENGINEERING_UNITS_EXCEEDED, "rule", "limits"),
        (quality.UNCERTAIN, "rule", "uncertain"),
    ],
)
def test_a_quality_names_the_station_and_what_to_do(plant: Plant, code, step, action) -> None:
    answer = asked(plant, code)
    assert (answer.steps[answer.cause].step, answer.action) == (step, action)


def test_behind_a_broken_link_the_stations_are_blocked_and_the_link_is_the_cause(plant: Plant) -> None:
    plant.add_link("meters", state=LinkState.WAITING, error="refused", last_error="refused", failed_at=T0)
    answer = asked(plant, quality.BAD_NO_COMMUNICATION)
    assert (answer.cause, answer.action) == (0, "link_down")
    assert states(answer) == {
        "link": "bad", "session": "blocked", "request": "blocked", "decode": "blocked", "rule": "blocked",
        "buffer": "good",
    }  # fmt: skip
    assert (answer.steps[0].error, answer.steps[0].error_at) == ("refused", T0 // 1_000_000)


def test_of_a_serial_line_the_cable_is_looked_at_and_not_the_network(plant: Plant) -> None:
    plant.add_link(
        "meters", state=LinkState.WAITING, error="no such device", about=About("source", "modbus_serial")
    )
    assert asked(plant, quality.BAD_NO_COMMUNICATION).action == "serial_down"


def test_a_link_that_needs_a_person_says_that_waiting_will_not_do(plant: Plant) -> None:
    plant.add_link("meters", state=LinkState.NEEDS_A_PERSON, error="bad password")
    assert asked(plant, quality.BAD_NO_COMMUNICATION).action == "link_person"


def test_a_link_that_came_back_a_moment_ago_is_worth_a_look(plant: Plant) -> None:
    plant.add_link("meters", connected_at=T0 - 10**9, failed_at=T0 - 2 * 10**9, last_error="reset")
    answer = asked(plant)
    assert (answer.steps[answer.cause].step, answer.action) == ("session", "flapping")


def test_what_is_not_known_is_not_told(plant: Plant) -> None:
    answer = asked(plant, None)
    assert [step.good_at for step in answer.steps if step.step in ("request", "decode", "rule")] == [None] * 3
    assert all(fact.name != "last_read" for step in answer.steps for fact in step.facts)


def test_the_last_fault_stays_known_at_its_station_when_the_value_is_good_again(plant: Plant) -> None:
    plant.add_link("meters")
    asked(plant, quality.BAD_TIMEOUT)
    answer = asked(plant, 0)
    assert answer.cause is None
    request, decode = answer.steps[2:4]
    assert (request.error, request.error_at, request.clean) == ("BadTimeout", T0 // 1_000_000, False)
    # Only the newest fault is kept, so nothing is claimed of the other stations' past.
    assert (decode.error, decode.clean) == ("", False)


def test_a_tag_without_a_fault_in_this_run_is_told_to_be_clean(plant: Plant) -> None:
    answer = asked(plant, 0)
    assert [step.clean for step in answer.steps if step.step in ("request", "decode", "rule")] == [True] * 3


def test_each_sink_is_a_station_and_one_that_does_not_want_the_tag_is_off(plant: Plant) -> None:
    plant.add_link("meters")
    plant.add_link("cloud", "sink", counts={"backlog_oldest_seconds": 120.0})
    plant.add_link("erp", "sink", state=LinkState.WAITING, error="refused")
    about = replace(plant.link("erp", "sink").about, select=(("**/y", None, None),))
    plant.change("erp", about=about)
    answer = asked(plant)
    assert states(answer)["sink cloud"] == "warning"
    assert states(answer)["sink erp"] == "off"
    assert answer.action == "sink_late"


@pytest.mark.parametrize(
    ("changes", "state", "action"),
    [
        ({}, "good", "none"),
        ({"state": LinkState.WAITING, "error": "disk full"}, "bad", "history_stopped"),
        ({"state": LinkState.CONNECTING}, "warning", "history_connecting"),
        ({"counts": {"backlog_oldest_seconds": 400.0}}, "warning", "history_late"),
    ],
)
def test_the_history_is_the_last_station(plant: Plant, changes, state, action) -> None:
    plant.add_link("meters")
    plant.add_link("cloud", "sink")
    plant.add_link("local", "history", **changes)
    about = replace(plant.link("local", "history").about, select=(("**", None, None),))
    plant.change("local", about=about)
    answer = asked(plant)
    assert (answer.steps[-1].step, answer.steps[-1].state, answer.action) == ("history", state, action)


def test_a_tag_the_history_does_not_keep_is_off_there(plant: Plant) -> None:
    plant.add_link("meters")
    plant.add_link("local", "history", state=LinkState.WAITING, error="disk full")
    about = replace(plant.link("local", "history").about, select=(("**/y", None, None),))
    plant.change("local", about=about)
    answer = asked(plant)
    assert (answer.steps[-1].state, answer.action) == ("off", "none")


def test_a_store_that_takes_nothing_is_the_cause(plant: Plant) -> None:
    plant.told = replace(plant.told, reasons=("disk full",), store={"degraded": 1.0})
    answer = asked(plant)
    assert (answer.steps[answer.cause].step, answer.action) == ("buffer", "store")


async def test_a_tag_nobody_has_is_not_found(plant: Plant) -> None:
    assert (await ask(create_app(plant), "/api/why?tag=cz/none")).status == 404
