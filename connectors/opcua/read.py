"""Reads the values of a fixed list of nodes: a request encoded once, and its answer as columns.

Encoding a ReadRequest of many nodes (OPC 10000-4, 5.11.2) costs more than decoding its answer, and from one
call to the next only its header changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct, error
from typing import Final, Self

from asyncua import ua
from asyncua.ua.ua_binary import nodeid_to_binary

from connectors.opcua import skip
from connectors.opcua.gather import gather, others
from connectors.opcua.records import Records
from connectors.opcua.response import opened
from connectors.opcua.rows import Malformed, Other, Run

READ_RESPONSE: Final = 634
_READ_VALUE_ID: Final = Struct("<IiHi")
"""Attribute, index range, data encoding's namespace and name, behind the node's id."""
_VALUE: Final = 13
"""Id of the attribute Value."""
_NULL: Final = -1


class Counted(ua.ByteString):
    """Encoded elements whose length is their number: encoded as a ByteString they become their array."""

    elements: int

    @classmethod
    def of(cls, elements: Sequence[bytes]) -> Self:
        """Join encoded elements."""
        counted = cls(b"".join(elements))
        counted.elements = len(elements)
        return counted

    def __len__(self) -> int:
        return self.elements


@dataclass(frozen=True, slots=True)
class _Parameters:
    # Names, order and types are ReadParameters', but for the encoded array: asyncua encodes by them.
    MaxAge: ua.Double
    TimestampsToReturn: ua.TimestampsToReturn
    NodesToRead: ua.ByteString


@dataclass(slots=True)
class PreparedReadRequest:
    """What asyncua's `_send_request` takes for a ReadRequest: it fills in and encodes the header."""

    TypeId: ua.NodeId
    RequestHeader: ua.RequestHeader
    Parameters: _Parameters


class PreparedRead:
    """The values of these nodes, as fresh as the server has them, with both timestamps."""

    def __init__(self, nodes: Sequence[ua.NodeId], attribute: int = _VALUE) -> None:
        """Encode the list; raises what asyncua raises for a NodeId it can't encode."""
        suffix = _READ_VALUE_ID.pack(attribute, _NULL, 0, _NULL)
        encoded = Counted.of([nodeid_to_binary(node) + suffix for node in nodes])
        self._parameters = _Parameters(
            ua.Double(0.0),
            ua.TimestampsToReturn.Both,
            encoded,
        )
        self.count = len(encoded)

    def request(self) -> PreparedReadRequest:
        """Return a request to send once; its header carries the time of this call."""
        return PreparedReadRequest(ua.ReadRequest().TypeId, ua.RequestHeader(), self._parameters)


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """What one ReadResponse says; `place` is the node's index in the request."""

    runs: tuple[Run, ...]
    others: tuple[Other, ...]

    def __len__(self) -> int:
        """Return the number of values."""
        return sum(len(run) for run in self.runs) + len(self.others)


def decode_read(body: bytes | memoryview) -> Read:
    """Decode what asyncua's `_send_request` returns for a ReadRequest: a message from its type id on.

    Raises `Fault` when the server answered with a bad service result and `Malformed` when the bytes are not a
    ReadResponse or end too soon. Bytes behind the message are not looked at; whether the server answered for
    every node is the caller's to compare.
    """
    body = bytes(body)
    records = Records(0)
    try:
        at = opened(body, READ_RESPONSE)
        count = skip.length(body, at, 1)
        at = records.walk(body, at + 4, count, len(body))
        skip.array(body, at, skip.diagnostic_info)
    except (IndexError, error) as reason:
        raise Malformed(f"the message ends inside a value: {reason}") from reason
    return Read(gather(body, records), others(body, records))
