"""Line protocol: every row as it was stored, read back by a parser of its own."""

import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import Delivery, Kind, Tag, TagTable
from connectors.influxdb.lines import Encoder, point_times
from tests.fakes import T0
from tests.servers.line_protocol import BadLine, Point, parse, parse_line
from tests.unit.influxdb.plant import columns, delivery, table

BAD = 0x80050000
UNCERTAIN = 0x40940000
MS = 1_000_000


def told(
    tags: TagTable, *deliveries: Delivery, encoder: Encoder | None = None, most: int = 20_000
) -> list[Point]:
    encoder = encoder or Encoder("wanglian", tags)
    return [
        point
        for each in deliveries
        for lines in encoder.lines(each, most)
        if not lines.untold
        for point in parse(lines.body)
    ]


def fields(point: Point) -> dict[str, Any]:
    return {key: value for key, value, _ in point.fields}


def test_a_line_is_what_the_page_says() -> None:
    lines = next(Encoder("wanglian", table()).lines(delivery(0, columns([12.5, 3.0])), 10))
    head = b"wanglian,area=hall,device=m1,line=l1,site=cz,tag=%b,unit=KWT quality=0i,value=%b %d\n"
    assert lines.body == head % (b"v", b"12.5", T0) + head % (b"w", b"3.0", T0 + 1)
    assert lines.rows.tolist() == [0, 1]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_a_float_reads_back_bit_by_bit(values: list[float]) -> None:
    points = told(table(), delivery(7, columns(values, tags=0)))
    assert [struct.pack("d", fields(p)["value"]) for p in points] == [struct.pack("d", v) for v in values]


@pytest.mark.fault("D9")
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=30))
def test_d9_an_integer_reads_back_with_its_type(values: list[int]) -> None:
    for kind, name, wanted in (
        (Kind.INT64, "integer", values),
        (Kind.UINT64, "unsigned", [each % 2**64 for each in values]),
    ):
        points = told(table(kind), delivery(7, columns(values, tags=0, dtype=np.int64)))
        assert [(p.fields[-1][2], p.fields[-1][1]) for p in points] == [(name, each) for each in wanted]
        assert all(p.fields[-1][0] == name for p in points)


@pytest.mark.fault("D9")
def test_d9_signed_and_unsigned_in_one_part_keep_their_fields(record_measure) -> None:
    tags = TagTable()
    tags.announce([Tag("a/b/c/d/i", Kind.INT64, "C62", "s"), Tag("a/b/c/d/u", Kind.UINT64, "C62", "s")])
    one, other = told(tags, delivery(1, columns([-1, -1], dtype=np.int64)))
    assert (fields(one)["integer"], fields(other)["unsigned"]) == (-1, 2**64 - 1)
    record_measure("InfluxDB: the same 64 bits as -1i and as 18446744073709551615u")


@given(st.lists(st.text(), min_size=1, max_size=20))
def test_a_text_reads_back_or_is_refused_with_its_reason(values: list[str]) -> None:
    tags = table(Kind.TEXT)
    (lines,) = Encoder("wanglian", tags).lines(delivery(1, columns(values, tags=0, dtype=object)), 100)
    refused = dict(lines.untold)
    points = dict(zip(lines.rows.tolist(), parse(lines.body), strict=True))
    assert set(points) | set(refused) == set(range(len(values)))
    for row, value in enumerate(values):
        assert (row in refused) == ("\n" in value)
        if row in points:
            assert fields(points[row])["text"] == value


def test_a_text_that_is_not_unicode_is_refused() -> None:
    (lines,) = Encoder("m", table(Kind.TEXT)).lines(delivery(1, columns(["\ud800"], dtype=object)), 9)
    assert (lines.body, lines.untold) == (b"", ((0, "its text is not Unicode"),))


def test_a_text_can_not_pose_as_a_line() -> None:
    text = 'a" 1\nwanglian,tag=v value=666 1'
    (lines,) = Encoder("wanglian", table(Kind.TEXT)).lines(delivery(1, columns([text], dtype=object)), 9)
    assert lines.body == b""


LEVEL = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters='/#+*?[]{}$"\\'), min_size=1)


@given(st.lists(LEVEL, min_size=5, max_size=5), LEVEL)
def test_every_name_a_plant_file_allows_reads_back(levels: list[str], unit: str) -> None:
    tags = TagTable()
    tags.announce([Tag("/".join(levels), Kind.FLOAT64, unit, "s")])
    (point,) = told(tags, delivery(1, columns([1.0])))
    site, area, line, device, name = levels
    assert dict(point.tags) == {
        "site": site,
        "area": area,
        "line": line,
        "device": device,
        "tag": name,
        "unit": unit,
    }
    assert [key for key, _ in point.tags] == sorted(key for key, _ in point.tags)


