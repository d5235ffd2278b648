"""Asks the server what its structures and enumerations are made of, once a session for each that occurs."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError

from connectors.opcua.limits import Limits
from connectors.opcua.names import clean
from connectors.opcua.nodes import builtin_types, read_attribute
from connectors.opcua.properties import read_properties
from connectors.opcua.session import Session
from connectors.opcua.types.model import (
    EXTENSION,
    VARIANT,
    Enumeration,
    Field,
    Form,
    NodeKey,
    Structure,
    Types,
    key_of,
    node_of,
)

log = logging.getLogger(__name__)

_FORMS: Final = {0: Form.PLAIN, 1: Form.OPTIONAL, 2: Form.UNION}
_INT32: Final = 6
_OPEN: Final = frozenset(NodeKey(0, each) for each in (EXTENSION, VARIANT, 26, 27, 28))
"""Structure, BaseDataType, Number, Integer, UInteger: the value brings its type with it."""
_MOST_ROUNDS: Final = 16
"""Structures within structures within …"""


async def learn_structures(
    session: Session, types: Types, encodings: Iterable[NodeKey], limits: Limits
) -> None:
    """Learn the structures that are encoded so; those the server does not explain become unknowable.

    Raises:
        NotConnected: the connection is lost.
    """
    wanted = [each for each in encodings if types.of_encoding(each) is None]
    data_types = await _data_types(session, wanted, limits)
    types.encodings |= data_types
    await _learn(session, types, set(data_types.values()), limits)
    unknown = [each for each in wanted if types.of_encoding(each) is None]
    types.unknowable |= set(unknown)
    if unknown:
        log.warning(
            "the server does not explain some structures, their values are Bad",
            extra={"server": session.peer, "structures": len(unknown), "first": str(node_of(unknown[0]))},
        )


async def names_of_values(
    session: Session, types: Types, data_types: Mapping[int, ua.NodeId], limits: Limits
) -> dict[int, Enumeration]:
    """Return the names of the values of those items whose data type, by item, is an enumeration."""
    keys = {place: key_of(node) for place, node in data_types.items()}
    wanted = {each for each in keys.values() if not _is_standard(each)}
    await _learn(session, types, wanted - types.enumerations.keys(), limits)
    return {place: types.enumerations[key] for place, key in keys.items() if key in types.enumerations}


async def _data_types(
    session: Session, encodings: Sequence[NodeKey], limits: Limits
) -> dict[NodeKey, NodeKey]:
    """Return the data type of each encoding: the other end of its HasEncoding reference."""
    found: dict[NodeKey, NodeKey] = {}
    for begin in range(0, len(encodings), limits.browse):
        chunk = encodings[begin : begin + limits.browse]
        request = ua.BrowseRequest()
        request.Parameters.RequestedMaxReferencesPerNode = 1
        request.Parameters.NodesToBrowse = [
            ua.BrowseDescription(
                NodeId=node_of(each),
                BrowseDirection=ua.BrowseDirection.Inverse,
                ReferenceTypeId=ua.NodeId(ua.ObjectIds.HasEncoding),
                IncludeSubtypes=True,
                NodeClassMask=0,
                ResultMask=0,
            )
            for each in chunk
        ]
        try:
            answer = await session.ask(request, ua.BrowseResponse)
        except UaStatusCodeError:
            return found
        for each, result in zip(chunk, answer.Results, strict=False):
            if result.References:
                found[each] = key_of(result.References[0].NodeId)
    return found


async def _learn(session: Session, types: Types, wanted: set[NodeKey], limits: Limits) -> None:
    """Read the definitions of these data types, and of those their fields have."""
    told: dict[NodeKey, Any] = {}
    waiting = wanted - types.structures.keys() - types.enumerations.keys()
    for _ in range(_MOST_ROUNDS):
        if not waiting:
            break
        told |= await _definitions(session, sorted(waiting, key=str), limits)
        fields = {key_of(each.DataType) for known in told.values() for each in _fields(known)}
        waiting = {each for each in fields if each not in told and not _is_standard(each)}
        waiting -= types.structures.keys() | types.enumerations.keys()
    enumerated = [key for key, each in told.items() if each is None]
    names = await _names(session, enumerated, limits)
    types.enumerations |= names
    types.enumerations |= {
        key: _named(each) for key, each in told.items() if isinstance(each, ua.EnumDefinition)
    }
    plain = {key_of(each.DataType) for known in told.values() for each in _fields(known)}
    plain = {each for each in plain if told.get(each) is None and each not in types.structures}
    builtins = await builtin_types(session, [node_of(each) for each in plain], limits)
    by_key = {key_of(node): builtin for node, builtin in builtins.items()}
    structures = {key: each for key, each in told.items() if isinstance(each, ua.StructureDefinition)}
    for key, each in structures.items():
        form = _FORMS.get(int(each.StructureType))
        if form is not None:  # with subtyped values: their encoding is not settled among servers
            known = structures.keys() | types.structures.keys()
            fields_of = [_field(one, known, types.enumerations, by_key) for one in each.Fields or ()]
            types.structures[key] = Structure(form, tuple(fields_of))


def _fields(definition: Any) -> Sequence[ua.StructureField]:
    return definition.Fields or () if isinstance(definition, ua.StructureDefinition) else ()


def _is_standard(key: NodeKey) -> bool:
    """Tell whether a data type is one of the built-in or abstract ones."""
    return key.namespace == 0 and isinstance(key.identifier, int) and key.identifier < 30


def _field(
    told: ua.StructureField,
    structures: Iterable[NodeKey],
    enumerations: Mapping[NodeKey, Enumeration],
    builtins: Mapping[NodeKey, int],
) -> Field:
    key = key_of(told.DataType)
    dimensions = max(0, int(told.ValueRank))
    name, is_optional = clean(str(told.Name)), bool(told.IsOptional)
    enumeration = enumerations.get(key)
    if enumeration is not None:
        return Field(name, _INT32, None, enumeration, dimensions, is_optional)
    builtin = builtins.get(key, 0)
    if key in structures or (builtin in {0, EXTENSION} and key not in _OPEN):
        return Field(name, 0, key, None, dimensions, is_optional)
    return Field(name, builtin or VARIANT, None, None, dimensions, is_optional)


async def _definitions(session: Session, keys: Sequence[NodeKey], limits: Limits) -> dict[NodeKey, Any]:
    """Return each data type's definition; None where the server has none."""
    told = await read_attribute(
        session, [node_of(each) for each in keys], ua.AttributeIds.DataTypeDefinition, limits
    )
    return {
        key: each.Value.Value if each.Value is not None and each.StatusCode.is_good() else None
        for key, each in zip(keys, told, strict=True)
    }


def _named(definition: ua.EnumDefinition) -> Enumeration:
    return Enumeration(
        {int(each.Value): _text(each.DisplayName) or str(each.Name) for each in definition.Fields}
    )


def _text(told: Any) -> str:
    return str(getattr(told, "Text", None) or "")


async def _names(session: Session, keys: Sequence[NodeKey], limits: Limits) -> dict[NodeKey, Enumeration]:
    """Return the names of older servers' enumerations: a list from 0, or values with names."""
    nodes = {i: node_of(each) for i, each in enumerate(keys)}
    if not nodes:
        return {}
    found: dict[NodeKey, Enumeration] = {}
    for i, told in (await read_properties(session, nodes, "EnumStrings", limits)).items():
        if isinstance(told, list):
            found[keys[i]] = Enumeration({number: _text(each) for number, each in enumerate(told)})
    for i, told in (await read_properties(session, nodes, "EnumValues", limits)).items():
        if isinstance(told, list):
            named = {
                int(each.Value): _text(each.DisplayName) for each in told if hasattr(each, "DisplayName")
            }
            found[keys[i]] = Enumeration(named)
    return found
