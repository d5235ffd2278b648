"""What nobody accounts for, where the meters were not all read for the same time."""

from fractions import Fraction
from pathlib import Path

import pytest

from gateway.energy.flows import Flows, flows_of
from tests.unit.energy.lab import MINUTE, Lab, plant_of

TAGS = {name: {"e_import": {"unit": "kWh"}} for name in ("main", "press", "oven")}
ENERGY = {"meters": {"main": {"unaccounted": 5}, "press": {"parent": "main"}, "oven": {"parent": "main"}}}
KWH = {"main": 1.0, "press": 0.5, "oven": 0.455}
"""A minute: 4.5 % is lost, 5 % is allowed."""


def flows(folder: Path, **until: int) -> Flows:
    """Return the flows of a day on which each meter was read every minute up to one."""
    lab = Lab(folder, plant_of(ENERGY, tags=TAGS), now="2026-03-07")
    start = lab.at("2026-03-06")
    for name, kwh in KWH.items():
        minutes = range(until.get(name, 720) + 1)
        lab.book(lab.delivery(name, [start + i * MINUTE for i in minutes], [i * kwh for i in minutes]))
    found = flows_of(lab.query, "electricity", start, lab.at("2026-03-07"))
    lab.ledger.close()
    return found


def rest(found: Flows) -> Fraction | None:
    (share,) = [each.share for each in found.flows if not each.target] or [None]
    return share


def test_so_far_the_rest_is_what_no_meter_found(tmp_path: Path) -> None:
    found = flows(tmp_path)
    assert rest(found) == Fraction(45, 1000)
    assert (found.partly, found.unknown) == ((), ())


@pytest.mark.parametrize("stopped", ["main", "oven"])
def test_a_meter_that_stopped_is_no_loss_nor_a_surplus(tmp_path: Path, stopped: str) -> None:
    found = flows(tmp_path, **{stopped: 600})
    assert {each.target for each in found.flows} == {"press", "oven"}
    assert found.over == ()
    assert found.partly == (stopped,)


def test_meters_read_a_little_after_each_other_have_a_rest_but_raise_no_alarm_by_it(tmp_path: Path) -> None:
    found = flows(tmp_path, oven=715, press=714)
    assert rest(found) == pytest.approx(0.045 + (5 * 0.455 + 6 * 0.5) / 720)
    assert not any(each.is_alarm for each in found.flows)
    assert found.partly == ()
