"""Every form says what the delivery says, read back by a reader that knows its documentation alone."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from config.connections import MqttSink as MqttOptions
from connectors import Delivery, Kind, Origin, Tag, TagTable
from connectors.mqtt.form import Message
from connectors.mqtt.published import published
from tests.unit.mqtt.deliveries import T0, Row, cases, delivery_of, table_of
from tests.unit.mqtt.forms import form_of, messages
from tests.verify.mqtt_forms import Reading, read_per_tag, read_plain, read_values

MS = 1_000_000
BAD = 0x80310000
Case = tuple[TagTable, list[Row], list[bool] | None, bool]

# The first text drawn on a machine builds hypothesis' table of characters, about 2 s.
many = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def truth(said: list[tuple[int, Row]], table: TagTable) -> list[tuple[int, str, int, str, int]]:
    """Return what must arrive: row number, path, ms, value (told apart by type), quality."""
    return [
        (number, table[tag].path, time // MS, repr(None if quality >= 2**31 else value), quality)
        for number, (tag, time, value, quality) in said
    ]


def told(found: list[Reading]) -> Counter[tuple[str, int | str, str, int | None]]:
    return Counter((each.path, each.time, repr(each.value), each.quality) for each in found)


def without_row(
    rows: list[tuple[int, str, int, str, int]],
) -> Counter[tuple[str, int | str, str, int | None]]:
    return Counter(tuple(each[1:]) for each in rows)  # type: ignore[misc]


@many
@given(cases())
def test_objects_of_values_say_exactly_what_the_delivery_says(case: Case) -> None:
    table, rows, keep, historical = case
    delivery, said = delivery_of(table, rows, historical=historical, keep=keep)
    expected = truth(said, table)
    for is_list in (False, True):
        for limit in (1 << 62, 450):
            form = form_of(table, limit, kind="values", list=is_list)
            found = messages(form, delivery)
            assert [each.payload for each in messages(form, delivery)] == [each.payload for each in found]
            sent = [each for each in found if not each.refusal]
            assert all(len(each.payload) <= limit for each in sent)
            assert all(each.rows is not None and len(each.rows) == 1 for each in found if each.refusal)
            readings = [
                reading
                for each in sent
                for reading in read_values(each.topic, each.payload, prefix="p", is_list=is_list)
            ]
            refused = {row for each in found if each.refusal for row in each.rows.tolist()}  # type: ignore[union-attr]
            assert told(readings) == without_row([each for each in expected if each[0] not in refused])
            assert limit < 1000 or not refused
            keys = [reading.key for reading in readings]
            assert len(set(keys)) == len(keys), "two readings under one key"
            assert {reading.is_late for reading in readings} <= {historical}
            of_row = {each[0]: each for each in expected}
            for each in sent:
                readings = read_values(each.topic, each.payload, prefix="p", is_list=is_list)
                assert each.rows is not None
                assert told(readings) == without_row([of_row[row] for row in each.rows.tolist()])


@many
@given(cases())
def test_a_topic_per_tag_says_exactly_what_the_delivery_says(case: Case) -> None:
    table, rows, keep, historical = case
    delivery, said = delivery_of(table, rows, historical=historical, keep=keep)
    found = messages(form_of(table, kind="per_tag"), delivery)
    readings = [read_per_tag(each.topic, each.payload, prefix="p") for each in found]
    assert Counter(
        (each.key[3], each.path, each.time, repr(each.value), each.quality)  # type: ignore[index]
        for each in readings
    ) == Counter(truth(said, table))
    assert all(each.retain is not historical for each in found)
    assert [each.rows.tolist() for each in found] == [[each.key[3]] for each in readings]  # type: ignore[union-attr, index]
    bare = messages(form_of(table, kind="per_tag", bare=True), delivery)
    for full, each in zip(readings, bare, strict=True):
        if historical:
            assert each.topic == f"p/{full.path}/_past"
            assert not each.retain
            assert read_per_tag(each.topic, each.payload, prefix="p") == full
        else:
            assert each.topic == f"p/{full.path}"
            assert repr(json.loads(each.payload)) == repr(full.value)


@settings(many, max_examples=20)
@given(cases())
def test_a_template_of_all_there_is_says_exactly_what_the_delivery_says(case: Case) -> None:
    table, rows, keep, historical = case
    delivery, said = delivery_of(table, rows, historical=historical, keep=keep)
    row = (
        '{"n": {{ R.number }}, "tag": {{ R.tag | tojson }}, "ms": {{ R.time_ms }}, '
        '"v": {{ R.value | tojson }}, "q": {{ R.quality }}}'
    )
    whole = "[{% for r in rows %}" + row.replace("R.", "r.") + '{{ "," if not loop.last }}{% endfor %}]'
    payload = '{"late": {{ late }}, "path": {{ path | tojson }}, "rows": ROWS}'
    for each, text in (("device", whole), ("time", whole), ("value", f"[{row.replace('R.', '')}]")):
        options = {
            "kind": "template",
            "each": each,
            "topic": "x/{{ path }}",
            "payload": payload.replace("ROWS", text),
        }
        for limit in (1 << 62, 500):
            found = messages(form_of(table, limit, **options), delivery)
            sent = [json.loads(each.payload) for each in found if not each.refusal]
            read = [
                (one["n"], f"{each['path']}/{one['tag']}", one["ms"], repr(one["v"]), one["q"])
                for each in sent
                for one in each["rows"]
            ]
            refused = {number for each in found if each.refusal for number in each.rows.tolist()}  # type: ignore[union-attr]
            assert Counter(read) == Counter(e for e in truth(said, table) if e[0] not in refused)
            assert limit < 1000 or not refused
            assert all(each["late"] is historical for each in sent)
            assert [[one["n"] for one in each["rows"]] for each in sent] == [
                each.rows.tolist()
                for each in found
                if not each.refusal  # type: ignore[union-attr]
            ]


def one_device(count: int = 3) -> TagTable:
    table = TagTable()
    table.announce([Tag(f"cz/press/line1/m1/v{i}", Kind.FLOAT64, "KWH", "plc") for i in range(count)])
    return table


def payloads(found: list[Message]) -> list[Any]:
    return [json.loads(each.payload) for each in found]


def test_a_value_that_comes_twice_at_one_time_is_told_twice() -> None:
    table = one_device(2)
    delivery, _ = delivery_of(table, [(0, T0, 1.0, 0), (1, T0, 5.0, 0), (0, T0 + 1, 2.0, 0)])
    first, second = payloads(messages(form_of(table, kind="values"), delivery))
    assert (first["values"], first.get("n")) == ({"v0": 1.0, "v1": 5.0}, None)
    assert (second["values"], second["n"], second["ts"]) == ({"v0": 2.0}, 1, first["ts"])


def test_two_tags_of_one_name_never_share_an_object() -> None:
    table = one_device(1)
    (other,) = table.announce([replace(table[0], unit="WHR")]).tolist()
    delivery, _ = delivery_of(table, [(0, T0, 1.5, 0), (other, T0, 1500.0, 0)])
    first, second = payloads(messages(form_of(table, kind="values"), delivery))
    assert (first["values"], first["unit"]) == ({"v0": 1.5}, {"v0": "KWH"})
    assert (second["values"], second["n"]) == ({"v0": 1500.0}, 1)
    assert "unit" not in second


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("unix_s", 1_764_000_000),
        ("unix_ms", 1_764_000_000_123),
        ("unix_us", 1_764_000_000_123_456),
        ("unix_ns", T0),
        ("iso8601", f"{datetime.fromtimestamp(1_764_000_000, UTC):%Y-%m-%dT%H:%M:%S}.123Z"),
    ],
)
def test_times_are_written_as_asked(form: str, written: int | str) -> None:
    table = one_device(1)
    delivery, _ = delivery_of(table, [(0, T0, 1.0, 0)])
    (values,) = payloads(messages(form_of(table, kind="values", time=form), delivery))
    (tag,) = payloads(messages(form_of(table, kind="per_tag", time=form), delivery))
    assert (values["ts"], tag["t"]) == (written, written)


def test_bad_values_may_be_left_out_and_then_nothing_is_said_of_them() -> None:
    table = one_device(3)
    delivery, _ = delivery_of(table, [(0, T0, 1.0, 0), (1, T0, 2.0, BAD), (2, T0 + MS, 3.0, BAD)])
    (only,) = messages(form_of(table, kind="values", bad="left_out"), delivery)
    assert json.loads(only.payload)["values"] == {"v0": 1.0}
    assert "q" not in json.loads(only.payload)
    assert only.rows is not None
    assert only.rows.tolist() == [0]


@pytest.mark.parametrize("is_list", [False, True])
def test_a_plain_message_has_time_and_values_alone(is_list: bool) -> None:
    table = one_device(2)
    delivery, said = delivery_of(
        table, [(0, T0, 1.0, 0), (1, T0, 2.0, BAD), (0, T0 + MS, 3.0, 0)], historical=True
    )
    found = messages(form_of(table, kind="values", plain=True, list=is_list), delivery)
    readings = [
        r for each in found for r in read_plain(each.topic, each.payload, prefix="p", is_list=is_list)
    ]
    assert Counter((each.path, each.time, each.value) for each in readings) == Counter(
        (table[tag].path, time // MS, None if quality else value) for _, (tag, time, value, quality) in said
    )
    assert len(found) == (1 if is_list else 2)


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "values", "plain": True},
        {"kind": "per_tag", "bare": True},
        {"kind": "template", "each": "device", "topic": "x", "payload": "{{ rows[0].value }}"},
    ],
)
def test_what_was_taken_in_another_unit_is_refused_where_no_unit_is_said(options: dict[str, Any]) -> None:
    table = one_device(2)
    delivery, _ = delivery_of(table, [(0, T0, 1500.0, 0), (1, T0, 1.0, 0)])
    table.announce([replace(table[0], unit="MWH")])
    found = messages(form_of(table, **options), delivery)
    assert [each.rows.tolist() for each in found if each.refusal] == [[0]]  # type: ignore[union-attr]
    assert all("unit has changed" in each.refusal for each in found if each.refusal)
    assert [each.rows.tolist() for each in found if not each.refusal] == [[1]]  # type: ignore[union-attr]
    assert all(b"1500" not in each.payload for each in found if not each.refusal)


def test_forms_that_say_units_say_that_of_an_old_backlog() -> None:
    table = one_device(2)
    delivery, _ = delivery_of(table, [(0, T0, 1500.0, 0), (1, T0, 1.0, 0)])
    table.announce([replace(table[0], unit="MWH")])
    (values,) = payloads(messages(form_of(table, kind="values"), delivery))
    assert values["unit"] == {"v0": "KWH"}
    assert [each["u"] for each in payloads(messages(form_of(table, kind="per_tag"), delivery))] == ["kWh"] * 2
    template = {"kind": "template", "each": "value", "topic": "x", "payload": '"{{ value }} {{ symbol }}"'}
    assert payloads(messages(form_of(table, **template), delivery)) == ["1500.0 kWh", "1.0 kWh"]


@pytest.mark.parametrize(
    "options", [{"kind": "values"}, {"kind": "values", "list": True}, {"kind": "per_tag"}]
)
def test_live_and_late_differ_in_the_mark_alone(options: dict[str, Any]) -> None:
    table = one_device(50)
    rows: list[Row] = [(i, T0 + (i % 3) * MS, i / 7, BAD if i == 7 else 0) for i in range(50)]
    live, _ = delivery_of(table, rows)
    late, _ = delivery_of(table, rows, historical=True)
    for limit in range(200, 1500, 31):
        form = form_of(table, limit, **options)
        first, again = messages(form, live), messages(form, late)
        assert [each.rows.tolist() for each in first] == [each.rows.tolist() for each in again]  # type: ignore[union-attr]
        assert [each.payload for each in first] == [
            each.payload.replace(b',"hist":true', b"") for each in again
        ]


def test_a_device_of_many_tags_is_split_under_the_limit() -> None:
    table = one_device(5_000)
    delivery, _ = delivery_of(table, [(i, T0, i / 3, 0) for i in range(5_000)])
    template = {"kind": "template", "topic": "x", "payload": "{{ values | tojson }}"}
    for options in ({"kind": "values"}, {"kind": "values", "list": True}, template):
        found = messages(form_of(table, 10_000, **options), delivery)
        assert sorted(row for each in found for row in each.rows.tolist()) == list(range(5_000))  # type: ignore[union-attr]
        assert all(3_000 < len(each.payload) <= 10_000 and not each.refusal for each in found)


def test_a_history_is_marked_late_and_filled() -> None:
    table = one_device(1)
    live, _ = delivery_of(table, [(0, T0, 1.5, 0)])
    filled = replace(live, batch=replace(live.batch, origin=Origin.BACKFILL))
    for options in ({"kind": "values"}, {"kind": "per_tag"}):
        ((said),) = payloads(messages(form_of(table, **options), filled))
        assert (said["hist"], said["fill"]) == (True, True)
        ((said),) = payloads(messages(form_of(table, **options), live))
        assert not {"hist", "fill"} & set(said)


def test_a_row_a_template_fails_for_is_refused_alone() -> None:
    table = TagTable()
    table.announce([Tag(f"cz/press/line1/m1/v{i}", Kind.TEXT, "C62", "plc") for i in range(64)])
    texts: list[Row] = [(i, T0, "1.5" if i != 37 else 'a"', 0) for i in range(64)]
    delivery, _ = delivery_of(table, texts)
    payload = '[{% for r in rows %}"{{ r.value }}"{{ "," if not loop.last }}{% endfor %}]'
    found = messages(form_of(table, kind="template", each="device", topic="x", payload=payload), delivery)
    ((refused),) = [each for each in found if each.refusal]
    assert refused.rows is not None
    assert refused.rows.tolist() == [37]
    assert "no JSON" in refused.refusal
    assert sum(len(json.loads(each.payload)) for each in found if not each.refusal) == 63


@pytest.mark.parametrize("each", ["device", "time", "value"])
def test_no_two_messages_of_a_template_have_one_id_and_sent_again_it_is_the_same(each: str) -> None:
    table = table_of([Kind.FLOAT64] * 200, devices=3)
    rows: list[Row] = [(i, T0 + i % 2, i / 7, 0) for i in range(200)]
    options = {"kind": "template", "each": each, "topic": "x", "payload": "[{{ id | tojson }}, {{ seq }}]"}
    found = []
    for seq in (1, 2):
        form = form_of(table, 60, **options)
        live, late = (delivery_of(table, rows, seq=seq, historical=late)[0] for late in (False, True))
        assert payloads(messages(form, live)) == payloads(messages(form, late))
        found += [said for said, _ in payloads(messages(form, live))]
    assert len(set(found)) == len(found) >= 6


def test_a_template_that_makes_no_topic_refuses_the_row() -> None:
    table = TagTable()
    table.announce([Tag("cz/press/line1/m1/t", Kind.TEXT, "C62", "plc")])
    for text in ("", "a/#", "+", "a\0", "a\nb", "\x7f", "\ud800", "a/" * 200, "测" * 334):
        delivery, _ = delivery_of(table, [(0, T0, text, 0)])
        options = {"kind": "template", "each": "value", "topic": "{{ value }}", "payload": "1"}
        (found,) = messages(form_of(table, **options), delivery)
        assert "no topic" in found.refusal


def test_only_live_messages_of_a_template_are_retained() -> None:
    table = one_device(1)
    options = {"kind": "template", "topic": "x", "payload": "1", "retain": True}
    for historical in (False, True):
        delivery, _ = delivery_of(table, [(0, T0, 1.0, 0)], historical=historical)
        (found,) = messages(form_of(table, **options), delivery)
        assert found.retain is not historical


def test_a_renamed_tag_has_its_new_name_in_every_form() -> None:
    table = one_device(1)
    delivery, _ = delivery_of(table, [(0, T0, 1.0, 0)])
    template = {"kind": "template", "each": "value", "topic": "x/{{ tag }}", "payload": "{{ value }}"}
    forms = [form_of(table, **each) for each in ({"kind": "values"}, {"kind": "per_tag"}, template)]
    for form in forms:
        messages(form, delivery)
    table.announce([Tag("cz/press/line1/m1/power", Kind.FLOAT64, "KWH", "plc", was="cz/press/line1/m1/v0")])
    values, per_tag, made = (messages(form, delivery)[0] for form in forms)
    assert json.loads(values.payload)["values"] == {"power": 1.0}
    assert (per_tag.topic, made.topic) == ("p/cz/press/line1/m1/power", "x/power")


@pytest.mark.fault("D8")
def test_d8_nan_is_null_in_every_form(record_measure) -> None:
    table = one_device(1)
    delivery, _ = delivery_of(table, [(0, T0, 1.0, 0)])
    part = replace(delivery.batch.parts[0], value=np.array([np.nan]))
    broken = Delivery(replace(delivery.batch, parts=(part,)), delivery.epoch, 1)
    template = {"kind": "template", "each": "value", "topic": "x", "payload": "{{ value }}"}
    assert payloads(messages(form_of(table, kind="values"), broken))[0]["values"] == {"v0": None}
    assert payloads(messages(form_of(table, kind="per_tag"), broken))[0]["v"] is None
    assert payloads(messages(form_of(table, **template), broken)) == [None]
    record_measure("NaN called good in an object, in a topic per tag and in a template: null")


CONTRACTED: list[dict[str, Any]] = [
    {"kind": "json"},
    {"kind": "values", "time": "iso8601"},
    {"kind": "values", "list": True},
    {"kind": "values", "plain": True},
    {"kind": "per_tag"},
    {"kind": "per_tag", "bare": True, "announce": False},
    {"kind": "template", "topic": "x/{{ area }}/{{ device }}", "payload": "{{ values | tojson }}"},
    {"kind": "template", "each": "value", "topic": "{{ path }}/{{ tag }}", "payload": "{{ value | tojson }}"},
]


@pytest.mark.parametrize("options", CONTRACTED, ids=lambda options: "-".join(map(str, options.values())))
def test_messages_keep_what_the_contract_says_of_their_topic(options: dict[str, Any]) -> None:
    table = TagTable()
    kinds = dict(zip("bifus", (Kind.BOOL, Kind.INT32, Kind.FLOAT64, Kind.UINT64, Kind.TEXT), strict=True))
    table.announce(
        [Tag(f"cz/press/line1/m{d}/{n}", k, "C62", "plc") for d in (1, 2) for n, k in kinds.items()]
    )
    values = [True, 7, 1.5, 2**63, "run"] * 2
    rows: list[Row] = [(i, T0 + i * MS, value, BAD if i == 3 else 0) for i, value in enumerate(values)]
    sink = MqttOptions.model_validate({"kind": "mqtt", "host": "h", "prefix": "p", "format": options})
    told = published(sink, gateway="gw-1", site="cz", tags=[table[i] for i in range(10)])
    channels = {each.address: each for each in told.channels}
    schemas = {each.name: each.schema for each in told.messages}
    for historical in (False, True):
        delivery, _ = delivery_of(table, rows, historical=historical)
        for each in messages(form_of(table, **options), delivery):
            channel = channels[each.topic]
            said = json.loads(each.payload)
            jsonschema.validate(said, {"allOf": [schemas[channel.message], channel.narrowed]})
            assert channel.retained or not each.retain
            if channel.message != "made":
                with pytest.raises(jsonschema.ValidationError):
                    jsonschema.validate(
                        {"values": 5}, {"allOf": [schemas[channel.message], channel.narrowed]}
                    )
    assert ("status" in schemas) is options.get("announce", options["kind"] != "template")
