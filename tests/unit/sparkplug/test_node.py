"""What a host must make of births, data and deaths in and out of order: FAULTS G4 and G7."""

import pytest

from gateway.lab.sparkplug import ORDERS, EdgeNode, played
from gateway.lab.sparkplug_payload import INT64, Metric, payload
from tests.unit.sparkplug.hearing import MS, Hearing

GONE = "BadNoCommunication"


def press(**more: object) -> EdgeNode:
    return EdgeNode("plant", "press", {"power": 1.5, "heat": 20.5}, **more)  # type: ignore[arg-type]


def alive(node: EdgeNode) -> Hearing:
    heard = Hearing()
    heard.hear(*node.births(MS))
    return heard


@pytest.mark.fault("G7")
@pytest.mark.parametrize(
    ("order", "values", "wishes", "is_alive"),
    [
        ("in order", [1.5, 2.5, 3.5], 0, True),
        ("data before birth", [2.5, 3.5], 1, True),
        ("a number missing", [1.5, 2.5], 0, True),
        ("an alias nobody named", [1.5, 2.5], 1, True),
        ("a late death", [1.5, 1.5, 2.5], 1, True),
        ("a death that overtook its birth", [1.5], 2, True),
        ("born twice", [1.5, 2.5, 2.5, 3.5], 0, True),
    ],
)
def test_an_order_that_is_none_leaves_the_right_state(
    order: str, values: list[float], wishes: int, *, is_alive: bool
) -> None:
    heard = Hearing()
    rows = heard.hear(*played(EdgeNode("plant", "press", {"power": 1.5}), ORDERS[order], MS))
    assert rows == [("press/power", value, "Good") for value in values]
    assert (heard.wishes, heard.node.is_alive) == (wishes, is_alive)


@pytest.mark.fault("G7")
def test_a_death_makes_every_value_of_node_and_devices_bad_once_at_its_arrival(record_measure) -> None:
    node = press(devices={"m1": {"speed": 2.0}, "m2": {"speed": 3.0}})
    heard = alive(node)
    heard.now = 7_000_000_000
    rows = heard.hear(node.death(MS - 90_000))
    assert sorted(rows) == [
        (path, None, GONE) for path in ("m1/speed", "m2/speed", "press/heat", "press/power")
    ]
    assert heard.hear(node.death(MS)) == [], "the will behind the death said aloud"
    assert heard.counts.deaths == 1
    record_measure("4 values of a node and two devices Bad once")


@pytest.mark.fault("G7")
def test_the_death_of_an_earlier_session_says_nothing_of_this_one() -> None:
    node = press(bd_seq=0)
    heard = Hearing()
    old = node.death(MS)
    assert len(heard.hear(node.birth(MS), node.reborn(MS))) == 2, "the second may be another node's"
    assert heard.hear(old) == [("press/power", 1.5, "Good"), ("press/heat", 20.5, "Good")]
    assert heard.counts.late_deaths == 1
    assert heard.hear(node.data({"power": 4.5}, MS)) == [("press/power", 4.5, "Good")]


def test_sessions_are_counted_round_behind_255() -> None:
    node = press(bd_seq=255)
    heard = alive(node)
    old = node.death(MS)
    heard.hear(node.reborn(MS))
    assert node.bd_seq == 0
    assert len(heard.hear(old)) == 2
    assert heard.counts.late_deaths == 1
    assert len(heard.hear(node.death(MS))) == 2


@pytest.mark.fault("G7")
@pytest.mark.parametrize("lives", [True, False])
def test_a_birth_whose_death_has_overtaken_it_is_believed_only_when_said_again(*, lives: bool) -> None:
    """A node that counts no sessions looks the same: only a living one answers."""
    node = press()
    heard = alive(node)
    assert len(heard.hear(node.death(MS))) == 2
    assert heard.hear(node.birth(MS)) == []
    assert (heard.node.is_alive, heard.wishes) == (False, 1)
    if lives:
        assert len(heard.hear(node.birth(MS))) == 2
        assert heard.node.is_alive


