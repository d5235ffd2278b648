"""Messages into rows: exactly what they say, or Bad."""

import json
import math
import time
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.connections import MessageTime, MqttMessages
from connectors import Batch, Origin
from connectors.broker.rows import Rows
from connectors.mqtt.extract import Extraction, Malformed, parse_json, quality_of
from connectors.mqtt.times import time_reader
from connectors.quality import (
    BAD,
    BAD_INVALID_TIMESTAMP,
    BAD_OUT_OF_RANGE,
    BAD_TYPE_MISMATCH,
    GOOD,
    UNCERTAIN,
    UNCERTAIN_INITIAL_VALUE,
)

ARRIVED = 1_790_000_000_000_000_000
TIMES = 20


def extraction(tags: dict[str, Any], **more: Any) -> Extraction:
    entry = MqttMessages.model_validate({"topic": "t", "device": "d", "tags": tags, **more})
    made = Extraction(entry)
    made.number(range(len(tags)))
    return made


def extract(payload: bytes, tags: dict[str, Any], **more: Any) -> tuple[dict[int, tuple[Any, int, int]], int]:
    """Return {tag number: (value, time, quality)} and how many values were missing."""
    made, rows = extraction(tags, **more), Rows()
    missing = made.append(made.parse(payload, 32), ARRIVED, rows)
    return by_number(rows.batch(ARRIVED, Origin.LIVE)), missing


def by_number(batch: Batch) -> dict[int, tuple[Any, int, int]]:
    return {
        tag: (value, at, quality)
        for part in batch.parts
        for tag, value, at, quality in zip(
            part.tag.tolist(), part.value.tolist(), part.time.tolist(), part.quality.tolist(), strict=True
        )
    }


def one(payload: bytes, **tag: Any) -> tuple[Any, int]:
    rows, _ = extract(payload, {"x": tag})
    value, _, quality = rows[0]
    return value, quality


@pytest.mark.parametrize("text", [rb"\ud800", rb"\udc00\ud800", b"\xed\xa0\x80"])
@pytest.mark.parametrize("beside", [b"1", b"NaN"])
def test_half_a_surrogate_pair_is_malformed_whatever_stands_beside_it(text: bytes, beside: bytes) -> None:
    """No sink can write it: a row of it would stop every sink for good."""
    with pytest.raises(Malformed):
        parse_json(b'{"a": ' + beside + b', "b": "' + text + b'"}', 32)
    with pytest.raises(Malformed):
        parse_json(b'{"' + text + b'": ' + beside + b"}", 32)


def test_several_values_and_a_time_are_taken_from_one_message() -> None:
    rows, missing = extract(
        b'{"ts": 1764000000123, "data": {"temp": 21.5, "hum": [40, 41]}}',
        {"t": {"path": "data.temp"}, "h": {"path": "data.hum[1]"}},
        time={"path": "ts", "form": "unix_ms"},
    )
    assert rows == {0: (21.5, 1_764_000_000_123_000_000, GOOD), 1: (41.0, 1_764_000_000_123_000_000, GOOD)}
    assert missing == 0


