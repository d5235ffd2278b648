"""From the body of a PublishResponse to columns (OPC 10000-4, 5.14.5; OPC 10000-6, 5.2).

Data changes become runs of rows; a status change is told; events and kinds of notification we do not know are
stepped over by their length and counted. Nothing here speaks or waits.
"""

from dataclasses import dataclass, field
from struct import Struct, error
from typing import Final

from connectors.opcua import skip
from connectors.opcua.gather import gather, others
from connectors.opcua.records import Records
from connectors.opcua.response import StrangeId, numeric_id, opened
from connectors.opcua.rows import Malformed, Other, Run
from connectors.opcua.times import time_ns

PUBLISH_RESPONSE: Final = 829
"""Ids of binary encodings in namespace 0 (OPC 10000-6, annex A)."""
_DATA_CHANGE: Final = 811
_STATUS_CHANGE: Final = 820
_EVENTS: Final = 916

_HANDLE: Final = 4
_BYTE_STRING: Final = 1
_UINT32: Final = Struct("<I")
_MESSAGE: Final = Struct("<Iq")
"""Sequence number and publish time."""


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """What one PublishResponse says."""

    subscription_id: int
    available: tuple[int, ...]
    """Sequence numbers the server keeps for Republish."""
    more: bool
    """Whether the server has more to send at once."""
    sequence_number: int
    """Of this message; of the next one if it is a keep-alive."""
    publish_time: int
    """ns UTC, 0 = absent."""
    runs: tuple[Run, ...]
    """At most three: numbers, integers, texts."""
    others: tuple[Other, ...]
    """Values that fit no column, by place."""
    status_change: int | None
    """StatusCode of a StatusChangeNotification: the subscription has ended, or moved."""
    events: int
    """EventNotificationLists stepped over."""
    unknown: int
    """Notifications of other types stepped over."""
    results: tuple[int, ...]
    """StatusCodes of the acknowledgements in the request."""
    keep_alive: bool
    """Whether the message held no notification at all."""

    def __len__(self) -> int:
        """Return the number of values."""
        return sum(len(run) for run in self.runs) + len(self.others)


@dataclass(slots=True)
class _Notifications:
    records: Records = field(default_factory=lambda: Records(_HANDLE))
    status_change: int | None = None
    events: int = 0
    unknown: int = 0


def decode_publish(body: bytes | memoryview) -> Published:
    """Decode what asyncua's `_send_request` returns for a PublishRequest: a message from its type id on.

    Raises `Fault` when the server answered with a bad service result and `Malformed` when the bytes are not a
    PublishResponse or end too soon. Bytes behind the message are not looked at.
    """
    body = bytes(body)
    try:
        return _decode(body, opened(body, PUBLISH_RESPONSE))
    except (IndexError, error) as reason:
        raise Malformed(f"the message ends inside a value: {reason}") from reason


def _decode(body: bytes, at: int) -> Published:
    (subscription_id,) = _UINT32.unpack_from(body, at)
    available, at = _uint32s(body, at + 4)
    more = body[at] != 0
    sequence_number, publish_time = _MESSAGE.unpack_from(body, at + 1)
    at += 1 + _MESSAGE.size
    found = _Notifications()
    count = skip.length(body, at, 3)
    at += 4
    for _ in range(count):
        at = _notification(body, at, found)
    results, at = _uint32s(body, at)
    skip.array(body, at, skip.diagnostic_info)
    return Published(
        subscription_id=subscription_id,
        available=available,
        more=more,
        sequence_number=sequence_number,
        publish_time=time_ns(publish_time),
        runs=gather(body, found.records),
        others=others(body, found.records),
        status_change=found.status_change,
        events=found.events,
        unknown=found.unknown,
        results=results,
        keep_alive=not count,
    )


def _notification(body: bytes, at: int, found: _Notifications) -> int:
    """Take in one ExtensionObject of the message; return where it ends."""
    end = skip.extension_object(body, at)
    try:
        identifier, at = numeric_id(body, at)
    except StrangeId:
        identifier, at = -1, skip.node_id(body, at)
    if body[at] != _BYTE_STRING or identifier not in _READ:
        found.events += identifier == _EVENTS
        found.unknown += identifier != _EVENTS
        return end
    begin = at + 1 + 4
    if begin > end:
        raise Malformed("a notification without a body")
    if _READ[identifier](body, begin, end, found) > end:
        raise Malformed("a notification longer than it says")
    return end


def _data_change(body: bytes, at: int, end: int, found: _Notifications) -> int:
    count = skip.length(body, at, 1)
    at = found.records.walk(body, at + 4, count, end)
    return skip.array(body, at, skip.diagnostic_info)


def _status_change(body: bytes, at: int, end: int, found: _Notifications) -> int:  # noqa: ARG001  as its sibling
    (found.status_change,) = _UINT32.unpack_from(body, at)
    return skip.diagnostic_info(body, at + 4)


_READ: Final = {_DATA_CHANGE: _data_change, _STATUS_CHANGE: _status_change}


def _uint32s(body: bytes, at: int) -> tuple[tuple[int, ...], int]:
    count = skip.length(body, at, 4)
    return Struct(f"<{count}I").unpack_from(body, at + 4), at + 4 + 4 * count
