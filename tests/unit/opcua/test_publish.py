"""Decoding a PublishResponse, held against asyncua's own decode and against the specification."""

from contextlib import suppress
from struct import pack

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.opcua.publish import decode_publish
from connectors.opcua.rows import Fault, Malformed
from tests.unit.opcua import messages as m
from tests.unit.opcua.rows import asyncua_row, expected_times, rows_of

TICKS = 133_500_000_000_000_000
NS = (TICKS - 116_444_736_000_000_000) * 100


def items_by_asyncua(body: bytes) -> list[tuple[int, ua.DataValue]]:
    response = struct_from_binary(ua.PublishResponse, Buffer(body))
    return [
        (item.ClientHandle, item.Value)
        for data in response.Parameters.NotificationMessage.NotificationData
        if isinstance(data, ua.DataChangeNotification)
        for item in data.MonitoredItems
    ]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(m.item_lists(picoseconds=False), max_size=2), st.lists(m.diagnostics(inner=False), max_size=2)
)
def test_every_value_is_the_one_asyncua_decodes(parts, diagnostics):
    items = [item for part in parts for item in part]
    shape = m.array(diagnostics)
    body = m.publish([m.data_change(part, shape) for part in parts], diagnostics=shape)
    rows = rows_of(decode_publish(body))
    wanted = items_by_asyncua(body)
    assert len(rows) == len(wanted) == len(items)
    for row, (handle, value) in zip(rows, wanted, strict=True):
        assert row.handle == handle
        assert row.comparable() == asyncua_row(value)


@settings(max_examples=80, deadline=None)
@given(m.item_lists())
def test_status_times_and_picoseconds_are_those_of_the_specification(items):
    rows = rows_of(decode_publish(m.publish([m.data_change(items)])))
    assert [(row.handle, row.source_time, row.server_time) for row in rows] == [
        (item.handle, *expected_times(item)) for item in items
    ]
    assert all(row.status in {item.status or 0, 0x40000000} for row, item in zip(rows, items, strict=True))
    assert all(row.status == (item.status or 0) for row, item in zip(rows, items, strict=True) if item.status)


def test_picoseconds_stand_behind_their_own_timestamp_where_asyncua_puts_them_last():
    item = m.Item(1, m.scalar(6, 5), source=TICKS, source_pico=1234, server=TICKS + 10, server_pico=99)
    (row,) = rows_of(decode_publish(m.publish([m.data_change([item])])))
    assert (row.source_time, row.server_time) == (NS + 12, NS + 1000)


@given(st.lists(st.floats(width=64) | st.integers(0, 2**64 - 1).map(lambda bits: pack("<Q", bits))))
def test_doubles_are_bit_exact_not_a_number_included(values):
    raw = [value if isinstance(value, bytes) else pack("<d", value) for value in values]
    published = decode_publish(m.publish([m.data_change([m.Item(1, b"\x0b" + octets) for octets in raw])]))
    assert b"".join(run.value.tobytes() for run in published.runs) == b"".join(raw)


def test_a_signalling_float_stays_not_a_number_and_warns_nobody():
    (run,) = decode_publish(m.publish([m.data_change([m.Item(1, b"\x0a" + pack("<I", 0x7FA00001))])])).runs
    assert np.isnan(run.value[0])


def test_uint64_keeps_its_bit_pattern_beside_int64():
    body = m.publish([m.data_change([m.Item(1, m.scalar(9, 2**64 - 2)), m.Item(2, m.scalar(8, -3))])])
    (run,) = decode_publish(body).runs
    assert run.value.dtype == np.int64
    assert run.value.tolist() == [-2, -3]
    assert run.builtin.tolist() == [9, 8]


def test_what_fits_no_column_is_put_aside_with_its_status_and_times():
    array = b"\x8b" + m.array([pack("<d", 1.0)])
    odd = [array, b"\x0e" + bytes(16), b"\x0f" + m.string(b"ab"), b"\x18\x06abcd"]
    published = decode_publish(m.publish([m.data_change([m.Item(3, v, 1 << 30, TICKS, 0) for v in odd])]))
    others = published.others
    assert published.runs == ()
    assert [(o.builtin, o.array) for o in others] == [(11, True), (14, False), (15, False), (24, False)]
    assert {(o.handle, o.status, o.source_time, o.server_time) for o in others} == {(3, 1 << 30, NS, 0)}
    assert others[0].variant().Value == [1.0]


def test_a_row_with_a_status_and_no_value_is_kept():
    items = [m.Item(4, None, status=0x80310000, source=TICKS), m.Item(5, b"\0"), m.Item(6, m.scalar(11, 1.5))]
    (run,) = decode_publish(m.publish([m.data_change(items)])).runs
    assert run.builtin.tolist() == [0, 0, 11]
    assert run.status.tolist() == [0x80310000, 0, 0]
    assert run.value.tolist() == [0.0, 0.0, 1.5]
    assert run.source_time.tolist() == [NS, 0, 0]


def test_text_that_is_not_utf_8_is_read_as_far_as_it_goes_and_uncertain():
    items = [m.Item(1, b"\x0c" + m.string(b"a\xff")), m.Item(2, b"\x0c" + m.string("温度".encode()))]
    (run,) = decode_publish(m.publish([m.data_change(items)])).runs
    assert run.value.tolist() == ["a\ufffd", "温度"]
    assert run.status.tolist() == [0x40000000, 0]


def test_a_replacement_character_the_server_sent_itself_is_good():
    items = [m.Item(1, b"\x0c" + m.string(b"\xff")), m.Item(2, b"\x0c" + m.string("\ufffd".encode()))]
    (run,) = decode_publish(m.publish([m.data_change(items)])).runs
    assert run.status.tolist() == [0x40000000, 0]


