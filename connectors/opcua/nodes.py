"""What every session must ask anew: where the nodes are, what they hold, how much may be asked at once.

A namespace's index is the server's affair and may differ after a restart; its URI is its name. A node whose
namespace is missing is never looked for under another index: somebody else's value would come back.
"""

import base64
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError

from config.connections.opcua import OWN_NAMESPACE, NodeName
from connectors.errors import NotConnected
from connectors.opcua.attributes import read_data_types
from connectors.opcua.items import KIND_OF_BUILTIN, Item
from connectors.opcua.limits import MOST, Limits, too_much
from connectors.opcua.reasons import status_name
from connectors.opcua.session import Session
from connectors.opcua.types.model import node_of
from connectors.tags import Kind

NAMESPACES: Final = ua.NodeId(ua.ObjectIds.Server_NamespaceArray)
_LIMITS: Final = (
    ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
    ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse,
    ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
    ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerTranslateBrowsePathsToNodeIds,
)
STRUCTURE: Final = 22
_ABSTRACT: Final = (24, 26, 27, 28)
"""BaseDataType, Number, Integer, UInteger: the value itself tells."""
_ENUMERATION: Final = 29
_INT32: Final = 6
_LAST_BUILTIN: Final = 25
_BASE: Final = ua.NodeId(24)
_DEEPEST: Final = 12


async def read_namespaces(session: Session) -> tuple[list[str], Limits]:
    """Return the server's namespaces, in the order of their indexes, and its limits."""
    nodes = [NAMESPACES, *(ua.NodeId(each) for each in _LIMITS)]
    try:
        found, *limits = await _read(session, nodes, ua.AttributeIds.Value)
    except UaStatusCodeError as error:
        status = status_name(error.code)
        raise NotConnected(f"{session.peer} does not tell its namespaces: {status}") from error
    namespaces = found.Value.Value if found.Value is not None else None
    if not isinstance(namespaces, list) or not all(isinstance(each, str) for each in namespaces):
        raise NotConnected(f"{session.peer} does not tell its namespaces")
    return namespaces, Limits(*(_limit(each) for each in limits))


def _limit(told: ua.DataValue) -> int:
    value = told.Value.Value if told.Value is not None else None
    return min(value, MOST) if isinstance(value, int) and value > 0 else MOST


def locate(items: Sequence[Item], namespaces: Sequence[str], default: str | None) -> list[ua.NodeId | None]:
    """Return each item's node with the index its namespace has now; None where the server lacks it."""
    index = {uri: place for place, uri in reversed(list(enumerate(namespaces)))}
    return [_located(item.node, index, default or OWN_NAMESPACE) for item in items]


def locate_one(name: NodeName, namespaces: Sequence[str], default: str | None) -> ua.NodeId | None:
    """Return a node with the index its namespace has now; None where the server lacks it."""
    index = {uri: place for place, uri in reversed(list(enumerate(namespaces)))}
    return _located(name, index, default or OWN_NAMESPACE)


def _located(name: NodeName, index: Mapping[str, int], default: str) -> ua.NodeId | None:
    uri = name.namespace or default
    # Index 0 is OPC UA's own by definition, however a server writes it (OPC 10000-3, 8.2.2).
    place = 0 if uri == OWN_NAMESPACE else index.get(uri)
    if place is None:
        return None
    match name.form:
        case "i":
            return ua.NodeId(int(name.identifier), place, ua.NodeIdType.Numeric)
        case "g":
            return ua.NodeId(uuid.UUID(name.identifier), place, ua.NodeIdType.Guid)
        case "b":
            return ua.NodeId(base64.b64decode(name.identifier), place, ua.NodeIdType.ByteString)
        case _:
            return ua.NodeId(name.identifier, place, ua.NodeIdType.String)


class Held(NamedTuple):
    """What the server says nodes hold, by item."""

    builtins: dict[int, int]
    """Built-in type, or Structure; none where it is abstract and there is no value."""
    refused: dict[int, int]
    """Status of those that can't be read."""
    types: dict[int, ua.NodeId]
    """Data type."""


