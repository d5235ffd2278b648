"""Bytes of columns are what protobuf makes of them."""

import math
import os
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import DTYPE_OF_PART, PART_OF_KIND, Columns, Kind, Tag, TagTable
from connectors.sparkplug.edge.encode import Metrics, at_once, encode
from connectors.sparkplug.edge.layout import FIRST_ALIAS, Layouts
from connectors.sparkplug.edge.messages import cut
from connectors.sparkplug.edge.wire import even, lengths, varint, varints
from connectors.sparkplug.schema import Payload

EXAMPLES = round(150 * float(os.environ.get("WL_SCALE", "0.1")))
KINDS = list(Kind)
DATATYPES = {
    Kind.BOOL: "boolean_value",
    Kind.INT32: "long_value",
    Kind.FLOAT64: "double_value",
    Kind.INT64: "long_value",
    Kind.UINT64: "long_value",
    Kind.TEXT: "string_value",
}
QUALITIES = [0, 0, 0, 0x00AD0000, 0x40000000, 0x40940001, 0x80000000, 0x80310000, 0xFFFFFFFF]
TIMES = st.one_of(
    st.integers(1_700_000_000_000_000_000, 1_900_000_000_000_000_000), st.integers(-(2**63), 2**63 - 1)
)


def values(kind: Kind) -> st.SearchStrategy[Any]:
    match kind:
        case Kind.BOOL:
            return st.sampled_from([0.0, 1.0])
        case Kind.INT32:
            return st.integers(-(2**31), 2**32 - 1).map(float)
        case Kind.FLOAT64:
            return st.floats()
        case Kind.INT64 | Kind.UINT64:
            return st.integers(-(2**63), 2**63 - 1)
    return st.text(max_size=300)


@st.composite
def batches(draw: st.DrawFn) -> tuple[TagTable, tuple[Columns, ...], list[bool] | bool]:
    table = TagTable()
    first = draw(st.sampled_from([0, 16_250]))
    table.announce([Tag(f"s/a/l/before/t{i}", Kind.FLOAT64, "C62", "src") for i in range(first)])
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=12))
    devices = draw(st.lists(st.sampled_from("de"), min_size=len(kinds), max_size=len(kinds)))
    numbers = table.announce(
        [
            Tag(f"s/a/l/{d}/t{i}", kind, "C62", "src")
            for i, (d, kind) in enumerate(zip(devices, kinds, strict=True))
        ]
    ).tolist()
    parts = []
    for part, dtype in DTYPE_OF_PART.items():
        mine = [(n, kind) for n, kind in zip(numbers, kinds, strict=True) if PART_OF_KIND[kind] == part]
        if not mine:
            continue
        rows = draw(st.lists(st.sampled_from(mine), min_size=1, max_size=20))
        n = len(rows)
        is_plain = draw(st.booleans())
        time = [1_790_000_000_123_000_000] * n if is_plain else draw(st.lists(TIMES, min_size=n, max_size=n))
        quality = [0] * n if is_plain else draw(st.lists(st.sampled_from(QUALITIES), min_size=n, max_size=n))
        value = np.empty(n, dtype)
        value[:] = [draw(values(kind)) for _, kind in rows]
        parts.append(
            Columns(
                np.array([number for number, _ in rows], np.int32),
                np.array(time, np.int64),
                value,
                np.array(quality, np.uint32),
            )
        )
    total = sum(len(part) for part in parts)
    past = draw(st.one_of(st.booleans(), st.lists(st.booleans(), min_size=total, max_size=total)))
    return table, tuple(parts), past


def _by_content(metrics: Metrics) -> list[bytes]:
    """Return each metric as protobuf writes it: NaN is not equal to itself."""
    return [each.SerializeToString() for each in Payload.FromString(metrics.data).metrics]


def expected(kind: Kind, value: Any) -> Any:
    match kind:
        case Kind.BOOL:
            return bool(value)
        case Kind.FLOAT64:
            return value
        case Kind.TEXT:
            return value
    return int(value) & 0xFFFF_FFFF_FFFF_FFFF


def same(a: Any, b: Any) -> bool:
    return a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


