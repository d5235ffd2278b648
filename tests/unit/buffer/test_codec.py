"""decode(encode(x)) == x, bit for bit."""

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import Batch, Columns, Kind, Origin, Tag
from gateway.buffer import codec

INT64 = st.integers(-(2**63), 2**63 - 1)
TIMES = st.one_of(
    INT64.map(lambda t: [t]),
    st.lists(INT64, min_size=1, max_size=20),
    st.lists(
        st.integers(0, 10**4).map(lambda ms: 1_790_000_000_000_000_000 + ms * 10**6), min_size=1, max_size=20
    ),
)


FLOATS = st.one_of(
    st.floats(),
    st.floats(width=32),
    st.integers(0, 2**64 - 1).map(lambda i: np.array([i], np.uint64).view(np.float64)[0]),
    st.sampled_from([-0.0, 0.0, np.inf, -np.inf]),
)
VALUES = {
    "number": (FLOATS, np.float64),
    "integer": (st.one_of(INT64, st.integers(0, 300)), np.int64),
    "text": (st.text(st.characters(exclude_categories=())), object),
}


@st.composite
def columns(draw: st.DrawFn, part: str) -> Columns:
    time = draw(TIMES)
    n = len(time)
    strategy, dtype = VALUES[part]
    value = np.empty(n, dtype)
    for i, each in enumerate(draw(st.lists(strategy, min_size=n, max_size=n))):
        value[i] = each
    quality = draw(st.one_of(st.just([0] * n), st.lists(st.integers(0, 2**32 - 1), min_size=n, max_size=n)))
    tag = draw(st.lists(st.integers(0, 2**31 - 1), min_size=n, max_size=n))
    return Columns(np.array(tag, np.int32), np.array(time, np.int64), value, np.array(quality, np.uint32))


@st.composite
def any_batch(draw: st.DrawFn) -> Batch:
    chosen = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=3, unique=True))
    parts = tuple(draw(columns(part)) for part in VALUES if part in chosen)
    return Batch(parts, draw(INT64), draw(st.sampled_from(Origin)))


def assert_same(got: Batch, sent: Batch) -> None:
    assert (got.arrived, got.origin, len(got.parts)) == (sent.arrived, sent.origin, len(sent.parts))
    for a, b in zip(got.parts, sent.parts, strict=True):
        for name in ("tag", "time", "quality", "value"):
            x, y = getattr(a, name), getattr(b, name)
            assert x.dtype == y.dtype
            assert x.tolist() == y.tolist() if x.dtype == object else x.tobytes() == y.tobytes()


@given(any_batch())
@settings(max_examples=300)
def test_every_batch_comes_back_bit_for_bit(batch: Batch) -> None:
    tags = codec.tag_bytes(batch)
    assert_same(codec.decode(codec.encode(batch), np.frombuffer(tags, "<i4"), batch.arrived), batch)
    assert codec.unpack_tags(codec.pack_tags(tags), len(batch)).tobytes() == tags


@given(st.binary(max_size=200), st.integers(1, 30))
def test_bytes_that_are_no_batch_are_undecodable_and_nothing_worse(data: bytes, rows: int) -> None:
    with pytest.raises(codec.Undecodable):
        codec.decode(data, np.zeros(rows, np.int32), 0)


@given(any_batch(), st.data())
def test_a_cut_batch_is_undecodable(batch: Batch, data: st.DataObject) -> None:
    encoded = codec.encode(batch)
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    with pytest.raises(codec.Undecodable):
        codec.decode(cut, np.frombuffer(codec.tag_bytes(batch), "<i4"), 0)


def test_a_scan_of_float32_readings_takes_little_more_than_four_bytes_a_value() -> None:
    values = np.random.default_rng(1).normal(size=1000).astype(np.float32).astype(np.float64)
    column = Columns(np.arange(1000, dtype=np.int32), np.full(1000, 5), values, np.zeros(1000, np.uint32))
    assert len(codec.encode(Batch((column,), 0))) <= 4050


def test_a_strided_column_is_encoded_as_its_values() -> None:
    values = np.arange(20, dtype=np.float64)[::2]
    column = Columns(np.arange(20, dtype=np.int32)[::2], np.arange(20)[::2], values, np.zeros(10, np.uint32))
    batch = Batch((column,), 0)
    got = codec.decode(codec.encode(batch), np.frombuffer(codec.tag_bytes(batch), "<i4"), 0)
    assert got.parts[0].value.tolist() == values.tolist()
    assert got.parts[0].time.tolist() == column.time.tolist()


def test_a_tag_record_comes_back_and_unknown_fields_are_left_out() -> None:
    tag = Tag(
        "s/a/l/d/能耗", Kind.UINT64, "KWH", "meters", scale=0.1, high=5.0, counter=True, was="s/a/l/d/e"
    )
    again = codec.tag_from_json(codec.tag_to_json(tag)[:-1] + b',"later":1}')
    assert codec.tag_to_json(again) == codec.tag_to_json(tag)
    assert again.kind is Kind.UINT64


def test_the_bytes_of_version_one_never_change() -> None:
    column = Columns(
        np.array([7, 8], np.int32),
        np.array([10**18, 10**18 + 10**6]),
        np.array([1.5, -2.0]),
        np.array([0, 0x80310000], np.uint32),
    )
    assert zlib.crc32(codec.encode(Batch((column,), 3, Origin.BACKFILL))) == 754131874
