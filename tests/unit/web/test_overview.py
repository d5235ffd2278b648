from dataclasses import replace
from types import SimpleNamespace

import pytest

from connectors.quality import BAD_TIMEOUT, UNCERTAIN
from gateway.supervise import LinkState
from gateway.web.app import create_app
from gateway.web.overview import overview
from tests.asgi import ask
from tests.fakes import T0
from tests.unit.web.conftest import Plant, tag


async def test_before_the_gateway_has_answered_there_is_nothing_to_show(plant: Plant) -> None:
    plant.told = None
    assert (await ask(create_app(plant), "/api/overview")).status == 503


async def test_the_strip_counts_links_sinks_buffer_and_tags(plant: Plant) -> None:
    plant.add_link("meters")
    plant.add_link("away", state=LinkState.WAITING, error="refused")
    counts = {"backlog_rows": 7.0, "backlog_oldest_seconds": 3.21, "dropped_rows": 2.0}
    plant.add_link("cloud", "sink", counts=counts)
    plant.add_link("thin/cloud", "thinner", counts={})
    good, bad, _ = plant.announce(tag("cz/a/l/d/x"), tag("cz/a/l/d/y"), tag("cz/a/l/d/z"))
    plant.put(good, 1.0)
    plant.put(bad, 1.0, BAD_TIMEOUT)
    strip = (await ask(create_app(plant), "/api/overview")).json()["strip"]
    assert (strip["sources_up"], strip["sources"], strip["sinks_up"], strip["sinks"]) == (1, 2, 1, 1)
    assert (strip["lost"], strip["buffered"], strip["oldest_s"]) == (2, 7, 3.2)
    assert (strip["good"], strip["uncertain"], strip["bad"], strip["waiting"]) == (1, 0, 1, 1)


@pytest.mark.parametrize(
    ("qualities", "state"),
    [
        ([0, 0], "good"),
        ([0, UNCERTAIN], "uncertain"),
        ([0, BAD_TIMEOUT], "partly"),
        ([BAD_TIMEOUT, BAD_TIMEOUT], "bad"),
        ([BAD_TIMEOUT, None], "bad"),
        ([None, None], "waiting"),
        ([0, None], "good"),
    ],
)
def test_a_device_is_as_well_as_its_tags(plant: Plant, qualities, state) -> None:
    plant.add_link("meters")
    numbers = plant.announce(*(tag(f"cz/a/l/d/t{i}") for i in range(len(qualities))))
    for number, quality in zip(numbers, qualities, strict=True):
        if quality is not None:
            plant.put(number, 1.0, quality)
    (device,) = overview(plant).devices
    assert device.state == state


def test_behind_a_broken_link_every_device_says_so(plant: Plant) -> None:
    plant.add_link("meters", state=LinkState.WAITING, error="refused")
    (number,) = plant.announce(tag("cz/a/l/d/x"))
    plant.put(number, 1.0)
    assert [device.state for device in overview(plant).devices] == ["link"]


def test_what_needs_a_person_is_told_with_its_reason_the_urgent_first(plant: Plant) -> None:
    plant.add_link("meters")
    plant.add_link("opc", state=LinkState.NEEDS_A_PERSON, error="bad password", since=T0)
    counts = {"quarantined_rows": 5.0, "retried_rows": 2.0, "backlog_oldest_seconds": 600.0}
    plant.add_link("cloud", "sink", counts=counts)
    first, second = plant.announce(tag("cz/a/l/dead/x"), tag("cz/a/l/well/x"))
    plant.put(first, 1.0, BAD_TIMEOUT)
    plant.put(second, 1.0)
    found = overview(plant).attention
    assert [each.code for each in found] == ["link_person", "sink_late", "quarantined", "device_silent"]
    assert (found[0].subject, found[0].reason) == ("opc", "bad password")
    assert found[2].count == 3
    assert (found[3].subject, found[3].reason) == ("cz/a/l/dead", "BadTimeout")