@settings(max_examples=EXAMPLES)
@given(batches())
def test_protobuf_parses_the_bytes_of_any_columns_to_their_content(
    made: tuple[TagTable, tuple[Columns, ...], list[bool] | bool],
) -> None:
    table, parts, past = made
    flat = [
        (int(p.tag[i]), int(p.time[i]), p.value[i], int(p.quality[i])) for p in parts for i in range(len(p))
    ]
    shares = Layouts(table).shares(parts)
    assert sorted(row for share in shares for row in share.row.tolist()) == list(range(len(flat)))
    for share in shares:
        at = 0
        for group, columns in zip(share.groups, share.columns(parts), strict=True):
            rows = share.row[at : at + len(group)].tolist()
            at += len(group)
            old = past if isinstance(past, bool) else np.array(past)[rows]
            made_of = encode(group, columns, historical=old)
            if table[int(columns.tag[0])].kind is not Kind.TEXT:
                by_columns = at_once(group, columns, historical=old)
                assert by_columns.sizes().tolist() == made_of.sizes().tolist()
                assert _by_content(by_columns) == _by_content(made_of)
            assert made_of.sizes().sum() == len(made_of.data)
            said = Payload.FromString(made_of.data).metrics
            assert len(said) == len(rows)
            for i, (metric, row) in enumerate(zip(said, rows, strict=True)):
                tag, time, value, quality = flat[row]
                kind = table[tag].kind
                assert metric.alias == tag + FIRST_ALIAS
                assert metric.timestamp == max(time // 1_000_000, 0)
                assert not metric.HasField("name")
                assert not metric.HasField("datatype")
                assert metric.is_historical == (past if isinstance(past, bool) else past[row])
                assert metric.is_null == (quality >= 0x80000000)
                told = dict(zip(metric.properties.keys, metric.properties.values, strict=True))
                if quality < 0x40000000:
                    assert not told
                else:
                    assert told["Quality"].type == 3
                    assert told["Quality"].int_value == (0 if quality >= 0x80000000 else 500)
                    assert told["StatusCode"].type == 7
                    assert told["StatusCode"].int_value == quality
                if quality >= 0x80000000:
                    assert metric.WhichOneof("value") is None
                else:
                    field = metric.WhichOneof("value")
                    assert field == DATATYPES[kind]
                    assert same(getattr(metric, field), expected(kind, value))
                again = metric.SerializeToString()
                size = int(made_of.sizes()[i])
                assert size == len(again) + 1 + len(varint(len(again)))


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1))
def test_a_column_of_numbers_has_the_bytes_of_each(numbers: list[int]) -> None:
    column = np.array(numbers, np.uint64)
    septets, mask = varints(column)
    assert septets[mask].tobytes() == b"".join(map(varint, numbers))
    assert lengths(column).tolist() == [len(varint(number)) for number in numbers]


@pytest.mark.parametrize("number", [0, 127, 128, 16_383, 16_384, 2**41, 2**64 - 1])
def test_numbers_of_one_length_need_no_mask(number: int) -> None:
    length = len(varint(number))
    assert even(np.array([number, number], np.uint64), length).tobytes() == 2 * varint(number)


@settings(max_examples=EXAMPLES)
@given(batches(), st.integers(30, 400))
def test_messages_are_cut_between_metrics_and_none_is_too_large(
    made: tuple[TagTable, tuple[Columns, ...], list[bool] | bool], limit: int
) -> None:
    table, parts, _ = made
    for share in Layouts(table).shares(parts):
        encoded = [
            encode(g, c, historical=False) for g, c in zip(share.groups, share.columns(parts), strict=True)
        ]
        pieces = list(cut(encoded, share.row, limit))
        assert np.concatenate([rows for _, rows in pieces]).tolist() == share.row.tolist()
        for data, rows in pieces:
            if data:
                assert len(data) + 11 <= limit
                assert len(Payload.FromString(data).metrics) == len(rows)
            else:
                assert len(rows) == 1
        whole = b"".join(each.data for each in encoded)
        if all(data for data, _ in pieces):
            assert b"".join(data for data, _ in pieces) == whole