@pytest.mark.parametrize(
    ("payload", "tag", "expected"),
    [
        (b"21.5", {}, (21.5, GOOD)),
        (b" 21.5\n", {}, (21.5, GOOD)),
        (b"+.5", {}, (0.5, GOOD)),
        (b"007", {}, (7.0, GOOD)),
        (b"NaN", {}, (0.0, BAD_TYPE_MISMATCH)),
        (b"21,5", {}, (0.0, BAD_TYPE_MISMATCH)),
        (b"true", {}, (0.0, BAD_TYPE_MISMATCH)),
        (b"true", {"type": "bool"}, (1.0, GOOD)),
        (b"OFF", {"type": "bool"}, (0.0, GOOD)),
        (b"2", {"type": "bool"}, (0.0, BAD_TYPE_MISMATCH)),
        (b"9007199254740993", {"type": "integer"}, (9007199254740993, GOOD)),
        (b"9007199254740993", {}, (0.0, BAD_OUT_OF_RANGE)),
        (b"+9007199254740993", {"type": "integer"}, (9007199254740993, GOOD)),
        (b"09007199254740993", {}, (0.0, BAD_OUT_OF_RANGE)),
        (b"9223372036854775808", {"type": "integer"}, (0, BAD_OUT_OF_RANGE)),
        (b"5.0", {"type": "integer"}, (5, GOOD)),
        (b"5.5", {"type": "integer"}, (0, BAD_OUT_OF_RANGE)),
        ("运行".encode(), {"type": "text"}, ("运行", GOOD)),
        (b"5", {"type": "text"}, ("5", GOOD)),
        (b'{"v": "21.5"}', {"path": "v"}, (0.0, BAD_TYPE_MISMATCH)),
        (b'{"v": false}', {"path": "v"}, (0.0, BAD_TYPE_MISMATCH)),
        (b'{"v": {}}', {"path": "v"}, (0.0, BAD_TYPE_MISMATCH)),
        (b'{"v": 3}', {"path": "v", "type": "text"}, ("", BAD_TYPE_MISMATCH)),
        (b'{"v": NaN}', {"path": "v", "type": "integer"}, (0, BAD_OUT_OF_RANGE)),
        (b'{"v": 9007199254740993}', {"path": "v"}, (0.0, BAD_OUT_OF_RANGE)),
    ],
)
def test_a_value_is_what_the_plant_file_says_or_bad(payload: bytes, tag: dict, expected: Any) -> None:
    value, quality = one(payload, **tag)
    if payload == b"NaN":
        assert quality == BAD_OUT_OF_RANGE
        return
    assert (value, quality) == expected


def test_nan_and_infinity_are_bad_although_json_has_no_word_for_them() -> None:
    for word in (b"NaN", b"Infinity", b"-Infinity"):
        rows, _ = extract(
            b'{"a": %b, "b": 2.5}' % word, {"a": {"path": "a"}, "b": {"path": "b", "type": "text"}}
        )
        assert rows[0][2] == BAD_OUT_OF_RANGE


def test_what_was_retained_is_uncertain_unless_it_says_its_time_or_is_worse() -> None:
    for said, more, expected in (
        ({}, {}, UNCERTAIN_INITIAL_VALUE),
        ({"q": True}, {"quality": "q"}, UNCERTAIN_INITIAL_VALUE),
        ({"q": "bad"}, {"quality": "q"}, BAD),
        ({"ts": 7}, {"time": {"path": "ts", "form": "unix_ns"}}, GOOD),
        ({"ts": "?"}, {"time": {"path": "ts", "form": "unix_ns"}}, BAD_INVALID_TIMESTAMP),
    ):
        made, rows = extraction({"v": {"path": "v"}, "w": {"path": "w"}}, **more), Rows()
        made.append({"v": 1.5, "w": "no number", **said}, ARRIVED, rows, is_retained=True)
        found = by_number(rows.batch(ARRIVED, Origin.INITIAL))
        assert (found[0][2], found[1][2] >= BAD) == (expected, True), said


def test_a_value_that_is_not_there_is_no_row_and_counted() -> None:
    tags = {"a": {"path": "a"}, "b": {"path": "b"}, "c": {"path": "a.b"}, "d": {"path": "l[3]"}}
    rows, missing = extract(b'{"a": 1.5, "b": null, "l": "text"}', tags)
    assert list(rows) == [0]
    assert missing == 3


def test_a_message_whose_time_cannot_be_read_is_bad_at_its_arrival() -> None:
    for stamp in (b'"yesterday"', b"null", b"true", b"1e300", b"[]"):
        rows, _ = extract(
            b'{"ts": %b, "a": 1.5}' % stamp, {"a": {"path": "a"}}, time={"path": "ts", "form": "unix_ms"}
        )
        assert [row[1:] for row in rows.values()] == [(ARRIVED, BAD_INVALID_TIMESTAMP)]


