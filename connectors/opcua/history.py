"""Raw values from a server's history (OPC 10000-11, 6.5.3): the request, and its answer as columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from struct import Struct, error
from typing import Final

from asyncua import ua

from connectors.opcua import skip
from connectors.opcua.gather import gather, others
from connectors.opcua.records import Records
from connectors.opcua.response import StrangeId, numeric_id, opened
from connectors.opcua.rows import Malformed, Other, Run

_HISTORY_READ_RESPONSE: Final = 667
_HISTORY_DATA: Final = 658
"""Ids of binary encodings in namespace 0 (OPC 10000-6, annex A)."""
_BYTE_STRING: Final = 1
_UINT32: Final = Struct("<I")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """What the history told of one node."""

    status: int
    point: bytes | None
    """Where to go on; None when this was all."""
    count: int
    """Values, in `runs` and `others` together."""
    runs: tuple[Run, ...]
    others: tuple[Other, ...]


def raw_request(
    nodes: Sequence[ua.NodeId],
    points: Sequence[bytes | None],
    start: int,
    end: int,
    most: int,
    *,
    has_bounds: bool,
) -> ua.HistoryReadRequest:
    """Ask for the nodes' values from `start` to `end`, ns, both included, at most so many of each.

    `points` are where to go on, None at the beginning; with bounds also the values around are asked for.
    """
    details = ua.ReadRawModifiedDetails()
    details.IsReadModified = False
    details.StartTime = _EPOCH + timedelta(microseconds=start // 1000)
    details.EndTime = _EPOCH + timedelta(microseconds=-(-end // 1000))
    details.NumValuesPerNode = ua.UInt32(most)
    details.ReturnBounds = has_bounds
    request = ua.HistoryReadRequest()
    wanted = request.Parameters
    wanted.HistoryReadDetails = details
    wanted.TimestampsToReturn = ua.TimestampsToReturn.Both
    wanted.ReleaseContinuationPoints = False
    wanted.NodesToRead = [
        ua.HistoryReadValueId(NodeId=node, ContinuationPoint=point)
        for node, point in zip(nodes, points, strict=True)
    ]
    return request


def decode_history(body: bytes | memoryview) -> tuple[Raw, ...]:
    """Decode what asyncua's `_send_request` returns for a HistoryReadRequest: a message from its type id on.

    Raises `Fault` when the server answered with a bad service result and `Malformed` when the bytes are not a
    HistoryReadResponse or end too soon.
    """
    body = bytes(body)
    try:
        at = opened(body, _HISTORY_READ_RESPONSE)
        count = skip.length(body, at, 4)
        at += 4
        found = []
        for _ in range(count):
            raw, at = _result(body, at)
            found.append(raw)
        skip.array(body, at, skip.diagnostic_info)
    except (IndexError, error) as reason:
        raise Malformed(f"the message ends inside a value: {reason}") from reason
    return tuple(found)


def _result(body: bytes, at: int) -> tuple[Raw, int]:
    (status,) = _UINT32.unpack_from(body, at)
    begin = at + 4
    at = skip.string(body, begin)
    point = body[begin + 4 : at] or None
    end = skip.extension_object(body, at)
    records = Records(0)
    count = 0
    try:
        identifier, at = numeric_id(body, at)
    except StrangeId as strange:
        raise Malformed(f"a history of type {strange}") from strange
    if identifier == _HISTORY_DATA and body[at] == _BYTE_STRING:
        at += 1 + 4
        count = skip.length(body, at, 1)
        if records.walk(body, at + 4, count, end) > end:
            raise Malformed("a history longer than it says")
    elif identifier:
        raise Malformed(f"a history of type i={identifier}")
    return Raw(status, point, count, gather(body, records), others(body, records)), end
