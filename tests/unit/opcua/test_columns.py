"""Rows find their tag, their time and their part; what does not fit is Bad, never another number."""

from typing import Any

import numpy as np
import pytest

from config.connections import OpcUaSource
from connectors import Batch, Kind, TagTable
from connectors.opcua.columns import Gathering
from connectors.opcua.items import Items
from connectors.opcua.plan import describe_session
from connectors.opcua.rows import Other, Run
from connectors.opcua.statistics import Statistics
from connectors.opcua.types.spreading import of_other
from connectors.quality import (
    BAD_NO_COMMUNICATION,
    BAD_TYPE_MISMATCH,
    BAD_WAITING_FOR_INITIAL_DATA,
    GOOD,
    UNCERTAIN,
    UNCERTAIN_ENGINEERING_UNITS_EXCEEDED,
)
from gateway.pipeline import ClockWatch, build_pipeline

ARRIVED = 1_790_000_000_000_000_000
TYPES = ["bool", "int32", "int64", "uint64", "double", "string"]
BOOLEAN, INT32, UINT32, INT64, UINT64, DOUBLE, STRING, DATE = 1, 6, 7, 8, 9, 11, 12, 13


def plant(**tags: Any) -> OpcUaSource:
    device = {"at": "a/l", "tags": tags}
    return OpcUaSource.model_validate(
        {"kind": "opcua", "endpoint": "opc.tcp://127.0.0.1:1", "security": "none", "devices": {"d": device}}
    )


def gathering(options: OpcUaSource) -> Gathering:
    items, table = Items("cell", "s", options), TagTable()
    items.announce_all(table, {})
    return Gathering(items, Statistics())


def run(item: int, builtin: int, *values: Any, status: int = GOOD, source: int = 1, server: int = 0) -> Run:
    n = len(values)
    dtype = {STRING: object, INT64: np.int64, UINT64: np.int64, DATE: np.int64}.get(builtin, np.float64)
    column = np.empty(n, dtype)
    column[:] = values
    return Run(
        np.arange(n, dtype=np.int32),
        np.full(n, item, np.uint32),
        np.full(n, builtin, np.uint8),
        column,
        np.full(n, status, np.uint32),
        np.full(n, source, np.int64),
        np.full(n, server, np.int64),
    )


def only(batch: Batch) -> tuple[Any, int, int]:
    (part,) = batch.parts
    (value,), (quality,), (time,) = part.value.tolist(), part.quality.tolist(), part.time.tolist()
    return value, quality, time


@pytest.mark.parametrize(
    ("kind", "builtin", "value", "quality"),
    [
        ("bool", BOOLEAN, 1.0, GOOD),
        ("bool", INT32, 1.0, BAD_TYPE_MISMATCH),
        ("int32", UINT32, 4294967295.0, GOOD),
        ("int32", DOUBLE, 1.5, BAD_TYPE_MISMATCH),
        ("int32", INT64, 5, BAD_TYPE_MISMATCH),
        ("int64", INT64, 2**53 + 1, GOOD),
        ("int64", INT32, -5.0, GOOD),
        ("int64", UINT64, -1, BAD_TYPE_MISMATCH),
        ("uint64", UINT64, -1, GOOD),
        ("uint64", INT32, -1.0, BAD_TYPE_MISMATCH),
        ("double", DOUBLE, 0.1, GOOD),
        ("double", UINT32, 7.0, GOOD),
        ("double", INT64, 2**53 + 1, BAD_TYPE_MISMATCH),
        ("double", BOOLEAN, 1.0, BAD_TYPE_MISMATCH),
        ("double", DATE, 5, BAD_TYPE_MISMATCH),
        ("int64", DATE, 5, GOOD),
        ("double", 0, 0.0, BAD_WAITING_FOR_INITIAL_DATA),
        ("double", STRING, "1.5", BAD_TYPE_MISMATCH),
        ("string", STRING, "网联", GOOD),
        ("string", DOUBLE, 1.5, BAD_TYPE_MISMATCH),
    ],
)
def test_a_value_is_the_servers_own_or_bad(kind: str, builtin: int, value: Any, quality: int) -> None:
    it = gathering(plant(t={"node": "s=t", "type": kind}))
    it.add([run(0, builtin, value)], (), ARRIVED)
    found, said, _ = only(it.batch(ARRIVED))
    assert said == quality
    if quality == GOOD:
        assert found == value


def test_a_bad_status_is_kept_whatever_came_with_it() -> None:
    for kind in TYPES:
        it = gathering(plant(t={"node": "s=t", "type": kind}))
        it.add([run(0, 0, 0.0, status=BAD_NO_COMMUNICATION)], (), ARRIVED)
        assert only(it.batch(ARRIVED))[1] == BAD_NO_COMMUNICATION


def test_a_scaled_64_bit_value_is_marked_when_a_float_can_not_hold_it() -> None:
    options = plant(t={"node": "s=t", "scale": 0.001})
    for builtin, value, float_value in ((INT64, 2**53 + 2, 2.0**53 + 2), (UINT64, -1, 2.0**64)):
        it = gathering(options)
        it.add([run(0, builtin, value)], (), ARRIVED)
        assert only(it.batch(ARRIVED))[:2] == (float_value, UNCERTAIN_ENGINEERING_UNITS_EXCEEDED)