@pytest.mark.parametrize(
    ("form", "zone", "said", "expected"),
    [
        ("unix_s", None, 1764000000.25, 1_764_000_000_250_000_000),
        ("unix_s", None, 1764000000, 1_764_000_000_000_000_000),
        ("unix_us", None, 1764000000000001, 1_764_000_000_000_001_000),
        ("unix_ns", None, 1764000000000000001, 1_764_000_000_000_000_001),
        ("unix_ms", None, "1764000000000", None),
        ("unix_s", None, math.nan, None),
        ("unix_ms", None, True, None),
        ("iso8601", None, "2025-11-24T16:00:00Z", 1_764_000_000_000_000_000),
        ("iso8601", None, "2025-11-25T00:00:00.123456789+08:00", 1_764_000_000_123_456_789),
        ("iso8601", None, "2025-11-25T00:00:00", None),
        ("iso8601", "Asia/Shanghai", "2025-11-25T00:00:00", 1_764_000_000_000_000_000),
        ("iso8601", "Asia/Shanghai", "2025-11-24T16:00:00Z", 1_764_000_000_000_000_000),
        ("iso8601", None, "9999-01-01T00:00:00Z", None),
        ("iso8601", None, 5, None),
    ],
)
def test_a_time_is_read_in_the_form_that_was_named(
    form: str, zone: str | None, said: Any, expected: int | None
) -> None:
    assert (
        time_reader(MessageTime.model_validate({"path": "t", "form": form, "zone": zone}))(said) == expected
    )


@given(st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)), st.integers(0, 999))  # noqa: DTZ001
def test_every_iso_time_is_exact_to_the_nanosecond(when: datetime, nanos: int) -> None:
    at = when.replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    if at.utcoffset().total_seconds() % 60:
        return  # local mean time has seconds, which ISO 8601 can't write
    offset = at.isoformat()[-6:]
    text = at.replace(tzinfo=None).isoformat(timespec="microseconds") + f"{nanos:03d}" + offset
    found = time_reader(MessageTime.model_validate({"path": "t", "form": "iso8601"}))(text)
    days = at.astimezone(ZoneInfo("UTC")) - datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))
    assert found == (days.days * 86_400 + days.seconds) * 10**9 + days.microseconds * 1000 + nanos


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (True, GOOD),
        (False, BAD),
        ("Good", GOOD),
        ("BAD", BAD),
        (0, GOOD),
        (0x80000000, BAD),
        (0x480, 0x480),
        (192, UNCERTAIN),
        (64, UNCERTAIN),
        ("?", UNCERTAIN),
    ],
)
def test_a_quality_is_understood_or_uncertain(said: Any, expected: int) -> None:
    assert quality_of(said) == expected
    rows, _ = extract(json.dumps({"q": said, "v": 1.5}).encode(), {"v": {"path": "v"}}, quality="q")
    assert rows[0][2] == expected


VALUES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8)
KEYS = st.sampled_from(["a", "b", "c", "d"])
DOCUMENTS = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner), max_leaves=12
)
PATHS = ["a", "b", "a.b", "a.c", "c[0]", "d[1].a"]


@given(
    st.dictionaries(KEYS, DOCUMENTS), st.lists(st.sampled_from(PATHS), min_size=1, max_size=6, unique=True)
)
def test_the_quick_way_and_the_way_value_by_value_say_the_same(said: dict, paths: list[str]) -> None:
    tags = {f"t{i}": {"path": path} for i, path in enumerate(paths)}
    quick, slow = extraction(tags), extraction(tags)
    slow._fetch = None
    found = []
    for made in (quick, slow):
        rows = Rows()
        missing = made.append(said, ARRIVED, rows)
        batch = by_number(rows.batch(ARRIVED, Origin.LIVE)) if len(rows) else {}
        # The pipeline makes NaN and infinity Bad wherever they come from.
        good = {n: row for n, row in batch.items() if row[2] == GOOD and math.isfinite(row[0])}
        found.append((missing, len(batch), good))
    assert found[0] == found[1]
    for number, (value, _, _) in found[0][2].items():
        inside: Any = said
        for step in slow._steps[number]:
            inside = inside[step]
        assert type(inside) in (int, float)
        assert inside == value, "never another value than the message says"