@pytest.mark.parametrize("path", ["a/b/c/d/e\nf", "a/b/c/d/e\\", "a/b/c/d", "a/b//d/e", "a/b/c/d/e\x7f"])
def test_a_path_that_can_not_be_told_refuses_its_rows_and_no_others(path: str) -> None:
    tags = TagTable()
    tags.announce([Tag(path, Kind.FLOAT64, "KWT", "s"), Tag("a/b/c/d/good", Kind.FLOAT64, "KWT", "s")])
    (lines,) = Encoder("m", tags).lines(delivery(1, columns([1.0, 2.0])), 9)
    assert [dict(p.tags)["tag"] for p in parse(lines.body)] == ["good"]
    assert (lines.rows.tolist(), [row for row, _ in lines.untold]) == ([1], [0])


@pytest.mark.fault("D8")
@given(st.lists(st.tuples(st.floats(), st.sampled_from([0, 0, UNCERTAIN, BAD])), min_size=1, max_size=20))
def test_d8_a_value_is_there_exactly_when_one_is_known_and_it_is_never_nan(rows: list[Any]) -> None:
    values, quality = zip(*rows, strict=True)
    points = told(table(), delivery(1, columns(values, tags=0, quality=quality)))
    for (value, code), point in zip(rows, points, strict=True):
        is_known = code != BAD and math.isfinite(value)
        assert ("value" in fields(point)) == is_known
        if not is_known:
            assert fields(point)["quality"] == (BAD if code == BAD else 0x803C0000)
        elif code:
            assert fields(point)["quality"] == code


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 0, 0, UNCERTAIN, BAD])), min_size=1),
        min_size=1,
        max_size=12,
    ),
    st.integers(0, 11),
)
def test_the_last_quality_told_is_the_quality_that_holds(batches: list[Any], restart: int) -> None:
    tags = table()
    encoder = Encoder("wanglian", tags)
    last: dict[str, int] = {}
    for seq, batch in enumerate(batches):
        if seq == restart:
            encoder = Encoder("wanglian", tags)
        numbers, quality = zip(*batch, strict=True)
        part = columns([1.0] * len(batch), tags=numbers, quality=quality, time=T0 + seq * MS)
        points = told(tags, delivery(seq, part), encoder=encoder)
        for point, code in zip(points, quality, strict=True):
            name = dict(point.tags)["tag"]
            last[name] = fields(point).get("quality", last.get(name))
            assert last[name] == code


def test_a_good_row_tells_its_quality_once_a_minute_and_otherwise_not() -> None:
    tags = table()
    encoder = Encoder("wanglian", tags)
    seconds = [
        second
        for second in range(180)
        for point in told(tags, delivery(second, columns([1.0], time=T0 + second * 10**9)), encoder=encoder)
        if "quality" in fields(point)
    ]
    first_minute = 60 - T0 // 10**9 % 60
    assert seconds == sorted(
        {0, first_minute % 60, first_minute % 60 + 60, first_minute % 60 + 120} & set(range(180))
    )


def test_after_a_refusal_the_quality_is_told_again() -> None:
    tags = table()
    encoder = Encoder("wanglian", tags)
    told(tags, delivery(1, columns([1.0])), encoder=encoder)
    encoder.forget()
    (point,) = told(tags, delivery(2, columns([1.0])), encoder=encoder)
    assert fields(point)["quality"] == 0


def test_a_long_delivery_comes_in_pieces_with_its_row_numbers() -> None:
    tags = table()
    part = columns(np.arange(10.0), tags=0)
    numbers = (np.arange(100, 110, dtype=np.int32),)
    pieces = list(Encoder("wanglian", tags).lines(delivery(3, part, rows=numbers), 4))
    assert [piece.rows.tolist() for piece in pieces] == [
        [100, 101, 102, 103],
        [104, 105, 106, 107],
        [108, 109],
    ]
    whole = told(tags, delivery(3, part, rows=numbers))
    assert [(p.time, fields(p)["value"]) for p in whole] == [
        (p.time, fields(p)["value"]) for piece in pieces for p in parse(piece.body)
    ]


