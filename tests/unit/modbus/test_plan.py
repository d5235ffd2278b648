"""The planner: every value whole, limits kept, no request too many."""

import random
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.connections import ModbusDevice
from connectors.modbus.plan import Request, describe_plan, halve, plan_requests, read_as, values_of


def device(tags: dict[str, dict[str, object]], **options: object) -> ModbusDevice:
    return ModbusDevice.model_validate({"tags": tags, **options})


@st.composite
def maps(draw: st.DrawFn, most: int = 40, space: int = 400) -> ModbusDevice:
    tables = draw(st.sampled_from([("holding",), ("coil",), ("holding", "input", "coil", "discrete")]))
    tags: dict[str, dict[str, object]] = {}
    for i in range(draw(st.integers(1, most))):
        table = draw(st.sampled_from(tables))
        tag: dict[str, object] = {"table": table, "address": draw(st.integers(0, space))}
        if table in ("coil", "discrete"):
            tag["type"] = "bool"
        else:
            wire = draw(st.sampled_from(["uint16", "float32", "uint64", "string", "bool"]))
            tag["type"] = wire
            if wire == "string":
                tag["length"] = draw(st.integers(1, 10))
        tag["count"] = draw(st.sampled_from([1, 1, 1, 5]))
        tags[f"t{i}"] = tag
    return device(
        tags,
        max_registers=draw(st.integers(10, 125)),
        max_bits=draw(st.sampled_from([8, 100, 2000])),
        max_gap=draw(st.sampled_from([0, 1, 16, 124])),
    )


def limit_of(options: ModbusDevice, request: Request) -> int:
    return options.max_bits if request.table in ("coil", "discrete") else options.max_registers


def fewest(spans: list[tuple[int, int]], limit: int, max_gap: int) -> int:
    """Search every choice of windows: which values a request takes, from the first one open onwards."""
    used = sorted({address for start, end in spans for address in range(start, end)})
    breaks = {b for a, b in pairwise(used) if b - a - 1 > max_gap}

    @cache
    def least(left: frozenset[tuple[int, int]]) -> int:
        if not left:
            return 0
        first = min(left)
        best = len(left)
        # A window that holds the first open value begins somewhere at or before it.
        for start in range(max(0, first[1] - limit), first[0] + 1):
            end = start + limit
            inside = frozenset(
                span
                for span in left
                if span[0] >= start
                and span[1] <= end
                and not any(min(first[0], span[0]) < b <= max(first[0], span[0]) for b in breaks)
            )
            best = min(best, 1 + least(left - inside))
        return best

    return least(frozenset(spans))


@given(maps())
def test_every_value_lies_whole_in_exactly_one_request(options: ModbusDevice) -> None:
    values = values_of(options)
    requests = plan_requests(options, values)
    carried = [value.place for request in requests for value in request.values]
    assert sorted(carried) == list(range(len(values)))
    for request in requests:
        for value in request.values:
            assert value.tag.table == request.table
            assert request.address <= value.address
            assert value.end <= request.address + request.count


@given(maps())
def test_the_device_limits_are_kept(options: ModbusDevice) -> None:
    values = values_of(options)
    used = {(value.tag.table, a) for value in values for a in range(value.address, value.end)}
    for request in plan_requests(options, values):
        assert 1 <= request.count <= limit_of(options, request)
        hole = 0
        for address in range(request.address, request.address + request.count):
            hole = 0 if (request.table, address) in used else hole + 1
            assert hole <= options.max_gap


@settings(max_examples=60, deadline=None)
@given(maps(most=7, space=60))
def test_no_plan_has_fewer_requests(options: ModbusDevice) -> None:
    values = values_of(options)
    requests = plan_requests(options, values)
    for table in {request.table for request in requests}:
        of_table = [request for request in requests if request.table == table]
        spans = list({(value.address, value.end) for value in values if value.tag.table == table})
        if len(spans) <= 12:
            optimum = fewest(spans, limit_of(options, of_table[0]), options.max_gap)
            assert len(of_table) == optimum


def layout(chance: random.Random) -> ModbusDevice:
    """A register map as makers draw them: runs of values of a few widths, reserved ones between."""
    tags: dict[str, dict[str, object]] = {}
    for table in chance.sample(["holding", "input", "coil", "discrete"], chance.randint(1, 4)):
        address, is_bits = chance.randint(0, 50), table in ("coil", "discrete")
        for _ in range(chance.randint(1, 120)):
            wire = "bool" if is_bits else chance.choice(["uint16", "float32", "uint64", "string"])
            tag: dict[str, object] = {"table": table, "address": address, "type": wire}
            width = {"float32": 2, "uint64": 4}.get(wire, 1)
            if wire == "string":
                tag["length"] = width = chance.randint(1, 10)
            tags[f"{table}_{address}"] = tag
            address += width + chance.choice([0, 0, 0, 0, 1, 2, 7, chance.randint(0, 40), 200])
    limits = {"max_registers": chance.randint(10, 125), "max_bits": chance.choice([16, 100, 2000])}
    return device(tags, **limits, max_gap=chance.choice([0, 1, 4, 16, 60, 124]))


