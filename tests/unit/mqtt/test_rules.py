"""From topics to tags: named once, never two things under one name."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.connections import MqttSource
from config.connections.mqtt_source import covers, is_topic_filter, json_steps, overlap
from connectors import Kind, Tag, TagTable
from connectors.broker.feed import without_covered
from connectors.mqtt.extract import Extraction
from connectors.mqtt.ids import Ids
from connectors.mqtt.rules import Refusal, Rules, topic_pattern


def rules(table: TagTable, *messages: dict[str, Any], **more: Any) -> Rules:
    given = {"kind": "mqtt", "host": "h", "messages": messages, **more}
    made = Rules("in", MqttSource.model_validate(given), "s", table)
    made.announce_known()
    return made


def paths(table: TagTable) -> list[str]:
    return sorted(table[n].path for n in table.active().tolist())


ENV = {
    "topic": "plant/+/env/+",
    "device": "{1}",
    "at": "hall/{2}",
    "tags": {"t": {"path": "t", "unit": "°C"}},
}


def test_a_topic_names_area_device_and_tag() -> None:
    table = TagTable()
    made = rules(table, ENV, {"topic": "m/+/#", "device": "m_{1}", "tags": {"{2}": {}}})
    made.learn(["plant/p1/env/l1", "m/7/power/active", "m/7/power/reactive", "other"])
    assert paths(table) == [
        "s/-/-/m_7/power.active",
        "s/-/-/m_7/power.reactive",
        "s/hall/l1/p1/t",
    ]
    assert isinstance(made["other"], Refusal)


def test_tags_of_a_read_are_announced_together_and_only_once() -> None:
    saved: list[int] = []
    table = TagTable(persist=lambda changed: saved.append(len(changed)))
    made = rules(table, ENV)
    made.learn([f"plant/p{i}/env/l1" for i in range(50)] * 2)
    made.learn([f"plant/p{i}/env/l1" for i in range(50)])
    assert saved == [50]


@pytest.mark.parametrize("part", ["", "a b", "_x", "$x", "a'b", "x" * 65, "a\u0000b"])
def test_a_topic_that_makes_no_name_is_refused(part: str) -> None:
    table = TagTable()
    made = rules(table, ENV)
    made.learn([f"plant/{part}/env/l1"])
    assert made[f"plant/{part}/env/l1"] == Refusal("unnameable")
    assert not paths(table)


def test_a_tag_of_another_source_is_not_taken_over() -> None:
    table = TagTable()
    table.announce([Tag("s/hall/l1/p1/t", Kind.FLOAT64, "CEL", "plc")])
    made = rules(table, ENV)
    made.learn(["plant/p1/env/l1"])
    assert made["plant/p1/env/l1"] == Refusal("clashing")


def test_tags_met_in_an_earlier_run_are_known_before_the_first_message() -> None:
    table = TagTable()
    rules(table, ENV).learn(["plant/p1/env/l1", "plant/p2/env/l1"])
    again = TagTable([(n, table[n]) for n in range(len(table))])
    warmer = {**ENV, "tags": {"t": {"path": "t", "unit": "°C", "deadband": 0.5}}}
    rules(again, warmer, {"topic": "fixed", "device": "d", "tags": {"x": {}}})
    assert paths(again) == ["s/-/-/d/x", "s/hall/l1/p1/t", "s/hall/l1/p2/t"]
    assert again.deadband[0] == 0.5, "with what the plant file says now"
    other = {**ENV, "tags": {"t": {"path": "t", "unit": "K"}}}
    gone = TagTable([(n, table[n]) for n in range(len(table))])
    rules(gone, other)
    assert paths(gone) == [], "another unit is another tag"


def test_no_more_tags_than_allowed_those_of_earlier_runs_counted() -> None:
    table = TagTable()
    rules(table, ENV, max_tags=2).learn(["plant/p1/env/l1"])
    made = rules(table, ENV, max_tags=2)
    made.learn(["plant/p2/env/l1", "plant/p3/env/l1", "plant/p1/env/l1"])
    assert isinstance(made["plant/p2/env/l1"], Extraction)
    assert made["plant/p3/env/l1"] == Refusal("over_limit")
    assert isinstance(made["plant/p1/env/l1"], Extraction)


@pytest.mark.parametrize(
    ("topic_filter", "topic", "parts"),
    [
        ("a/+/c", "a/b/c", ("b",)),
        ("a/+/c", "a//c", ("",)),
        ("a/+/c", "a/b/d/c", None),
        ("a/#", "a/b/c", ("b/c",)),
        ("a/#", "a", (None,)),
        ("a/#", "ab", None),
        ("#", "a/b", ("a/b",)),
        ("#", "$SYS/x", None),
        ("+/x", "$SYS/x", None),
        ("$SYS/#", "$SYS/x", ("x",)),
        ("a.b/+", "aXb/c", None),
    ],
)
def test_a_filter_matches_as_the_standard_says(topic_filter: str, topic: str, parts: Any) -> None:
    match = topic_pattern(topic_filter).fullmatch(topic)
    assert (None if match is None else match.groups()) == parts


LEVELS = st.sampled_from(["a", "b", "+", ""])
FILTERS = st.tuples(st.lists(LEVELS, min_size=1, max_size=4), st.booleans()).map(
    lambda given: "/".join([*given[0], "#"] if given[1] else given[0])
)
TOPICS = st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=5).map("/".join)


@given(FILTERS, FILTERS, TOPICS)
def test_what_a_covered_filter_matches_its_cover_matches(first: str, second: str, topic: str) -> None:
    if first and second and covers(first, second) and topic_pattern(second).fullmatch(topic):
        assert topic_pattern(first).fullmatch(topic)


@given(FILTERS, FILTERS, TOPICS)
def test_two_filters_that_match_one_topic_overlap(first: str, second: str, topic: str) -> None:
    if first and second and all(topic_pattern(each).fullmatch(topic) for each in (first, second)):
        assert overlap(first, second)


def test_filters_that_share_no_topic_do_not_overlap() -> None:
    pairs = [("a", "b"), ("a/+", "a"), ("a/b/c", "a/+/d"), ("a/#", "b/#"), ("+/d", "a/b/c"), ("a/+/c", "a/b")]
    assert not [pair for pair in pairs if overlap(*pair) or overlap(*reversed(pair))]


def test_a_covered_filter_is_not_subscribed_to() -> None:
    assert without_covered(["a/b", "a/#", "c", "c", "+/d"]) == ["a/#", "c", "+/d"]


def test_filters_and_paths_are_told_from_other_text() -> None:
    assert [is_topic_filter(f) for f in ("a", "/", "+", "#", "+/a/#", "a/b c")] == [True] * 6
    assert [is_topic_filter(f) for f in ("", "a+", "#/a", "a/#b", "$share/g/a", "a\0")] == [False] * 6
    assert json_steps("a.b[0][12].c d") == ("a", "b", 0, 12, "c d")


class Counted:
    missed = reordered = 0


def test_ids_may_be_texts_or_begin_anew() -> None:
    ids, counted = Ids(("id",)), Counted()
    seen = [ids.is_duplicate({"id": each}, counted) for each in ("a", "b", "a", None, True, 1000, 1, 2, 1)]
    assert seen == [False, False, True, False, False, False, False, False, True]
    assert (counted.missed, counted.reordered) == (0, 1)
    assert re.fullmatch(r"\d+", str(ids._highest))
    assert ids._highest == 2, "a sender that began anew is followed"
