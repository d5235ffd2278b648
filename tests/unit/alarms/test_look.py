"""What is looked at beside the values: when a link, the store, a certificate, the clock is an alarm."""

from dataclasses import replace
from datetime import UTC, datetime

from connectors import Certificate, Epoch
from gateway.alarms import look
from gateway.alarms.condition import Standing
from gateway.alarms.engine import Engine
from gateway.alarms.table import Alarm
from gateway.alarms.words import sentence
from gateway.buffer.stats import BufferStats
from gateway.supervise import Link, LinkState
from tests.conftest import FakeClock

S = 1_000_000_000
DAY = 86_400 * S
STATS = BufferStats(Epoch(1, b"12345678"), 1, 0, 0, 0, 1, 0, 0, 0, {}, "", full=False)


def test_a_link_is_an_alarm_after_a_while_and_sooner_when_it_needs_a_person() -> None:
    clock = FakeClock()
    link, engine = Link("cloud", "sink", clock), Engine({})
    found = []
    states = {
        0: LinkState.CONNECTED,
        10: LinkState.WAITING,
        90: LinkState.NEEDS_A_PERSON,
        100: LinkState.CONNECTED,
    }
    for second in range(160):
        if second in states:
            link.become(
                states[second], "the password is wrong" if states[second] is not LinkState.CONNECTED else ""
            )
        turns = engine.look(look.links([link], 60 * S, engine.active), second * S)
        found += [(second, each.what, each.condition.code) for each in turns]
    assert found == [
        (70, "began", "link_down"),
        (90, "raised", "link_person"),
        (130, "cleared", "link_person"),
    ]
    (stopped,) = look.links([replace(link, state=LinkState.STOPPED)], 60 * S, ())
    assert stopped.holds is None


def test_rows_lost_before_the_start_are_no_alarm_and_rows_lost_since_are() -> None:
    lost = {("cloud", "full"): 5, ("cloud", "old"): 1}
    store = look.Store(replace(STATS, dropped=lost))
    assert [each.holds for each in store.look(replace(STATS, dropped=lost))] == [False, False, False]
    more = {("cloud", "full"): 9, ("cloud", "old"): 1, ("local", "full"): 2}
    _, _, cloud, local = store.look(replace(STATS, dropped=more, degraded="EIO"))
    assert (cloud.holds, cloud.facts, local.holds, local.facts) == (True, {"rows": 4}, True, {"rows": 2})
    disk, full, *rest = store.look(replace(STATS, dropped=more, degraded="EIO", full=True))
    assert (disk.holds, full.holds, [each.holds for each in rest]) == (True, True, [False, False])


def test_a_certificate_is_an_alarm_thirty_days_before_its_end_and_urgent_three_days_before() -> None:
    def at(days: float) -> tuple[bool | None, str, str]:
        (found,) = look.certificates([("sink/cloud", Certificate("peer", int(days * DAY)))], 0)
        return found.holds, found.severity, found.code

    assert at(31) == (False, "warning", "certificate_peer")
    assert at(29) == (True, "warning", "certificate_peer")
    assert at(2) == (True, "urgent", "certificate_peer")


def test_the_pages_certificate_is_an_alarm_as_those_of_links_are() -> None:
    def at(days: float) -> tuple[bool | None, str, str]:
        ends = datetime.fromtimestamp(days * 86_400, UTC)
        (found,) = look.page_certificate(ends, 0)
        assert (found.key, found.facts) == (("certificate", "page"), {"ends": f"{ends:%Y-%m-%d}"})
        return found.holds, found.severity, found.code

    assert list(look.page_certificate(None, 0)) == []
    assert at(31) == (False, "warning", "certificate_page")
    assert at(29) == (True, "warning", "certificate_page")
    assert at(2) == (True, "urgent", "certificate_page")
    alarm = Alarm(
        1,
        "certificate",
        "page",
        "certificate_page",
        "warning",
        {"ends": "2027-01-01"},
        1,
        0,
        0,
        "",
        "",
        0,
        "",
    )
    assert sentence(alarm, "zh") == "本页面的证书 2027-01-01 到期"
    assert sentence(alarm, "en") == "the page's certificate expires on 2027-01-01"


def test_a_clock_that_was_set_is_an_alarm_and_one_that_is_steered_is_not() -> None:
    clock = FakeClock()
    wall = look.Wall(clock)
    for _ in range(100):  # half a second in each second, as no time service does
        clock.steady += S
        clock.wall += S + S // 2
        assert not wall.look().holds
    clock.wall -= 3600 * S
    found = wall.look()
    assert (found.holds, found.facts) == (True, {"by": -3600.0})
    assert not wall.look().holds


def test_an_alarm_of_the_books_that_is_not_judged_in_this_run_is_not_known() -> None:
    standing = [
        Standing("demand", "main", is_active=None, facts={}),
        Standing("balance", "main", is_active=True, facts={"allowed_percent": 3.0}),
    ]
    assert [each.holds for each in look.energy(standing)] == [None, True]