def optimum(spans: list[tuple[int, int]], limit: int, max_gap: int) -> int:
    """Return the fewest requests for values that don't overlap: a request carries neighbours, so from each
    value on the best is one request as far as allowed, for every such end, and the best from there."""
    least = [0] * (len(spans) + 1)
    for first in reversed(range(len(spans))):
        choices = [1 + least[first + 1]]
        for last in range(first + 1, len(spans)):
            if spans[last][0] - spans[last - 1][1] > max_gap or spans[last][1] - spans[first][0] > limit:
                break
            choices.append(1 + least[last + 1])
        least[first] = min(choices)
    return least[0]


def test_on_two_hundred_random_layouts_the_plan_is_the_optimum_by_dynamic_programming() -> None:
    """Asked for: at most 1.3 times as many requests under the same maximum and gap."""
    chance = random.Random(6)
    for _ in range(200):
        options = layout(chance)
        values = values_of(options)
        requests = plan_requests(options, values)
        for table in {request.table for request in requests}:
            mine = [request for request in requests if request.table == table]
            spans = sorted((v.address, v.end) for v in values if v.tag.table == table)
            assert len(mine) == optimum(spans, limit_of(options, mine[0]), options.max_gap)


@given(maps())
def test_halving_ends_at_single_values_and_loses_none(options: ModbusDevice) -> None:
    for request in plan_requests(options, values_of(options)):
        pieces = [request]
        while any(len(piece.values) > 1 for piece in pieces):
            pieces = [half for piece in pieces for half in halve(piece)]
        assert sorted(v.place for p in pieces for v in p.values) == sorted(v.place for v in request.values)
        for piece in pieces:
            assert (piece.address, piece.count) == (
                piece.values[0].address,
                piece.values[0].end - piece.values[0].address,
            )


def test_a_refused_request_is_cut_at_its_widest_hole() -> None:
    options = device({"a": {"address": 0}, "b": {"address": 1}, "c": {"address": 9}, "d": {"address": 12}})
    (request,) = plan_requests(options, values_of(options))
    low, high = halve(request)
    assert ((low.address, low.count), (high.address, high.count)) == ((0, 2), (9, 4))


def test_a_thousand_floats_need_seventeen_requests_because_none_is_cut() -> None:
    options = device({"v": {"address": 0, "type": "float32", "count": 1000}})
    requests = plan_requests(options, values_of(options))
    assert [request.count for request in requests] == [124] * 16 + [16]


def test_a_value_wider_than_the_limit_is_asked_alone() -> None:
    options = device(
        {"name": {"address": 0, "type": "string", "length": 40}, "x": {"address": 40}}, max_registers=16
    )
    requests = plan_requests(options, values_of(options))
    assert [(request.address, request.count) for request in requests] == [(0, 40), (40, 1)]


def test_a_value_beyond_the_last_address_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="total: holding 65535"):
        values_of(device({"total": {"address": 65535, "type": "uint32"}}))


def test_the_plan_reads_as_a_table() -> None:
    options = device({"u": {"address": 0, "type": "float32", "count": 2}, "i": {"address": 6}}, unit_id=7)
    head, line = (each.text("en") for each in describe_plan("meter", options))
    assert head.startswith("meter: unit 7, every 1s; values: 3, requests: 1, of at most 125 registers")
    in_chinese = [each.text("zh") for each in describe_plan("meter", options)]
    assert in_chinese[0].startswith("meter：从站地址 7，每 1s 一轮，3 个值分 1 次请求，每次最多 125 个寄存器")
    assert not any("{" in each for each in in_chinese)
    assert "FC3 holding" in line
    assert "7 asked,    5 used,   2 unused  u_0 … i" in line


def test_values_of_one_interval_are_planned_together_the_shortest_first() -> None:
    tags = {"a": {"address": 0}, "b": {"address": 1, "scan": "200ms"}, "c": {"address": 2}}
    parts = device(tags, scan="10s").by_interval()
    assert [(list(part.tags), part.scan) for part in parts] == [(["b"], 200_000_000), (["a", "c"], 10**10)]
    assert [len(plan_requests(part, values_of(part))) for part in parts] == [1, 1]
    heads = [each.text("en") for each in describe_plan("m", device(tags, scan="10s"))][::2]
    assert [head.partition(";")[0] for head in heads] == ["m: unit 1, every 200ms", "m: unit 1, every 10s"]


def test_a_tag_of_an_earlier_release_is_still_read_as_it_was_and_a_half_is_told_from_the_other() -> None:
    tags = {
        "old": {"address": 7, "type": "float32", "order": "CDAB"},
        "high": {"address": 9, "type": "int8", "byte": "high"},
        "low": {"address": 9, "type": "int8", "byte": "low"},
    }
    old, high, low = (read_as(1, value) for value in values_of(device(tags)))
    # Another number would hold every tag of a plant for review at the next start.
    assert old == 2850158753
    assert high != low
