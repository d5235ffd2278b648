"""Answers of a history, as asyncua encodes them, come out in columns; what is cut short is no answer."""

from datetime import UTC, datetime, timedelta

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from connectors.opcua.history import decode_history, raw_request
from connectors.opcua.rows import Fault, Malformed

BEGAN = datetime(2026, 11, 29, tzinfo=UTC)
BEGAN_NS = int(BEGAN.timestamp()) * 1_000_000_000


def answer(*nodes: list[float], point: bytes | None = None) -> bytes:
    response = ua.HistoryReadResponse()
    for values in nodes:
        data = ua.HistoryData()
        data.DataValues = [
            ua.DataValue(
                ua.Variant(value, ua.VariantType.Double),
                SourceTimestamp=(BEGAN + timedelta(seconds=i)).replace(tzinfo=None),
            )
            for i, value in enumerate(values)
        ]
        response.Results.append(
            ua.HistoryReadResult(StatusCode=ua.StatusCode(), ContinuationPoint=point, HistoryData=data)
        )
    return struct_to_binary(response)


def test_the_values_of_each_node_come_in_their_order_with_their_times() -> None:
    first, second = decode_history(answer([1.5, 2.5, 3.5], [], point=b"more"))
    (run,) = first.runs
    assert run.value.tolist() == [1.5, 2.5, 3.5]
    assert run.source_time.tolist() == [BEGAN_NS + i * 1_000_000_000 for i in range(3)]
    assert run.place.tolist() == [0, 1, 2]
    assert (first.count, first.point, second.count, second.runs) == (3, b"more", 0, ())


def test_a_node_without_a_history_is_told_by_its_status() -> None:
    response = ua.HistoryReadResponse()
    refused = ua.StatusCode(ua.UInt32(ua.StatusCodes.BadHistoryOperationUnsupported))
    response.Results.append(ua.HistoryReadResult(StatusCode=refused))
    (raw,) = decode_history(struct_to_binary(response))
    assert (raw.status, raw.count) == (ua.StatusCodes.BadHistoryOperationUnsupported, 0)


def test_a_fault_says_why() -> None:
    fault = ua.ServiceFault()
    fault.ResponseHeader.ServiceResult = ua.StatusCode(ua.UInt32(ua.StatusCodes.BadTooManyOperations))
    with pytest.raises(Fault) as caught:
        decode_history(struct_to_binary(fault))
    assert caught.value.status == ua.StatusCodes.BadTooManyOperations


def test_an_answer_cut_at_any_byte_is_malformed() -> None:
    whole = answer([1.5, 2.5])
    for end in range(len(whole) - 4):  # the last four are an absent array
        with pytest.raises(Malformed):
            decode_history(whole[:end])


def test_the_times_asked_for_hold_what_lies_between_two_microseconds() -> None:
    request = raw_request([ua.NodeId(1)], [None], BEGAN_NS + 1_999, BEGAN_NS + 2_001, 10, has_bounds=True)
    details = request.Parameters.HistoryReadDetails
    assert details.StartTime == BEGAN + timedelta(microseconds=1)
    assert details.EndTime == BEGAN + timedelta(microseconds=3)