@pytest.mark.fault("G1")
@given(st.binary(max_size=300) | DOCUMENTS.map(lambda said: json.dumps(said).encode()))
@settings(max_examples=300)
def test_no_bytes_crash_or_invent(payload: bytes) -> None:
    """Malformed JSON, wrong types, invalid UTF-8."""
    for tags, more in (
        ({"x": {}}, {}),
        ({"x": {"type": "text"}}, {}),
        ({"x": {"type": "bool"}}, {}),
        (
            {"x": {"path": "a"}, "y": {"path": "b[0].c", "type": "integer"}},
            {"time": {"path": "a", "form": "iso8601"}, "quality": "b"},
        ),
    ):
        rows = Rows()
        made = extraction(tags, **more)
        try:
            made.append(made.parse(payload, 32), ARRIVED, rows)
        except Malformed:
            assert not len(rows)
            continue
        if len(rows):
            for part in rows.batch(ARRIVED, Origin.LIVE).parts:
                assert len(part.tag) == len(part.value) == len(part.time) == len(part.quality)


BROKEN = {
    "open": b"[" * 500_000,
    "lists": b"[" * 1000 + b"]" * 1000,
    "objects": b'{"a":' * 900 + b"1" + b"}" * 900,
    "flat": b"[[]," * 100_000 + b"0",
    "nan": b'{"a": ' + b"[" * 33 + b"NaN" + b"]" * 33 + b"}",
    "text": b'"' + b"\\u0000" * 100_000,
    "utf-16": b"\xff\xfe" * 1000,
    "digits": b"9" * 100_000,
    "exponent": b"1e" + b"9" * 1000 + b"x",
}


@pytest.mark.fault("G1")
def test_a_deep_or_broken_message_is_refused_in_less_than_five_milliseconds(record_measure) -> None:
    """Deep nesting, of up to 600 kB; processor time, the least of several: a collection is not its own."""
    took = {}
    for name, payload in BROKEN.items():
        each = []
        for _ in range(TIMES):
            began = time.thread_time()
            with pytest.raises(Malformed):
                parse_json(payload, 32)
            each.append(time.thread_time() - began)
        took[name] = min(each)
    worst = max(took, key=lambda name: took[name])
    assert took[worst] < 0.005, took
    mean = sum(took.values()) / len(took)
    record_measure(f"{1000 * mean:.2f} ms a message (mean), {1000 * took[worst]:.2f} ms the worst kind")


@pytest.mark.fault("C3")
def test_a_leap_second_written_out_is_no_time_and_its_row_bad(record_measure) -> None:
    """POSIX time has no 23:59:60: whichever second it were taken for, another row has it."""
    for said, quality in (
        ("59Z", GOOD),
        ("60Z", BAD_INVALID_TIMESTAMP),
        ("60.5+00:00", BAD_INVALID_TIMESTAMP),
    ):
        payload = b'{"ts": "2016-12-31T23:59:%b", "x": 1.5}' % said.encode()
        rows, _ = extract(payload, {"x": {"path": "x"}}, time={"path": "ts", "form": "iso8601"})
        assert rows[0][2] == quality
    record_measure("23:59:60 in a message: the row is bad, its value not moved to another second")


def test_depth_is_counted_without_brackets_in_texts() -> None:
    assert parse_json(b'{"a": "' + b"[" * 100 + b'"}', 32) == {"a": "[" * 100}
    assert parse_json(b'["\\"[[[[[[", ' + b"[], " * 40 + b"0]", 3)
    with pytest.raises(Malformed):
        parse_json(b"[" * 33 + b"]" * 33, 32)
    assert parse_json(b"[" * 32 + b"]" * 32, 32) is not None


def test_a_thousand_rows_keep_their_order_over_messages() -> None:
    made, rows = extraction({f"v{i}": {"path": f"v[{i}]"} for i in range(10)}), Rows()
    for n in range(100):
        made.append({"v": [float(n * 10 + i) for i in range(10)]}, ARRIVED + n, rows)
    (part,) = rows.batch(ARRIVED, Origin.LIVE).parts
    assert np.array_equal(part.value, np.arange(1000.0))
    assert np.array_equal(part.time, ARRIVED + np.repeat(np.arange(100), 10))