def test_a_sink_at_its_daily_cap_asks_for_nobody_at_once(plant: Plant) -> None:
    counts = {"day_bytes": 50.0, "day_cap_bytes": 50.0, "backlog_oldest_seconds": 600.0}
    plant.add_link("cloud", "sink", state=LinkState.WAITING, error="the daily cap is used up", counts=counts)
    plant.add_link("other", "sink", state=LinkState.WAITING, error="gone", counts={"day_cap_bytes": 0.0})
    found = [(each.code, each.subject, each.urgent) for each in overview(plant).attention]
    assert found == [("link_down", "other", True), ("sink_capped", "cloud", False)]


def test_certificates_that_end_soon_are_told_by_link(plant: Plant) -> None:
    plant.add_link("cloud", "sink", counts={"certificate_own_days": 12.4, "certificate_peer_days": 300.0})
    plant.add_link("broker", counts={"certificate_own_days": 31.0, "certificate_peer_days": -0.5})
    found = [(each.code, each.subject, each.count, each.urgent) for each in overview(plant).attention]
    assert found == [("certificate_peer", "broker", 0, True), ("certificate_own", "cloud", 12, False)]


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),
        ({"state": LinkState.WAITING, "error": "the disk is full"}, ["history_stopped"]),
        ({"state": LinkState.NEEDS_A_PERSON, "error": "written by a newer version"}, ["history_stopped"]),
        ({"state": LinkState.CONNECTING}, []),
        ({"counts": {"backlog_oldest_seconds": 20.0, "backlog_rows": 9.0}}, []),
        ({"counts": {"backlog_oldest_seconds": 301.0, "backlog_rows": 9.0}}, ["history_late"]),
    ],
)
def test_the_history_is_no_sink_and_says_when_it_stops_or_falls_behind(plant: Plant, changes, codes) -> None:
    plant.add_link("local", "history", **changes)
    answer = overview(plant)
    assert [each.code for each in answer.attention] == codes
    assert (answer.strip.sinks, answer.strip.buffered, answer.strip.oldest_s) == (0, 0, 0)
    assert [link.role for link in answer.links] == ["history"]


def test_the_history_tells_its_size_and_lag(plant: Plant) -> None:
    counts = {"bytes": 5e6, "backlog_oldest_seconds": 3.21, "backlog_rows": 4.0}
    plant.add_link("local", "history", counts=counts)
    (link,) = overview(plant).links
    assert (link.bytes, link.lag_s, link.buffered) == (5_000_000, 3.2, 4)


def test_a_gateway_that_does_not_answer_comes_before_everything(plant: Plant) -> None:
    plant.answers = False
    plant.told = replace(plant.told, reasons=("disk",))
    assert [each.code for each in overview(plant).attention] == ["gateway_silent", "store"]


def test_a_plant_that_is_well_asks_for_nobody(plant: Plant) -> None:
    plant.add_link("meters")
    (number,) = plant.announce(tag("cz/a/l/d/x"))
    plant.put(number, 1.0)
    assert overview(plant).attention == []


async def test_a_link_that_is_down_says_why_in_both_languages(plant: Plant) -> None:
    plant.add_link("away", state=LinkState.WAITING, error="10.0.0.5:502 refused the connection")
    answer = (await ask(create_app(plant), "/api/overview")).json()
    (link,) = answer["links"]
    assert (link["error"], link["error_zh"][:17]) == (
        "10.0.0.5:502 refused the connection",
        "10.0.0.5:502 拒绝连接",
    )
    (attention,) = [each for each in answer["attention"] if each["code"] == "link_down"]
    assert attention["reason_zh"] == link["error_zh"]


@pytest.mark.parametrize(("days", "urgent"), [(31, None), (29, False), (2, True), (-1, True)])
def test_the_end_of_the_pages_certificate_needs_a_person(
    plant: Plant, days: int, urgent: bool | None
) -> None:
    plant.certificate = SimpleNamespace(days_left=lambda: days)  # type: ignore[assignment]
    answer = overview(plant)
    assert answer is not None
    found = [(each.urgent, each.count) for each in answer.attention if each.code == "certificate"]
    assert found == ([] if urgent is None else [(urgent, max(0, days))])
