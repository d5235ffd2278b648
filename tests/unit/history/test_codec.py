import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gateway.history.codec import Undecodable, decode, encode
from gateway.history.forms import FLOAT32, FLOAT64, to_integers
from gateway.history.frames import framed

INT64 = st.integers(-(2**63), 2**63 - 1)
SERIES = st.one_of(
    st.lists(st.floats(width=64), min_size=1, max_size=40),
    st.lists(st.floats(width=32), min_size=1, max_size=40),
    st.lists(st.integers(-(10**6), 10**6).map(lambda n: n / 100), min_size=1, max_size=40),
    st.lists(st.integers(-(10**6), 10**6).map(lambda n: n * 0.001), min_size=1, max_size=40),
    st.lists(
        st.sampled_from([0.0, -0.0, float("nan"), float("inf"), 1e300, 2.0**53]), min_size=1, max_size=9
    ),
)
TEXT = st.text(st.characters(), max_size=6)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    if a.dtype == object:
        return a.tolist() == b.tolist()
    return a.dtype == b.dtype and a.view(np.int64).tolist() == b.view(np.int64).tolist()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_goes_in_comes_out_bit_for_bit(data: st.DataObject) -> None:
    series = data.draw(st.dictionaries(st.integers(0, 40), SERIES, min_size=1, max_size=6))
    numbers = sorted(series)
    tag = np.repeat(np.array(numbers, np.int32), [len(series[n]) for n in numbers])
    n = len(tag)
    floats = np.array([value for number in numbers for value in series[number]], np.float64)
    integers = data.draw(hnp.arrays(np.int64, n, elements=INT64))
    steady = data.draw(INT64) // 2 + np.arange(n) * data.draw(st.sampled_from([1, 10**6, 10**9]))
    texts = np.empty(n, object)
    texts[:] = data.draw(st.lists(TEXT, min_size=n, max_size=n))
    columns = [steady, floats, integers, texts]
    with np.errstate(all="ignore"):
        frames = encode(tag, columns, level=1)
    assert [b for _, _, b, _ in frames][-1] == n
    for shelf, a, b, packed in frames:
        found, back = decode(packed)
        assert found.tolist() == tag[a:b].tolist()
        assert {number >> 3 for number in found.tolist()} == {shelf}
        assert all(same(got, each[a:b]) for got, each in zip(back, columns, strict=True))
        for only in numbers:
            mine = found == only
            one, part = decode(packed, only)
            assert one.tolist() == found[mine].tolist()
            assert all(same(got, each[mine]) for got, each in zip(part, back, strict=True))


@pytest.mark.parametrize(
    ("values", "form"),
    [
        ([1.0, 2.0, -3.0], 1),
        ([0.1, 0.2, 0.3, 1.7], 2),
        ([230.12, 229.98], 3),
        ([3 * 0.1, 7 * 0.1], 17),
        ([float(np.float32(0.1)), float(np.float32(1 / 3))], FLOAT32),
        ([1 / 3, 0.1], FLOAT64),
        ([1.5, -0.0], FLOAT32),
        ([2.0**60, 1.0], FLOAT32),
        ([float("nan")], FLOAT32),
        ([1e-9, 5e-324], FLOAT64),
    ],
)
def test_a_column_takes_the_shortest_form_that_is_exact(values: list[float], form: int) -> None:
    _, found = to_integers(np.array(values), np.array([0]))
    assert found.tolist() == [form]


def test_a_steady_meter_in_hundredths_takes_less_than_two_bytes_a_row() -> None:
    n = 4_000
    rng = np.random.default_rng(1)
    value = np.round(230 + np.sin(np.arange(n) / 300) + rng.normal(0, 0.1, n), 2)
    time = 1_790_000_000_000_000_000 + np.arange(n) * 1_000_000_000
    ((_, _, _, packed),) = encode(np.zeros(n, np.int32), [time, value, np.zeros(n, np.int64)], level=6)
    assert len(packed) < 2 * n


def test_the_format_of_a_frame_does_not_change() -> None:
    packed = bytes.fromhex(GOLDEN)
    tag, (time, value, quality, text) = decode(packed)
    assert tag.tolist() == [8, 8, 8, 11, 11]
    assert time.tolist() == [1_790_000_000_000_000_000 + i * 10**9 for i in (0, 1, 2, 0, 7)]
    assert value.tolist() == [0.1, 0.25, -0.3, 1 / 3, float(np.float32(0.1))]
    assert quality.tolist() == [0, 0, 0x800A0000, 0, 0]
    assert text.tolist() == ["停", "run", "停", "", "run"]


GOLDEN = (
    "78da6364616260656060e000626e20660662262066606400036666268606eb8d5920368c0629606764074b2b82c847ff"
    "2100c85c3073e64e7b0d738650903882d80a2276c3096906061606a20017d862a0958c621872502782ddcc08a541e069"
    "e39ca2d23ca01023030007491660"
)


def test_damage_is_noticed() -> None:
    tag = np.array([1, 1, 2], np.int32)
    time = np.array([5, 9, 7], np.int64)
    (frame,) = framed(0, tag, [time, np.array([1.5, 2.5, 3.5])], time, time, level=6)
    assert frame.unpacked()[1][1].tolist() == [1.5, 2.5, 3.5]
    for place in range(len(frame.data)):
        hurt = bytearray(frame.data)
        hurt[place] ^= 4
        with pytest.raises(Undecodable):
            frame._replace(data=bytes(hurt)).unpacked()
    for field in ("shelf", "sort", "first", "last", "rows"):
        with pytest.raises(Undecodable):
            frame._replace(**{field: getattr(frame, field) ^ 1}).unpacked()
    for cut in (b"", frame.data[:-3]):
        with pytest.raises(Undecodable):
            decode(cut)
