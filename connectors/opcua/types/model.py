"""What a server's structures and enumerations are made of (OPC 10000-3, 8.48 to 8.52), as far as it told."""

import base64
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from asyncua import ua

from config.connections.opcua import OWN_NAMESPACE, NodeName
from connectors.opcua import skip
from connectors.opcua.skip import INT32

EXTENSION: Final = 22
VARIANT: Final = 24
_KINDS: Final = {
    int: ua.NodeIdType.Numeric,
    str: ua.NodeIdType.String,
    bytes: ua.NodeIdType.ByteString,
    uuid.UUID: ua.NodeIdType.Guid,
}


class NodeKey(NamedTuple):
    """A NodeId whatever its encoding."""

    namespace: int
    identifier: int | str | bytes | uuid.UUID


@dataclass(frozen=True, slots=True)
class Enumeration:
    """Names by number."""

    names: Mapping[int, str]


class Form(Enum):
    """How the fields of a structure follow each other (OPC 10000-6, 5.2.6 to 5.2.8)."""

    PLAIN = 0
    OPTIONAL = 1
    """A mask tells which of the optional ones are there."""
    UNION = 2
    """A number tells which one is there."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a structure."""

    name: str
    builtin: int
    """Its encoding; 0 if it is a structure without one of its own, `structure` tells."""
    structure: NodeKey | None = None
    enumeration: Enumeration | None = None
    dimensions: int = 0
    """0 is a single value, 1 an array, more a matrix."""
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Structure:
    """The fields of a structure, in their order."""

    form: Form
    fields: tuple[Field, ...]


_DOUBLE, _INT32, _STRING, _TEXT = 11, 6, 12, 21
_RANGE: Final = Structure(Form.PLAIN, (Field("Low", _DOUBLE), Field("High", _DOUBLE)))
_EU_INFORMATION: Final = Structure(
    Form.PLAIN,
    (
        Field("NamespaceUri", _STRING),
        Field("UnitId", _INT32),
        Field("DisplayName", _TEXT),
        Field("Description", _TEXT),
    ),
)


@dataclass(slots=True)
class Types:
    """Structures and enumerations known of one session's server."""

    structures: dict[NodeKey, Structure] = field(default_factory=dict)
    """By data type."""
    encodings: dict[NodeKey, NodeKey] = field(default_factory=dict)
    """Data type by the id of its binary encoding."""
    enumerations: dict[NodeKey, Enumeration] = field(default_factory=dict)
    """By data type."""
    unknowable: set[NodeKey] = field(default_factory=set)
    """Encodings the server does not explain."""
    namespaces: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Know the two structures every server has, also one that can't explain them (OPC 10000-8, 5.6)."""
        for data_type, encoding, structure in ((884, 886, _RANGE), (887, 889, _EU_INFORMATION)):
            self.structures[NodeKey(0, data_type)] = structure
            self.encodings[NodeKey(0, encoding)] = NodeKey(0, data_type)

    def of_encoding(self, encoding: NodeKey) -> Structure | None:
        """Return the structure that is encoded so."""
        data_type = self.encodings.get(encoding)
        return None if data_type is None else self.structures.get(data_type)


def key_of(node: ua.NodeId) -> NodeKey:
    """Return the key of an id asyncua has decoded."""
    return NodeKey(int(node.NamespaceIndex), node.Identifier)


def node_of(key: NodeKey) -> ua.NodeId:
    """Return the id asyncua encodes."""
    return ua.NodeId(key.identifier, key.namespace, _KINDS[type(key.identifier)])


def read_key(body: bytes, at: int) -> tuple[NodeKey, int]:
    """Return the NodeId or ExpandedNodeId that begins here, and where it ends (OPC 10000-6, 5.2.2.9)."""
    end = skip.node_id(body, at)
    form = body[at] & 0x3F
    if form == 0:
        return NodeKey(0, body[at + 1]), end
    if form == 1:
        return NodeKey(body[at + 1], int.from_bytes(body[at + 2 : at + 4], "little")), end
    namespace, at = int.from_bytes(body[at + 1 : at + 3], "little"), at + 3
    if form == 2:
        return NodeKey(namespace, int.from_bytes(body[at : at + 4], "little")), end
    if form == 4:
        return NodeKey(namespace, uuid.UUID(bytes_le=body[at : at + 16])), end
    (length,) = INT32.unpack_from(body, at)
    octets = body[at + 4 : at + 4 + max(length, 0)]
    return NodeKey(namespace, octets.decode(errors="replace") if form == 3 else octets), end


def name_of(key: NodeKey, namespaces: Sequence[str]) -> NodeName:
    """Return a node as the plant file names it, by its namespace's URI."""
    index = key.namespace
    known = [OWN_NAMESPACE, *namespaces[1:]]
    uri = known[index] if index < len(known) else f"urn:unknown:{index}"
    match key.identifier:
        case int(number):
            return NodeName(uri, "i", str(number))
        case bytes(octets):
            return NodeName(uri, "b", base64.b64encode(octets).decode())
        case uuid.UUID() as guid:
            return NodeName(uri, "g", str(guid))
        case text:
            return NodeName(uri, "s", text)
