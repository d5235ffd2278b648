"""Reads properties of many nodes by name: a measurement's range (EURange), its unit (EngineeringUnits)."""

from collections.abc import Mapping
from typing import Any, Final

from asyncua import ua
from asyncua.ua.ua_binary import nodeid_to_binary
from asyncua.ua.uaerrors import UaStatusCodeError

from connectors.errors import NotConnected
from connectors.opcua.browse.paths import decode_translate, translate
from connectors.opcua.limits import Limits, too_much
from connectors.opcua.nodes import read_attribute
from connectors.opcua.rows import Fault, Malformed
from connectors.opcua.session import Session
from connectors.opcua.types.model import node_of

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
        try:
            body = await session.ask_raw(translate([nodeid_to_binary(nodes[i]) for i in chunk], name))
            keys = decode_translate(body.read(len(body)))
        except (UaStatusCodeError, Fault) as exc:
            status = exc.code if isinstance(exc, UaStatusCodeError) else exc.status
            if too_much(status) and len(chunk) > 1:
                limits.translate = len(chunk) // 2
                continue
            return found
        except Malformed as exc:
            raise NotConnected(f"{session.peer} sent paths that can't be read: {exc}") from exc
        found |= {i: node_of(key) for i, key in zip(chunk, keys, strict=False) if key is not None}
        places = places[len(chunk) :]
    return found
