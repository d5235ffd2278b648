"""A unified namespace: one value a topic, and the message says what it is."""

from typing import Any

import orjson
import pytest

from config.connections import MqttSource
from connectors import TagTable
from connectors.broker.rows import Rows
from connectors.mqtt.rules import Refusal, Rules, Told
from connectors.quality import name as quality_name

ENTRY = {
    "topic": "acme/changzhou/+/+/+/+",
    "at": "{1}/{2}",
    "device": "{3}",
    "time": {"path": "timestamp", "form": "iso8601"},
    "quality": "quality",
    "unit": "unit",
    "tags": {"{4}": {"path": "value", "type": "any"}},
}
T = "2026-09-21T14:13:20Z"


class Namespace:
    def __init__(self, table: TagTable | None = None, **more: Any) -> None:
        self.table = TagTable() if table is None else table
        options = MqttSource.model_validate(
            {"kind": "mqtt", "host": "h", "messages": [ENTRY | more.pop("entry", {})], **more}
        )
        self.rules = Rules("in", options, "cz", self.table)
        self.rules.announce_known()

    def hear(self, topic: str, **said: Any) -> list[tuple[str, Any, str, str]]:
        """Return path, value (None where Bad), unit and quality of what came of a message."""
        self.rules.learn([topic])
        told = self.rules[topic]
        if isinstance(told, Refusal):
            return [(told.reason, None, "", "")]
        assert isinstance(told, Told)
        parsed = told.reader.parse(orjson.dumps({"quality": "good"} | said), 32)
        fitted = self.rules.fit(topic, told, parsed)
        if fitted is None:
            return []
        if isinstance(fitted, Refusal):
            return [(fitted.reason, None, "", "")]
        rows = Rows()
        fitted.append(parsed, 7, rows)
        found = []
        for part in rows.batch(0, 0).parts if len(rows) else ():  # type: ignore[arg-type]
            for number, value, quality in zip(
                part.tag.tolist(), part.value, part.quality.tolist(), strict=True
            ):
                tag = self.table[number]
                shown = None if quality >= 0x80000000 else value
                found.append((tag.path.removeprefix("cz/"), shown, tag.unit, quality_name(quality)))
        return found


def test_topic_and_message_together_say_what_a_tag_is() -> None:
    heard = Namespace()
    base = "acme/changzhou/press_shop/line_1/cell_3"
    assert heard.hear(f"{base}/power", value=21.5, timestamp=T, quality="good", unit="kW") == [
        ("press_shop/line_1/cell_3/power", 21.5, "KWT", "Good")
    ]
    assert heard.hear(f"{base}/state", value="run", timestamp=T) == [
        ("press_shop/line_1/cell_3/state", "run", "C62", "Good")
    ]
    assert heard.hear(f"{base}/on", value=True, timestamp=T) == [
        ("press_shop/line_1/cell_3/on", 1.0, "C62", "Good")
    ]
    assert heard.hear(f"{base}/power", value=5, timestamp=T, quality="uncertain", unit="kW") == [
        ("press_shop/line_1/cell_3/power", 5.0, "KWT", "Uncertain")
    ]


def test_another_unit_makes_another_tag_and_never_a_wrong_number() -> None:
    heard = Namespace()
    topic = "acme/changzhou/a/l/c/energy"
    heard.hear(topic, value=1.5, timestamp=T, unit="kWh")
    assert heard.hear(topic, value=1500.0, timestamp=T, unit="Wh") == [
        ("a/l/c/energy", 1500.0, "WHR", "Good")
    ]
    assert heard.hear(topic, value=1.6, timestamp=T, unit="kWh") == [("a/l/c/energy", 1.6, "KWH", "Good")]
    assert len(heard.table) == 2


def test_a_message_without_its_unit_means_the_one_before_in_the_next_run_too() -> None:
    heard = Namespace()
    topic = "acme/changzhou/a/l/c/energy"
    heard.hear(topic, value=1.5, timestamp=T, unit="kWh")
    assert heard.hear(topic, value=1.6, timestamp=T)[0][2] == "KWH"
    again = Namespace(heard.table)
    assert len(heard.table.active()) == 1, "known before the first message"
    assert again.hear(topic, value=1.7, timestamp=T) == [("a/l/c/energy", 1.7, "KWH", "Good")]
    assert len(heard.table) == 1


WH = {"tags": {"{4}": {"path": "value", "unit": "Wh", "deliver_as": "kWh"}}}