def test_times_beyond_int64_nanoseconds_end_at_its_borders():
    items = [m.Item(1, m.scalar(3, 1), source=ticks) for ticks in (2**63 - 1, 1, 0, -5)]
    (run,) = decode_publish(m.publish([m.data_change(items)])).runs
    last = (2**63 - 1) // 100 * 100
    assert run.source_time.tolist() == [last, -last, 0, 0]


def test_rows_of_several_notifications_are_numbered_in_the_order_sent():
    parts = [
        m.data_change([m.Item(1, m.scalar(11, 1.0)), m.Item(2, b"\x8b" + m.array([]))]),
        m.notification(916, b"\x01\0\0\0whatever"),
        m.data_change([m.Item(3, b"\x0c" + m.string(b"x")), m.Item(1, m.scalar(11, 2.0))]),
    ]
    published = decode_publish(m.publish(parts))
    assert [(row.place, row.handle) for row in rows_of(published)] == [(0, 1), (1, 2), (2, 3), (3, 1)]
    assert published.events == 1
    assert len(published) == 4


def test_a_keep_alive_has_no_rows():
    for notifications in (None, []):
        published = decode_publish(m.publish(notifications, time=TICKS))
        assert published.keep_alive
        assert (published.subscription_id, published.available, published.more) == (7, (8, 9), True)
        assert (published.sequence_number, published.publish_time) == (9, NS)
        assert published.results == (0,)
        assert (published.runs, published.others, published.status_change) == ((), (), None)


def test_a_status_change_is_told():
    published = decode_publish(m.publish([m.notification(820, pack("<I", 0x800A0000) + b"\0")]))
    assert published.status_change == 0x800A0000
    assert not published.keep_alive


def test_a_notification_of_an_unknown_type_is_stepped_over_and_counted():
    strange = [
        m.notification(4711, b"12345"),
        pack("<BHI", 2, 3, 811) + b"\x01" + m.string(b"1"),
        m.NO_EXTENSION,
    ]
    published = decode_publish(m.publish([*strange, m.data_change([m.Item(9, m.scalar(3, 7))])]))
    assert (published.unknown, published.runs[0].handle.tolist()) == (3, [9])


@given(m.diagnostics(), st.lists(m.contents, max_size=2))
def test_diagnostics_and_string_tables_are_stepped_over(diagnostics, strings):
    head = m.header(829, diagnostics=diagnostics, strings=m.array([m.string(text) for text in strings]))
    several = m.array([diagnostics] * 2)
    body = m.publish([m.data_change([m.Item(1, m.scalar(11, 3.0))], several)], head, several)
    assert decode_publish(body).runs[0].value.tolist() == [3.0]


def test_a_fault_tells_its_status():
    for body in (m.header(397, 0x80260000), m.header(829, 0x80260000)):
        with pytest.raises(Fault) as raised:
            decode_publish(body)
        assert raised.value.status == 0x80260000


def test_an_answer_to_another_request_is_malformed():
    with pytest.raises(Malformed):
        decode_publish(m.header(634) + m.NULL * 2)


@settings(max_examples=30, deadline=None)
@given(m.item_lists())
def test_a_message_cut_anywhere_is_malformed(items):
    body = m.publish([m.data_change(items[:20])])
    for end in range(len(body)):
        with pytest.raises(Malformed):
            decode_publish(body[:end])


@settings(max_examples=150, deadline=None)
@given(
    m.item_lists(), st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=4)
)
def test_a_damaged_message_is_decoded_or_malformed_and_nothing_else(items, damages):
    body = bytearray(m.publish([m.data_change(items)]))
    for at, octet in damages:
        body[at % len(body)] = octet
    with suppress(Malformed, Fault):
        decode_publish(bytes(body))


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_garbage_is_malformed(octets):
    for body in (octets, m.header(829) + octets, m.publish(None)[:33] + octets):
        with suppress(Malformed, Fault):
            decode_publish(body)


def test_no_length_is_believed_before_the_bytes_are_there():
    many = pack("<i", 2**31 - 1)
    for variant in (
        b"\x0c" + pack("<i", 64 << 20),
        b"\x0c" + pack("<i", -2),
        *(bytes((kind,)) + many for kind in (0x0C, 0x80, 0x8B, 0x8C, 0x98)),
        b"\xc6" + m.array([]) + many,
        b"\xc6" + m.array([b"\0\0\0\0"] * 4) + m.array([pack("<i", 1000), pack("<i", 1000)]),
        b"\x98" + m.array([b"\x80" + many]),
        b"\x18" * 500 + m.scalar(11, 1.0),
        b"\x16\0\0\x01" + many,
    ):
        with pytest.raises(Malformed):
            decode_publish(m.publish([m.data_change([m.Item(1, variant)])]))
    for body in (
        m.publish([m.notification(811, many + m.NULL)]),
        m.publish([m.notification(811, m.NULL + many)]),
        m.publish(None)[:-4] + many,
        m.publish([])[:-12] + many,
        m.header(829, strings=many),
    ):
        with pytest.raises(Malformed):
            decode_publish(body)


def test_values_that_reach_beyond_their_notification_are_malformed():
    inside = m.array([pack("<I", 1) + m.Item(1, m.scalar(11, 1.0)).data_value()]) + m.NULL
    for short in range(1, len(inside)):
        with pytest.raises(Malformed):
            decode_publish(m.publish([b"\x01\0\x2b\x03\x01" + pack("<i", len(inside) - short) + inside]))


def test_a_memoryview_and_what_asyncua_returns_are_taken_alike():
    body = m.publish([m.data_change([m.Item(1, m.scalar(11, 3.0))])])
    for given_body in (memoryview(body), Buffer(body)):
        assert decode_publish(given_body).runs[0].value.tolist() == [3.0]
