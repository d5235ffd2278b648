"""What a server has along a glob, for people: each variable with its type, unit and who may do what."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

from asyncua import ua

from config.units import find_unit
from connectors.contract import Node
from connectors.errors import NotConnected
from connectors.opcua.attributes import read_numbers
from connectors.opcua.browse.finding import OBJECTS
from connectors.opcua.browse.glob import Glob
from connectors.opcua.browse.seen import Seen
from connectors.opcua.browse.walk import Match, Unbrowsable, Walk
from connectors.opcua.limits import Limits
from connectors.opcua.names import of_path
from connectors.opcua.nodes import STRUCTURE, read_builtins, read_namespaces
from connectors.opcua.properties import ENGINEERING_UNITS, read_properties
from connectors.opcua.session import Session
from connectors.opcua.types.model import name_of, node_of, read_key

_AT_ONCE: Final = 1_000
_ACCESS: Final = ((1, "read"), (2, "write"), (4, "history"))
"""Bits of UserAccessLevel (OPC 10000-3, 8.57)."""
_UNECE: Final = "http://www.opcfoundation.org/UA/units/un/cefact"


async def listing(session: Session, glob: Glob, most: int) -> AsyncGenerator[list[Node], None]:
    """Yield the variables that match, at most so many, some at a time; each node once."""
    namespaces, limits = await read_namespaces(session)
    walk = Walk(session, limits, namespaces, OBJECTS, glob)
    waiting: list[Match] = []
    seen = Seen()
    while not walk.is_done and len(seen) < most:
        try:
            found = await walk.step()
        except Unbrowsable as exc:
            raise NotConnected(str(exc)) from exc
        waiting += [match for match in found if len(seen) < most and seen.add(match.node)]
        while len(waiting) >= _AT_ONCE or (waiting and (walk.is_done or len(seen) == most)):
            page, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
            yield await _described(session, page, namespaces, limits, glob.fixed)


async def _described(
    session: Session, page: Sequence[Match], namespaces: Sequence[str], limits: Limits, fixed: int
) -> list[Node]:
    keys = [read_key(match.node, 0)[0] for match in page]
    nodes = {i: node_of(key) for i, key in enumerate(keys)}
    builtins, _, _ = await read_builtins(session, nodes, limits)
    every = list(nodes.values())
    ranks = (await read_numbers(session, every, ua.AttributeIds.ValueRank, limits)).tolist()
    access = (await read_numbers(session, every, ua.AttributeIds.UserAccessLevel, limits)).tolist()
    units = await read_properties(session, nodes, ENGINEERING_UNITS, limits)
    return [
        Node(
            path="/".join(match.names),
            name=of_path(match.names, fixed),
            node=str(name_of(key, namespaces)),
            type=_type(builtins.get(i, 0), ranks[i]),
            unit=_unit(units.get(i)),
            access=" ".join(name for bit, name in _ACCESS if access[i] & bit),
        )
        for i, (match, key) in enumerate(zip(page, keys, strict=True))
    ]


def _type(builtin: int, rank: int) -> str:
    name = "Structure" if builtin == STRUCTURE else ua.VariantType(builtin).name if builtin else "?"
    return name + "[]" * max(0, rank)


def _unit(told: Any) -> str:
    """Return an EUInformation's unit: by its UNECE code where it has one of those, else as it is shown."""
    if not isinstance(told, ua.EUInformation):
        return ""
    shown = str(told.DisplayName.Text or "")
    if told.NamespaceUri == _UNECE and 0 < told.UnitId < 2**31:
        code = told.UnitId.to_bytes(4, "big").lstrip(b"\0").decode(errors="replace")
        unit = find_unit(code)
        if unit is not None:
            return unit.symbol
    unit = find_unit(shown) if shown else None
    return unit.symbol if unit is not None else f"({shown})" if shown else ""
