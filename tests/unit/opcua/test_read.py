"""Reading values by a request encoded once."""

from contextlib import suppress
from struct import pack

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.opcua.read import PreparedRead, decode_read
from connectors.opcua.rows import Fault, Malformed
from tests.unit.opcua import messages as m
from tests.unit.opcua.rows import asyncua_row, expected_times, rows_of

NODES = [ua.NodeId("Press1.Temp", 3), ua.NodeId(1005, 2), ua.NodeId(7), ua.NodeId(b"\0\xff", 4)]


def test_the_prepared_request_is_the_one_asyncua_would_encode():
    prepared = PreparedRead(NODES)
    request = prepared.request()
    request.RequestHeader.RequestHandle = 77
    request.RequestHeader.AuthenticationToken = ua.NodeId(b"token", 1)
    usual = ua.ReadRequest(RequestHeader=request.RequestHeader)
    usual.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
    usual.Parameters.NodesToRead = [ua.ReadValueId(node, ua.AttributeIds.Value) for node in NODES]
    assert struct_to_binary(request) == struct_to_binary(usual)
    assert prepared.count == len(NODES)


def test_each_request_has_a_header_of_its_own():
    prepared = PreparedRead(NODES)
    first, second = prepared.request(), prepared.request()
    assert first.RequestHeader is not second.RequestHeader
    assert first.RequestHeader.Timestamp <= second.RequestHeader.Timestamp


@settings(max_examples=80, deadline=None)
@given(m.item_lists(picoseconds=False))
def test_every_value_is_the_one_asyncua_decodes(items):
    body = m.read(items)
    rows = rows_of(decode_read(body))
    wanted = struct_from_binary(ua.ReadResponse, Buffer(body)).Results
    assert [row.comparable() for row in rows] == [asyncua_row(value) for value in wanted]
    assert all(row.handle == 0 for row in rows)


@settings(max_examples=80, deadline=None)
@given(m.item_lists(), m.diagnostics())
def test_times_and_picoseconds_are_those_of_the_specification(items, diagnostics):
    rows = rows_of(decode_read(m.read(items, m.header(634, diagnostics=diagnostics), m.array([diagnostics]))))
    assert [(row.source_time, row.server_time) for row in rows] == [expected_times(item) for item in items]


def test_a_fault_tells_its_status():
    with pytest.raises(Fault) as raised:
        decode_read(m.header(397, 0x80100000))
    assert raised.value.status == 0x80100000


def test_an_empty_answer_has_no_rows():
    assert len(decode_read(m.read([]))) == 0


def test_more_results_than_bytes_are_malformed():
    with pytest.raises(Malformed):
        decode_read(m.header(634) + pack("<i", 2**31 - 1) + m.NULL)


@settings(max_examples=20, deadline=None)
@given(m.item_lists())
def test_a_message_cut_anywhere_is_malformed(items):
    body = m.read(items[:20])
    for end in range(len(body)):
        with pytest.raises(Malformed):
            decode_read(body[:end])


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_malformed(octets):
    for body in (octets, m.header(634) + octets):
        with suppress(Malformed, Fault):
            decode_read(body)
