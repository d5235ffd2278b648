"""From conditions to alarms: patience, flapping, what becomes worse, what is not known, what is gone."""

from dataclasses import replace

from gateway.alarms.condition import Condition
from gateway.alarms.engine import GONE_NS, Engine

S = 1_000_000_000
DOWN = Condition("link", "sink/cloud", holds=True, code="link_down", after=60 * S, clear_after=30 * S)
UP = replace(DOWN, holds=False)
UNKNOWN = replace(DOWN, holds=None)


def turns(engine: Engine, *looks: tuple[int, Condition]) -> list[tuple[int, str]]:
    return [(at, each.what) for at, seen in looks for each in engine.look([seen], at * S)]


def test_an_alarm_begins_after_its_delay_and_ends_after_the_other() -> None:
    looks = [(at, DOWN if at < 100 else UP) for at in range(200)]
    assert turns(Engine({}), *looks) == [(60, "began"), (130, "cleared")]


def test_what_flaps_faster_than_its_delays_turns_nothing_over() -> None:
    flapping = [(at, DOWN if at // 20 % 2 else UP) for at in range(600)]
    assert turns(Engine({}), *flapping) == []
    assert turns(Engine({DOWN.key: DOWN}), *flapping) == []


def test_what_is_not_known_turns_nothing_over_and_begins_the_delay_anew() -> None:
    looks = [(at, UNKNOWN if at == 50 else DOWN) for at in range(120)]
    assert turns(Engine({}), *looks) == [(111, "began")]
    assert turns(Engine({DOWN.key: DOWN}), *[(at, UNKNOWN) for at in range(1000)]) == []


def test_an_alarm_of_the_last_run_is_not_begun_again_and_ends_once() -> None:
    looks = [(at, DOWN if at < 10 else UP) for at in range(100)]
    assert turns(Engine({DOWN.key: DOWN}), *looks) == [(40, "cleared")]


def test_an_alarm_that_becomes_worse_is_told_once_and_one_that_becomes_milder_is_not() -> None:
    mild = replace(DOWN, after=0, severity="warning")
    worse = replace(mild, severity="urgent", code="link_person")
    engine = Engine({})
    assert turns(engine, (1, mild), (2, worse), (3, worse), (4, mild), (5, worse)) == [
        (1, "began"),
        (2, "raised"),
    ]
    assert engine.active[DOWN.key].code == "link_person"


def test_what_is_looked_at_no_more_is_over_after_a_minute() -> None:
    engine = Engine({DOWN.key: DOWN})
    seconds = GONE_NS // S
    found = [(at, each.what) for at in range(1, 200) for each in engine.look([], at * S)]
    assert found == [(1 + seconds, "cleared")]
    assert not engine.active