@pytest.mark.fault("G7")
@pytest.mark.parametrize("lives", [True, False])
def test_the_death_of_a_session_to_come_leaves_ten_seconds_to_say_otherwise(*, lives: bool) -> None:
    node = press()
    heard = alive(node)
    assert heard.hear(node.early_death(MS)) == []
    assert heard.wishes == 1
    if lives:
        assert len(heard.hear(node.birth(MS))) == 2
        assert heard.wait(60) == []
    else:
        assert heard.wait(9.9) == []
        assert [row[2] for row in heard.wait(0.2)] == ["BadCommunicationError"] * 2


@pytest.mark.fault("G4")
def test_what_comes_out_of_turn_waits_for_what_was_before_it() -> None:
    node = press()
    heard = alive(node)
    said = [node.data({"power": float(i)}, MS) for i in range(5)]
    assert heard.hear(said[0], said[2], said[4], said[3]) == [("press/power", 0.0, "Good")]
    assert heard.hear(said[1]) == [("press/power", float(i), "Good") for i in (1, 2, 3, 4)]
    assert heard.wait(60) == []
    assert (heard.wishes, heard.counts.reordered, heard.counts.missed) == (0, 3, 0)


@pytest.mark.fault("G4")
def test_the_sequence_goes_round_behind_255(record_measure) -> None:
    node, heard = press(), None
    heard = alive(node)
    for i in range(600):
        assert heard.hear(node.data({"power": float(i)}, MS)) == [("press/power", float(i), "Good")]
    assert heard.wishes == 0
    record_measure("600 messages, twice round: none missed, no request")


@pytest.mark.fault("G4")
def test_a_gap_asks_for_a_birth_and_what_came_meanwhile_is_late_not_lost(record_measure) -> None:
    node = press()
    heard = alive(node)
    node.skip(2)
    assert heard.hear(node.data({"power": 7.5}, MS)) == []
    assert (heard.wait(1.9), heard.wishes) == ([], 0)
    assert (heard.wait(0.2), heard.wishes) == ([], 1)
    assert heard.counts.missed == 2
    assert heard.hear(node.data({"heat": 30.5}, MS)) == []
    rows = heard.hear(node.birth(MS))
    assert rows[:2] == [("press/power", 7.5, "Good"), ("press/heat", 30.5, "Good")]
    assert heard.hear(node.data({"power": 8.5}, MS)) == [("press/power", 8.5, "Good")]
    assert heard.counts.dropped == 0
    record_measure("2 missing numbers counted, 1 request, 2 messages read behind the birth")


@pytest.mark.fault("G4")
def test_data_in_doubt_are_never_read_by_an_alias_that_means_something_else_now(record_measure) -> None:
    """The missing message was a birth that gave the aliases anew."""
    node = EdgeNode("plant", "press", {"power": 1.5, "heat": 20.5})
    heard = alive(node)
    node.metrics = {"heat": 20.5, "power": 1.5}
    node.birth(MS)
    node.seq = 3
    assert heard.hear(node.data({"power": 2.5}, MS)) == []
    heard.wait(3)
    rows = heard.hear(node.birth(MS))
    assert rows == [("press/heat", 20.5, "Good"), ("press/power", 2.5, "Good")], "from the birth"
    record_measure("0 values under the wrong name")


@pytest.mark.fault("G4")
def test_a_sequence_whose_birth_was_lost_never_catches_up_with_the_one_before(record_measure) -> None:
    """Its first numbers look like repeats; behind them it would be in turn, under other aliases."""
    node = EdgeNode("plant", "press", {"power": 1.5, "heat": 20.5})
    heard = alive(node)
    heard.hear(*(node.data({"power": 1.5}, MS) for _ in range(10)))
    node.metrics = {"heat": 20.5, "power": 1.5}
    node.birth(MS)
    rows = heard.hear(*(node.data({"power": 2.5}, MS) for _ in range(30)))
    assert rows == []
    assert heard.wishes > 0
    assert heard.hear(node.birth(MS)) == [("press/heat", 20.5, "Good"), ("press/power", 2.5, "Good")]
    record_measure("30 values behind a lost birth: 0 under the wrong name")


@pytest.mark.fault("G4")
def test_a_number_far_from_its_turn_is_another_sequence() -> None:
    node = press()
    heard = alive(node)
    node.skip(100)
    assert heard.hear(node.data({"power": 7.5}, MS)) == []
    assert (heard.wishes, heard.counts.missed) == (1, 100)