@pytest.mark.parametrize(("said", "scale"), [({}, 0.001), ({"unit": "MWh"}, 1000.0), ({"unit": "kWh"}, 1.0)])
def test_what_is_converted_is_converted_alike_in_the_next_run(said: dict[str, str], scale: float) -> None:
    """The tag is in kWh, its messages are not: taken for kWh they would be a thousand times too much."""
    heard = Namespace(entry=WH)
    topic = "acme/changzhou/a/l/c/energy"
    assert heard.hear(topic, value=5000.0, timestamp=T, **said)[0][2] == "KWH"
    again = Namespace(heard.table, entry=WH)
    again.hear(topic, value=5001.0, timestamp=T)
    assert (len(heard.table), heard.table[0].unit, heard.table[0].scale) == (1, "KWH", scale)


def test_a_conversion_that_is_new_or_gone_in_the_plant_file_is_not_taken_for_the_messages_unit() -> None:
    topic = "acme/changzhou/a/l/c/energy"
    own = {"tags": {"{4}": {"path": "value", "unit": "Wh"}}}
    for before, now, units in ((own, WH, ["WHR", "KWH"]), (WH, own, ["KWH", "WHR"])):
        heard = Namespace(entry=before)
        heard.hear(topic, value=5000.0, timestamp=T)
        again = Namespace(heard.table, entry=now)
        again.hear(topic, value=5000.0, timestamp=T)
        told = [(heard.table[number].unit, heard.table[number].scale) for number in range(len(heard.table))]
        assert [unit for unit, _ in told] == units
        assert dict(told) == {"WHR": 1.0, "KWH": 0.001}


def test_a_unit_of_another_quantity_is_not_converted_and_ends_no_link() -> None:
    heard = Namespace(entry=WH)
    topic = "acme/changzhou/a/l/c/energy"
    assert heard.hear(topic, value=5.0, timestamp=T, unit="kW")[0][1:3] == (5.0, "KWT")
    assert heard.table[0].scale == 1.0
    assert heard.hear(topic, value=5000.0, timestamp=T, unit="Wh")[0][2] == "KWH"
    again = Namespace(heard.table, entry=WH)
    assert again.hear(topic, value=5000.0, timestamp=T)[0][2] == "KWH"


def test_a_truth_is_not_scaled_though_numbers_would_be() -> None:
    heard = Namespace(entry={"tags": {"{4}": {"path": "value", "type": "any", "scale": 0.1}}})
    assert heard.hear("acme/changzhou/a/l/c/on", value=True, timestamp=T)[0][1] == 1.0
    assert heard.table[0].scale == 1.0
    heard.hear("acme/changzhou/a/l/c/u", value=2200, timestamp=T)
    assert heard.table[1].scale == 0.1


def test_what_a_tag_was_it_stays_and_another_type_is_bad() -> None:
    heard = Namespace()
    topic = "acme/changzhou/a/l/c/speed"
    heard.hear(topic, value=1.5, timestamp=T)
    assert heard.hear(topic, value="fast", timestamp=T) == [("a/l/c/speed", None, "C62", "BadTypeMismatch")]
    again = Namespace(heard.table)
    assert again.hear(topic, value="fast", timestamp=T)[0][3] == "BadTypeMismatch"


def test_nothing_is_a_tag_before_it_has_a_value() -> None:
    heard = Namespace()
    assert heard.hear("acme/changzhou/a/l/c/x", value=None, timestamp=T) == []
    assert heard.hear("acme/changzhou/a/l/c/x", value=[1], timestamp=T) == []
    assert len(heard.table) == 0
    assert len(heard.hear("acme/changzhou/a/l/c/x", value=1, timestamp=T)) == 1


@pytest.mark.fault("G6")
def test_topics_without_a_value_do_not_fill_the_memory(record_measure) -> None:
    heard = Namespace(max_tags=5)
    for i in range(25_000):
        heard.hear(f"acme/changzhou/a/l/c/x{i}", value=None)
    assert len(heard.rules._of_topic) <= 10_001
    for i in range(10):
        heard.hear(f"acme/changzhou/a/l/c/y{i}", value=1.5, timestamp=T)
    assert len(heard.table.active()) == 5
    record_measure("25,000 topics without a value: at most 10,001 remembered")


def test_an_unknown_unit_leaves_the_plant_files() -> None:
    heard = Namespace(entry={"tags": {"{4}": {"path": "value", "unit": "bar"}}})
    assert heard.hear("acme/changzhou/a/l/c/p", value=1.5, timestamp=T, unit="furlong")[0][2] == "BAR"
    assert heard.hear("acme/changzhou/a/l/c/q", value=1.5, timestamp=T, unit="kPa")[0][2] == "KPA"