def test_a_renamed_tag_is_written_under_its_new_name_and_new_tags_find_room() -> None:
    tags = table(names=["old"])
    encoder = Encoder("wanglian", tags)
    told(tags, delivery(1, columns([1.0])), encoder=encoder)
    tags.announce([Tag("cz/hall/l1/m1/new", Kind.FLOAT64, "KWT", "src", was="cz/hall/l1/m1/old")])
    tags.announce([Tag(f"cz/hall/l1/m2/{i}", Kind.FLOAT64, "KWT", "src") for i in range(100)])
    points = told(tags, delivery(2, columns([1.0] * 101)), encoder=encoder)
    assert [dict(p.tags)["tag"] for p in points] == ["new", *map(str, range(100))]


@pytest.mark.parametrize("time", [2**63 - 1, -(2**63)])
def test_a_time_the_database_can_not_hold_is_refused(time: int) -> None:
    (lines,) = Encoder("m", table()).lines(delivery(1, columns([1.0, 2.0], tags=0, time=[time, T0])), 9)
    assert ([row for row, _ in lines.untold], lines.rows.tolist()) == ([0], [1])


@given(
    st.lists(st.tuples(st.integers(-(2**62), 2**62), st.integers(0, 2**40), st.integers(0, 10**6))),
)
def test_a_point_keeps_the_millisecond_of_its_row(rows: list[tuple[int, int, int]]) -> None:
    for time, seq, row in rows:
        (moved,) = point_times(np.array([time]), seq, np.array([row], np.int32)).tolist()
        assert moved // MS == time // MS


@given(st.integers(0, 2**50), st.lists(st.integers(0, 98), min_size=1, max_size=20), st.data())
def test_rows_of_one_millisecond_and_tag_are_apart(
    first: int, batches: list[int], data: st.DataObject
) -> None:
    """The reach that is promised: fewer than 100 batches, and 9,973 rows, apart."""
    seen: dict[int, tuple[int, int]] = {}
    for offset in batches:
        row = data.draw(st.integers(0, 9_972))
        (time,) = point_times(np.array([T0]), first + offset, np.array([row], np.int32)).tolist()
        assert seen.setdefault(time, (offset, row)) == (offset, row)


@given(st.integers(0, 2**50), st.sets(st.integers(0, 999_999), max_size=50))
def test_rows_of_one_batch_are_always_apart(seq: int, rows: set[int]) -> None:
    numbers = np.array(sorted(rows), np.int32)
    assert len(set(point_times(np.full(len(rows), T0), seq, numbers).tolist())) == len(rows)


ROW = st.tuples(st.integers(0, 2), st.integers(0, 3), st.floats(-1e6, 1e6))


@pytest.mark.fault("B6")
@given(
    st.lists(st.lists(ROW, min_size=1, max_size=8), min_size=1, max_size=15),
    st.lists(st.integers(0, 14), max_size=4),
    st.integers(1, 9),
)
def test_after_any_resends_there_is_a_point_for_every_row_and_no_other(
    batches: list[list[tuple[int, int, float]]], restarts: list[int], most: int
) -> None:
    """Killed after any batch, begun again from any earlier one, by an encoder that knows nothing.

    Most rows here have the time of another: four times for all.
    """
    tags = table()
    deliveries = []
    for seq, batch in enumerate(batches):
        numbers, time, value = zip(*batch, strict=True)
        deliveries.append(delivery(seq, columns(value, tags=numbers, time=T0 + np.array(time) * 300_000)))
    stored: dict[tuple[Any, int], float] = {}
    begin = 0
    for end in [*restarts, len(batches)]:
        for point in told(tags, *deliveries[min(begin, end) : end + 1], most=most):
            stored[point.tags, point.time] = fields(point)["value"]
        begin = (begin + end) // 2  # what was acknowledged since the cursor was saved comes again
    for point in told(tags, *deliveries):
        stored[point.tags, point.time] = fields(point)["value"]
    wanted = sorted((tags[n].name, (T0 + t * 300_000) // MS, v) for batch in batches for n, t, v in batch)
    assert sorted((dict(key)["tag"], time // MS, v) for (key, time), v in stored.items()) == wanted


@pytest.mark.parametrize(
    "line",
    [
        "m value=NaN 1",
        "m value=null 1",
        "m value=1.0",
        "m,a= value=1 1",
        "m value=1,value=2 1",
        'm text="a 1',
    ],
)
def test_the_parser_used_here_refuses_what_is_no_line(line: str) -> None:
    with pytest.raises(BadLine):
        parse_line(line)