@pytest.mark.fault("G4")
def test_what_comes_a_second_time_is_dropped(record_measure) -> None:
    node = press()
    heard = alive(node)
    said = node.data({"power": 7.5}, MS)
    assert len(heard.hear(said, said)) == 1
    assert heard.counts.dropped == 1
    record_measure("1 of 2 equal messages read")


def test_a_node_in_doubt_that_does_not_answer_is_bad_after_ten_seconds() -> None:
    node = press()
    heard = alive(node)
    node.skip()
    heard.hear(node.data({"power": 7.5}, MS))
    rows = heard.wait(12.1)
    assert [row[2] for row in rows] == ["BadCommunicationError"] * 2
    assert heard.counts.dropped == 1
    assert heard.hear(node.data({"power": 8.5}, MS)) == []
    assert len(heard.hear(node.birth(MS))) == 2


@pytest.mark.fault("G4")
def test_what_waits_is_bounded(record_measure) -> None:
    node = press()
    heard = alive(node)
    heard.room = 2_000
    node.skip(60)
    for i in range(500):
        heard.hear(node.data({"power": float(i)}, MS))
        assert heard.guard.waiting <= 2_000
    assert heard.counts.dropped > 300
    record_measure("500 messages in doubt: at most 2,000 bytes wait, the rest counted")


@pytest.mark.fault("G7")
def test_data_of_a_device_that_was_not_born_ask_for_it() -> None:
    node = press(devices={"m1": {"speed": 2.0}})
    heard = Hearing()
    heard.hear(node.birth(MS))
    assert heard.hear(node.device_data("m1", {"speed": 3.0}, MS)) == []
    assert (heard.wishes, heard.counts.before_birth) == (1, 1)
    assert heard.hear(node.device_birth("m1", MS)) == [("m1/speed", 3.0, "Good")]


@pytest.mark.fault("G7")
def test_a_devices_death_is_its_own_at_the_time_it_says() -> None:
    node = press(devices={"m1": {"speed": 2.0}, "m2": {"speed": 3.0}})
    heard = alive(node)
    heard.hear_only(node.device_death("m1", MS - 5_000))
    (part,) = heard.readings.live.batch(0, 0).parts  # type: ignore[arg-type]
    assert part.time.tolist() == [(MS - 5_000) * 1_000_000]
    assert heard.rows() == [("m1/speed", None, GONE)]
    assert heard.hear(node.device_data("m2", {"speed": 4.0}, MS)) == [("m2/speed", 4.0, "Good")]


def test_a_device_that_is_not_born_again_with_its_node_has_gone() -> None:
    node = press(devices={"m1": {"speed": 2.0}, "m2": {"speed": 3.0}})
    heard = alive(node)
    del node.devices["m2"]
    heard.hear(*node.births(MS))
    assert heard.wait(9.9) == []
    assert heard.wait(0.2) == [("m2/speed", None, GONE)]
    assert heard.wait(60) == []


def test_a_metric_that_is_not_born_again_has_gone() -> None:
    node = press()
    heard = alive(node)
    del node.metrics["heat"]
    assert heard.hear(node.birth(MS)) == [("press/power", 1.5, "Good"), ("press/heat", None, GONE)]


def test_a_node_without_session_numbers_is_born_and_dies_all_the_same() -> None:
    node = press()
    bare = [
        (node.topic("NBIRTH"), payload([Metric(1.5, name="power", timestamp=MS)], MS, 0)),
        (node.topic("NDEATH"), payload([], MS, None)),
    ]
    heard = Hearing()
    for _ in range(6):
        assert heard.hear(bare[0]) == [("press/power", 1.5, "Good")]
    assert heard.hear(bare[1]) == [("press/power", None, GONE)]
    assert heard.hear(bare[0]) == [("press/power", 1.5, "Good")]
    assert heard.wishes == 0


def test_a_death_without_its_number_is_one() -> None:
    node = press()
    heard = alive(node)
    assert len(heard.hear((node.topic("NDEATH"), payload([], MS, None)))) == 2


def test_a_birth_that_begins_at_another_number_is_followed_from_there() -> None:
    node = press()
    heard = Hearing()
    heard.hear((node.topic("NBIRTH"), payload([Metric(0, INT64, "bdSeq"), *node._named(None, MS)], MS, 9)))
    node.seq = 10
    assert heard.hear(node.data({"power": 3.5}, MS)) == [("press/power", 3.5, "Good")]
