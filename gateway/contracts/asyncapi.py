"""One AsyncAPI 3.0 document of everything a plant's sinks publish, and the JSON Schema of each message."""

import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from config.plant import Plant
from config.problems import Language, Phrase
from config.version import wanglian_version
from connectors import TagTable
from connectors.factory import describe_published
from connectors.published import Channel, MessageKind, Published
from gateway.select import Rules

ASYNCAPI: Final = "3.0.0"
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")
_SECURITY: Final[dict[str, dict[str, Any]]] = {
    "userPassword": {"type": "userPassword"},
    "X509": {"type": "X509"},
    "bearer": {"type": "httpApiKey", "name": "Authorization", "in": "header"},
}
_MQTT: Final = ("mqtt", "secure-mqtt", "ws", "wss")
"""A sink's WebSocket carries MQTT."""


def document(plant: Plant, tags: TagTable, language: Language) -> dict[str, Any]:
    """Return the AsyncAPI document; `tags` are the plant's, the active ones are told of."""
    gateway = plant.gateway.id
    found: dict[str, Any] = {
        "asyncapi": ASYNCAPI,
        "info": {
            "title": f"Wanglian {gateway}",
            "version": wanglian_version(),
            "description": Phrase("contract.whole").text(language),
        },
        "defaultContentType": "application/json",
        "servers": {},
        "channels": {},
        "operations": {},
        "components": {"messages": {}, "schemas": {}, "securitySchemes": {}},
    }
    for name, told in published(plant, tags):
        _add_sink(found, name, told, language)
    return {key: value for key, value in found.items() if value or key == "info"}


def schemas(plant: Plant, tags: TagTable) -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of every kind of message, by `<sink>.<message>`."""
    return {
        f"{name}.{kind.name}": dict(kind.schema)
        for name, told in published(plant, tags)
        for kind in told.messages
    }


def published(plant: Plant, tags: TagTable) -> Iterator[tuple[str, Published]]:
    """Yield what each sink publishes of the tags it gets."""
    active = tags.active()
    for name, options in plant.sinks.items():
        mine = active[Rules(name, options.select, tags).raw(active)] if len(active) else np.zeros(0, np.int32)
        told = [tags[number] for number in mine.tolist()]
        yield name, describe_published(options, gateway=plant.gateway.id, site=plant.gateway.site, tags=told)


def _add_sink(found: dict[str, Any], sink: str, told: Published, language: Language) -> None:
    server: dict[str, Any] = {"host": told.host, "protocol": told.protocol}
    if told.protocol_version:
        server["protocolVersion"] = told.protocol_version
    if told.pathname:
        server["pathname"] = told.pathname
    if told.security:
        server["security"] = [_ref("securitySchemes", each) for each in told.security]
    found["servers"][sink] = server
    components = found["components"]
    components["securitySchemes"] |= {each: _SECURITY[each] for each in told.security}
    for kind in told.messages:
        components["schemas"][f"{sink}.{kind.name}"] = dict(kind.schema)
    kinds = {kind.name: kind for kind in told.messages}
    for channel in told.channels:
        _add_channel(found, sink, channel, kinds[channel.message], language)


def _add_channel(
    found: dict[str, Any], sink: str, channel: Channel, kind: MessageKind, language: Language
) -> None:
    key = f"{sink}.{_NO_NAME.sub('.', channel.name).strip('.')}"
    while key in found["channels"]:
        key += "_"
    schema: dict[str, Any] = _ref("schemas", f"{sink}.{kind.name}")
    if channel.narrowed:
        schema = {"allOf": [schema, dict(channel.narrowed)]}
    message = {"contentType": kind.content_type, "summary": kind.meaning.text(language), "payload": schema}
    if kind.headers:
        message["headers"] = dict(kind.headers)
    found["components"]["messages"][key] = message
    found["channels"][key] = {
        "address": channel.address,
        "servers": [{"$ref": f"#/servers/{sink}"}],
        "messages": {kind.name: _ref("messages", key)},
    }
    found["operations"][key] = {
        "action": "send",
        "channel": {"$ref": f"#/channels/{key}"},
        "messages": [{"$ref": f"#/channels/{key}/messages/{kind.name}"}],
    }
    if found["servers"][sink]["protocol"] in _MQTT:
        found["operations"][key]["bindings"] = {"mqtt": {"qos": channel.qos, "retain": channel.retained}}


def _ref(where: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{where}/{name}"}
