"""The bytes of Browse and BrowseNext (OPC 10000-4, 5.9.2, 5.9.3): requests for many nodes, and answers.

Only what finding needs is read of a reference, and a node stays bytes until it matches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct, error
from typing import Final, NamedTuple

from asyncua import ua

from connectors.opcua import skip
from connectors.opcua.read import Counted
from connectors.opcua.response import opened
from connectors.opcua.rows import Malformed
from connectors.opcua.skip import INT32

BROWSE_RESPONSE: Final = 530
BROWSE_NEXT_RESPONSE: Final = 536
_HIERARCHICAL: Final = b"\0\x21"
"""Reference type 33, HierarchicalReferences, as a NodeId of two bytes."""
_OBJECTS_AND_VARIABLES: Final = 3
_TYPE_CLASS_AND_NAME: Final = 13
_DESCRIPTION: Final = Struct("<i2s?II")
"""Direction, reference type, with subtypes, classes, fields of the answer; behind the node's id."""
_SUFFIX: Final = _DESCRIPTION.pack(0, _HIERARCHICAL, True, _OBJECTS_AND_VARIABLES, _TYPE_CLASS_AND_NAME)  # noqa: FBT003
_UINT32: Final = Struct("<I")
_UINT16: Final = Struct("<H")
_NOT_FOLLOWED: Final = frozenset({(0, 46), (1, 46), (0, 45), (1, 45)})
"""HasProperty and HasSubtype: what a variable is like, not what the plant has. By form and identifier."""


class Reference(NamedTuple):
    """One reference to a node."""

    node: bytes
    """Its NodeId, encoded."""
    namespace: int
    name: str
    is_variable: bool


class Browsed(NamedTuple):
    """What was answered for one node."""

    status: int
    continuation: bytes
    """Empty when there is nothing more."""
    references: list[Reference]


@dataclass(frozen=True, slots=True)
class _Parameters:
    # Names, order and types are BrowseParameters', but for the encoded array: asyncua encodes by them.
    View: ua.ViewDescription
    RequestedMaxReferencesPerNode: ua.UInt32
    NodesToBrowse: ua.ByteString


@dataclass(slots=True)
class BrowseOf:
    """A BrowseRequest of encoded nodes; asyncua fills in and encodes the header."""

    TypeId: ua.NodeId
    RequestHeader: ua.RequestHeader
    Parameters: _Parameters


def browse(nodes: Sequence[bytes], most: int) -> BrowseOf:
    """Return a request for the children of these nodes, so many of each; 0 is all."""
    encoded = Counted.of([node + _SUFFIX for node in nodes])
    parameters = _Parameters(ua.ViewDescription(), ua.UInt32(most), encoded)
    return BrowseOf(ua.BrowseRequest().TypeId, ua.RequestHeader(), parameters)


def browse_next(continuations: Sequence[bytes], *, release: bool = False) -> ua.BrowseNextRequest:
    """Return a request for what is behind these continuation points, or to forget them."""
    request = ua.BrowseNextRequest()
    request.Parameters.ReleaseContinuationPoints = release
    request.Parameters.ContinuationPoints = list(continuations)
    return request


def decode_browse(body: bytes, wanted: int) -> list[Browsed]:
    """Decode the answer to a Browse or a BrowseNext; raises Fault and Malformed."""
    try:
        at = opened(body, wanted)
        count = skip.length(body, at, 12)
        at += 4
        found = []
        for _ in range(count):
            each, at = _result(body, at)
            found.append(each)
    except (IndexError, error) as reason:
        raise Malformed(f"the message ends inside a reference: {reason}") from reason
    return found


def _result(body: bytes, at: int) -> tuple[Browsed, int]:
    (status,) = _UINT32.unpack_from(body, at)
    at += 4
    end = skip.string(body, at)
    continuation = body[at + 4 : end]
    count = skip.length(body, end, 18)
    at = end + 4
    references: list[Reference] = []
    for _ in range(count):
        at = _reference(body, at, references)
    return Browsed(status, continuation, references), at


def _reference(body: bytes, at: int, references: list[Reference]) -> int:
    """Take in one ReferenceDescription (OPC 10000-4, 7.30); return where it ends."""
    begin, at = at, skip.node_id(body, at)
    is_followed = (body[begin], body[begin + 1]) not in _NOT_FOLLOWED or at - begin > 4
    at += 1
    node, end = at, skip.node_id(body, at)
    form = body[node]
    (namespace,) = _UINT16.unpack_from(body, end)
    at = skip.string(body, end + 2)
    name = body[end + 6 : at].decode(errors="replace")
    at = skip.localized_text(body, at)
    (node_class,) = INT32.unpack_from(body, at)
    at = skip.node_id(body, at + 4)
    # An id with a URI or a server of its own is of another server.
    if is_followed and form < 0x40:
        references.append(Reference(body[node:end], namespace, name, node_class == 2))
    return at