async def read_builtins(session: Session, nodes: Mapping[int, ua.NodeId], limits: Limits) -> Held:
    """Ask what the nodes hold."""
    places = list(nodes)
    keys, statuses = await read_data_types(session, [nodes[i] for i in places], limits)
    ids = {key: node_of(key) for key in set(keys) if key is not None}
    types = {place: ids[key] for place, key in zip(places, keys, strict=True) if key is not None}
    bad = (statuses >= np.uint32(0x8000_0000)).nonzero()[0].tolist()
    refused = {places[i]: int(statuses[i]) for i in bad}
    types = {place: each for place, each in types.items() if place not in refused}
    builtin = await builtin_types(session, set(types.values()), limits)
    found = {place: builtin[each] for place, each in types.items() if builtin.get(each)}
    unclear = [place for place in types if place not in found]
    values = await read_attribute(session, [nodes[i] for i in unclear], ua.AttributeIds.Value, limits)
    for place, told in zip(unclear, values, strict=True):
        if told.Value is not None and told.Value.VariantType is not None and told.Value.VariantType.value:
            found[place] = int(told.Value.VariantType.value)
    return Held(found, refused, types)


def kinds_of(builtins: Mapping[int, int]) -> dict[int, Kind]:
    """Return the kind of each item whose built-in type is one we keep."""
    return {place: KIND_OF_BUILTIN[each] for place, each in builtins.items() if each in KIND_OF_BUILTIN}


async def builtin_types(session: Session, types: Iterable[ua.NodeId], limits: Limits) -> dict[ua.NodeId, int]:
    """Follow each data type up to a built-in one or Structure; 0 where it is abstract or can't be told."""
    at = {each: each for each in types}
    for _ in range(_DEEPEST):
        climbing = {each: current for each, current in at.items() if _builtin(current) is None}
        if not climbing:
            break
        parents = await _parents(session, sorted(set(climbing.values()), key=str), limits)
        at.update({each: parents.get(current, _BASE) for each, current in climbing.items()})
    return {each: _builtin(current) or 0 for each, current in at.items()}


def _builtin(kind: ua.NodeId) -> int | None:
    """Return the type a data type is, 0 if it is abstract, None if it is derived from another."""
    if kind.NamespaceIndex or not isinstance(kind.Identifier, int):
        return None
    if kind.Identifier == _ENUMERATION:
        return _INT32
    if kind.Identifier in _ABSTRACT:
        return 0
    return kind.Identifier if 0 < kind.Identifier <= _LAST_BUILTIN else None


async def _parents(
    session: Session, types: Sequence[ua.NodeId], limits: Limits
) -> dict[ua.NodeId, ua.NodeId]:
    found: dict[ua.NodeId, ua.NodeId] = {}
    for begin in range(0, len(types), limits.browse):
        chunk = types[begin : begin + limits.browse]
        request = ua.BrowseRequest()
        request.Parameters.RequestedMaxReferencesPerNode = 1
        request.Parameters.NodesToBrowse = [_supertype(each) for each in chunk]
        try:
            answer = await session.ask(request, ua.BrowseResponse)
        except UaStatusCodeError:
            return found  # their values will tell
        for each, result in zip(chunk, answer.Results, strict=False):
            if result.References:
                found[each] = ua.NodeId(
                    result.References[0].NodeId.Identifier, result.References[0].NodeId.NamespaceIndex
                )
    return found


def _supertype(node: ua.NodeId) -> ua.BrowseDescription:
    return ua.BrowseDescription(
        NodeId=node,
        BrowseDirection=ua.BrowseDirection.Inverse,
        ReferenceTypeId=ua.NodeId(ua.ObjectIds.HasSubtype),
        IncludeSubtypes=True,
        NodeClassMask=0,
        ResultMask=0,
    )


async def read_attribute(
    session: Session, nodes: Sequence[ua.NodeId], attribute: ua.AttributeIds, limits: Limits
) -> list[ua.DataValue]:
    """Read an attribute of many nodes; the chunks shrink when the server finds them too large."""
    found: list[ua.DataValue] = []
    while len(found) < len(nodes):
        try:
            found += await _read(session, nodes[len(found) : len(found) + limits.read], attribute)
        except UaStatusCodeError as error:
            if not too_much(error.code) or limits.read == 1:
                raise NotConnected(f"{session.peer} does not answer what its nodes are: {error}") from error
            limits.read //= 2
    return found


async def _read(
    session: Session, nodes: Sequence[ua.NodeId], attribute: ua.AttributeIds
) -> list[ua.DataValue]:
    request = ua.ReadRequest()
    request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Neither
    request.Parameters.NodesToRead = [ua.ReadValueId(NodeId=node, AttributeId=attribute) for node in nodes]
    answer: Any = await session.ask(request, ua.ReadResponse)
    if len(answer.Results) != len(nodes):
        raise NotConnected(f"{session.peer} answered {len(answer.Results)} of {len(nodes)} reads")
    return list(answer.Results)
