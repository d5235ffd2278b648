"""Reads properties of many nodes by name: a measurement's range (EURange), its unit (EngineeringUnits)."""

from collections.abc import Mapping
from typing import Any, Final

from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError

from connectors.opcua.nodes import Limits, read_attribute, too_much
from connectors.opcua.session import Session

EU_RANGE: Final = "EURange"
ENGINEERING_UNITS: Final = "EngineeringUnits"


async def read_properties(
    session: Session, nodes: Mapping[int, ua.NodeId], name: str, limits: Limits
) -> dict[int, Any]:
    """Return the property of each node that has it, by item, as asyncua decodes it.

    Raises:
        NotConnected: the connection is lost, or the server does not let properties be read.
    """
    found = await _find(session, nodes, name, limits)
    values = await read_attribute(session, list(found.values()), ua.AttributeIds.Value, limits)
    return {
        place: told.Value.Value
        for place, told in zip(found, values, strict=True)
        if told.Value is not None and told.Value.Value is not None
    }


async def _find(
    session: Session, nodes: Mapping[int, ua.NodeId], name: str, limits: Limits
) -> dict[int, ua.NodeId]:
    """Return the property's own node, where there is one; a server without the service has none."""
    places, found = list(nodes), dict[int, ua.NodeId]()
    while places:
        chunk = places[: limits.translate]
        request = ua.TranslateBrowsePathsToNodeIdsRequest()
        request.Parameters.BrowsePaths = [_path(nodes[i], name) for i in chunk]
        try:
            answer = await session.ask(request, ua.TranslateBrowsePathsToNodeIdsResponse)
        except UaStatusCodeError as error:
            if too_much(error.code) and len(chunk) > 1:
                limits.translate = len(chunk) // 2
                continue
            return found
        for place, result in zip(chunk, answer.Results, strict=False):
            if result.StatusCode.is_good() and result.Targets:
                target = result.Targets[0].TargetId
                found[place] = ua.NodeId(target.Identifier, target.NamespaceIndex, target.NodeIdType)
        places = places[len(chunk) :]
    return found


def _path(node: ua.NodeId, name: str) -> ua.BrowsePath:
    element = ua.RelativePathElement()
    element.ReferenceTypeId = ua.NodeId(ua.ObjectIds.HasProperty)
    element.IsInverse, element.IncludeSubtypes = False, True
    element.TargetName = ua.QualifiedName(name, 0)
    return ua.BrowsePath(node, ua.RelativePath([element]))
