"""The bytes of TranslateBrowsePathsToNodeIds (OPC 10000-4, 5.9.4), for one property of many nodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct, error
from typing import Final

from asyncua import ua

from connectors.opcua import skip
from connectors.opcua.read import Counted
from connectors.opcua.response import opened
from connectors.opcua.rows import Malformed
from connectors.opcua.types.model import NodeKey, read_key

_RESPONSE: Final = 557
_ONE_STEP: Final = Struct("<i2s??Hi")
"""Number of steps; reference type, inverse, with subtypes; namespace of the name and its length."""
_HAS_PROPERTY: Final = b"\0\x2e"
_UINT32: Final = Struct("<I")
_BAD: Final = 0x8000_0000


@dataclass(frozen=True, slots=True)
class _Parameters:
    # Name and type are TranslateBrowsePathsToNodeIdsParameters', but for the encoded array.
    BrowsePaths: ua.ByteString


@dataclass(slots=True)
class TranslateOf:
    """A request with encoded paths; asyncua fills in and encodes the header."""

    TypeId: ua.NodeId
    RequestHeader: ua.RequestHeader
    Parameters: _Parameters


def translate(nodes: Sequence[bytes], name: str) -> TranslateOf:
    """Return a request for the property of OPC UA's own namespace that is called so, of each encoded node."""
    step = _ONE_STEP.pack(1, _HAS_PROPERTY, False, True, 0, len(name)) + name.encode("ascii")  # noqa: FBT003
    parameters = _Parameters(Counted.of([node + step for node in nodes]))
    return TranslateOf(ua.TranslateBrowsePathsToNodeIdsRequest().TypeId, ua.RequestHeader(), parameters)


def decode_translate(body: bytes) -> list[NodeKey | None]:
    """Return the first node each path leads to, None where there is none; raises Fault and Malformed."""
    try:
        at = opened(body, _RESPONSE)
        count = skip.length(body, at, 8)
        at += 4
        found: list[NodeKey | None] = []
        for _ in range(count):
            (status,) = _UINT32.unpack_from(body, at)
            targets, at = skip.length(body, at + 4, 6), at + 8
            first = None
            for _ in range(targets):
                key, at = read_key(body, at)
                first, at = first or key, at + 4
            found.append(None if status & _BAD else first)
    except (IndexError, error) as reason:
        raise Malformed(f"the message ends inside a path: {reason}") from reason
    return found
