"""The plant file as JSON Schema, so that an editor completes and checks while a person writes."""

from functools import cache
from typing import Any, Final

from pydantic import BaseModel

from config.base import format_duration, format_size
from config.plant import Plant

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
PLANT_SCHEMA_ID: Final = "urn:wanglian:plant"

_REFERENCE: Final = {"type": "string", "pattern": r"^[^$]*\$\{(env|file):[^{}]+\}.*$"}
_ABOUT_A_VALUE: Final = ("title", "description", "default", "examples")
_NO_SCHEMAS: Final = ("default", "discriminator", "examples")
_IN_WORDS: Final = {"duration_text": format_duration, "size_text": format_size}


@cache
def plant_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a plant file; durations, sizes and units in their text forms."""
    schema: dict[str, Any] = _for_editors(_keys_schema(Plant))
    schema["$defs"]["Reference"] = {
        **_REFERENCE,
        "description": "A value kept outside the plant file: ${env:NAME} or ${file:path}.",
    }
    return {"$schema": DIALECT, "$id": PLANT_SCHEMA_ID, **schema, "title": "Wanglian plant file"}


def known_keys(model: type[BaseModel], loc: tuple[str | int, ...]) -> tuple[str, ...]:
    """Return the keys that are known at a place pydantic names, whose unions carry the choice taken."""
    return tuple(_node(model, loc).get("properties", ()))


def is_required(model: type[BaseModel], loc: tuple[str | int, ...]) -> bool:
    """Tell whether the key at the end of such a place must be there."""
    return loc[-1] in _node(model, loc[:-1]).get("required", ())


def known_kinds(model: type[BaseModel], loc: tuple[str | int, ...]) -> tuple[str, ...]:
    """Return the kinds of connection that are known at such a place."""
    return tuple(_node(model, loc).get("discriminator", {}).get("mapping", ()))


def _node(model: type[BaseModel], loc: tuple[str | int, ...]) -> dict[str, Any]:
    schema = _keys_schema(model)
    node = schema
    for step in loc:
        node = _child(schema, node, step)
    return _resolved(schema, node)


@cache
def _keys_schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=True)


def _child(schema: dict[str, Any], node: dict[str, Any], step: str | int) -> dict[str, Any]:
    node = _resolved(schema, node)
    choices = node.get("discriminator", {}).get("mapping", {})
    if step in choices:
        return {"$ref": choices[step]}
    if isinstance(step, int):
        child = node.get("items", {})
    else:
        child = node.get("properties", {}).get(step) or _entry(node)
    return child if isinstance(child, dict) else {}


def _entry(node: dict[str, Any]) -> Any:
    by_pattern = list(node.get("patternProperties", {}).values())
    return by_pattern[0] if by_pattern else node.get("additionalProperties", {})


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    for choice in node.get("anyOf", ()):
        if "$ref" in choice:
            node = choice
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    return node


def _for_editors(node: Any) -> Any:
    """Return the node as people write it: defaults in words, names closed, references allowed for values.

    A value that isn't free text may still be named by a reference; free text already admits one.
    """
    if isinstance(node, list):
        return [_for_editors(each) for each in node]
    if not isinstance(node, dict):
        return node
    if "default" in node and node.get("format") in _IN_WORDS:
        node = {**node, "default": _IN_WORDS[node["format"]](node["default"])}
    if "patternProperties" in node:
        node = {**node, "additionalProperties": False}
    if _is_restricted_value(node):
        outside = {key: node[key] for key in _ABOUT_A_VALUE if key in node}
        inside = {key: value for key, value in node.items() if key not in outside}
        return {**outside, "anyOf": [inside, {"$ref": "#/$defs/Reference"}]}
    return {key: value if key in _NO_SCHEMAS else _for_editors(value) for key, value in node.items()}


def _is_restricted_value(node: dict[str, Any]) -> bool:
    if node.get("type") == "string":
        return "pattern" in node or "enum" in node
    return node.get("type") in ("integer", "number", "boolean")