def test_time_is_the_sources_else_the_servers_else_the_arrival() -> None:
    nodes = np.array([0])
    for source, server, told, read in ((5, 9, 5, 9), (0, 9, 9, 9), (0, 0, ARRIVED, ARRIVED), (9, 5, 9, 9)):
        it = gathering(plant(t={"node": "s=t", "type": "double"}))
        it.add([run(0, DOUBLE, 1.0, source=source, server=server)], (), ARRIVED)
        assert only(it.batch(ARRIVED))[2] == told
        it.add([run(0, DOUBLE, 1.0, source=source, server=server)], (), ARRIVED, nodes)
        assert only(it.batch(ARRIVED))[2] == read


def test_where_the_plant_file_says_so_the_servers_time_goes_before_the_sources() -> None:
    options = plant(t={"node": "s=t", "type": "double"}).model_copy(update={"timestamps": "server"})
    nodes = np.array([0])
    for source, server, expected in ((5, 9, 9), (9, 5, 5), (5, 0, 5), (0, 9, 9), (0, 0, ARRIVED)):
        it = gathering(options)
        for asked in (None, nodes):
            it.add([run(0, DOUBLE, 1.0, source=source, server=server)], (), ARRIVED, asked)
            assert only(it.batch(ARRIVED))[2] == expected
        odd = Other(0, 0, DOUBLE, array=True, status=GOOD, source_time=source, server_time=server, raw=b"")
        assert of_other(odd, 0, ARRIVED, by_server=True).time == expected


@pytest.mark.fault("C4")
def test_a_source_s_time_from_another_year_or_equal_or_missing_is_kept_and_the_skewed_is_uncertain(
    clock, record_measure
) -> None:
    """Through the pipeline, as a server sent them one after another."""
    items, table = Items("cell", "s", plant(t={"node": "s=t", "type": "double"})), TagTable()
    items.announce_all(table, {})
    it, now, hour = Gathering(items, Statistics()), clock.now(), 3_600 * 10**9
    told = [0, 946_684_800 * 10**9, now - hour, now, now, now + hour, now + 80 * 8_766 * hour]
    for value, source in enumerate(told):
        it.add([run(0, DOUBLE, float(value), source=source)], (), now)
    stored = build_pipeline(table, ClockWatch(clock))(it.batch(now))
    assert stored is not None
    (part,) = stored.parts
    assert part.value.tolist() == list(range(len(told))), "in the order in which they came"
    assert part.time.tolist() == [now, *told[1:]], "without one it is the arrival"
    skewed = [time for time, quality in zip(told, part.quality.tolist(), strict=True) if quality == UNCERTAIN]
    assert skewed == [told[1], *told[-2:]]
    record_measure(f"OPC UA: {len(told)} source times, 0 changed, {len(skewed)} skewed uncertain")


def test_rows_of_one_tag_keep_their_order_over_good_and_bad() -> None:
    it = gathering(plant(t={"node": "s=t", "type": "int64"}))
    good, bad = run(0, INT64, 1, 3), run(0, 0, 0.0, status=BAD_NO_COMMUNICATION)
    good.place[:] = (0, 2)
    bad.place[:] = 1
    it.add([bad, good], (), ARRIVED)
    (part,) = it.batch(ARRIVED).parts
    assert part.quality.tolist() == [GOOD, BAD_NO_COMMUNICATION, GOOD]
    assert part.value[[0, 2]].tolist() == [1, 3]


def test_a_value_nobody_asked_for_is_counted_and_goes_nowhere() -> None:
    it = gathering(plant(t={"node": "s=t", "type": "double"}))
    it.add([run(7, DOUBLE, 1.0), run(0, DOUBLE, 2.0)], (), ARRIVED)
    assert only(it.batch(ARRIVED))[0] == 2.0
    assert it._statistics.strange == 1


def test_the_same_tags_come_as_the_same_array() -> None:
    it = gathering(plant(a={"node": "s=a", "type": "double"}))
    arrays = []
    for _ in range(2):
        it.add([run(0, DOUBLE, 1.0)], (), ARRIVED)
        arrays.append(it.batch(ARRIVED).parts[0].tag)
    assert arrays[0] is arrays[1]


def test_a_type_once_learned_is_known_before_the_next_connection() -> None:
    options, table = plant(t={"node": "s=t"}, u={"node": "s=u", "type": "bool"}), TagTable()
    first = Items("cell", "s", options)
    first.announce_known(table)
    assert [table[n].name for n in table.active().tolist()] == ["u"]
    first.announce_all(table, {0: Kind.TEXT})
    second = Items("cell", "s", options)
    second.announce_known(table)
    assert {table[n].name: table[n].kind for n in table.active().tolist()} == {"t": Kind.TEXT, "u": Kind.BOOL}
    second.announce_all(table, {0: Kind.INT64})
    assert {table[n].name: table[n].kind for n in table.active().tolist()}["t"] is Kind.INT64


def test_the_plan_tells_what_is_subscribed_and_what_is_polled() -> None:
    options = plant(
        a={"node": "s=a"}, b={"node": "s=b", "counter": True}, c={"node": "s=c", "heartbeat": "1min"}
    )
    assert [line.text("en") for line in describe_session("cell", options)] == [
        "cell: opcua opc.tcp://127.0.0.1:1, no security",
        "  subscribe, sampled every 1s, published every 500ms; nodes: 1",
        "  read every 1s; nodes: 2",
    ]
    assert [line.text("zh") for line in describe_session("cell", options)] == [
        "cell：opcua opc.tcp://127.0.0.1:1，不加密",
        "  订阅 1 个节点，采样周期 1s，发布周期 500ms",
        "  每 1s 读一次 2 个节点",
    ]
