"""The MQTT sink's promise in JSON Schema; docs/reference/mqtt-json.md says the same in words."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from config.connections import MqttSink
from config.problems import Phrase
from connectors.mqtt.catalogue import described
from connectors.mqtt.topics import data_topic, status_topic, tags_topic
from connectors.published import Channel, MessageKind, Published, Schema
from connectors.tags import Kind, Tag

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_INTEGERS: Final = {"type": "array", "items": {"type": "integer"}, "minItems": 1}
_TEXTS: Final = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_QUALITY: Final = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
_NUMBER_OF_ROW: Final = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
_VALUE: Final[dict[Kind, Schema]] = {
    Kind.BOOL: {"type": "boolean"},
    Kind.INT32: {"type": "integer", "minimum": -(2**31), "maximum": 2**32 - 1},
    Kind.FLOAT64: {"type": "number"},
    Kind.INT64: {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    Kind.UINT64: {"type": "integer", "minimum": 0, "maximum": 2**64 - 1},
    Kind.TEXT: {"type": "string"},
}
_IDENTITY: Final = {
    "gw": {"type": "string", "minLength": 1},
    "epoch": {"type": "string", "pattern": "^[1-9][0-9]*-[0-9a-f]{16}$"},
    "seq": {"type": "integer", "minimum": 0},
}
ROWS: Final[Schema] = {
    "$schema": DIALECT,
    "type": "object",
    "properties": {
        **_IDENTITY,
        "dev": {"type": "string", "pattern": "^[^/]+/[^/]+/[^/]+/[^/]+$"},
        "hist": {"const": True},
        "t0": {"type": "integer"},
        "tags": _TEXTS,
        "dt": _INTEGERS,
        "v": {"type": "array", "items": {"type": ["null", "boolean", "number", "string"]}, "minItems": 1},
        "q": _INTEGERS | {"items": _QUALITY},
        "row": _INTEGERS | {"items": _NUMBER_OF_ROW},
        "unit": _TEXTS,
        "fill": {"const": True},
    },
    "required": ["gw", "epoch", "seq", "dev", "t0", "tags", "v"],
    "dependentRequired": {"fill": ["hist"]},
}
CATALOGUE: Final[Schema] = {
    "$schema": DIALECT,
    "type": "object",
    "properties": {
        "gw": _IDENTITY["gw"],
        "dev": ROWS["properties"]["dev"],
        "tags": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "kind": {"enum": [kind.name.lower() for kind in Kind]},
                    "unit": {"type": "string"},
                    "symbol": {"type": "string"},
                    "counter": {"const": True},
                    "class": {"type": "string"},
                    "low": {"type": "number"},
                    "high": {"type": "number"},
                },
                "required": ["kind", "unit", "symbol"],
            },
        },
    },
    "required": ["gw", "dev", "tags"],
}
STATUS: Final[Schema] = {
    "$schema": DIALECT,
    "type": "object",
    "properties": {
        "gw": _IDENTITY["gw"],
        "online": {"type": "boolean"},
        "version": {"type": "string"},
        "epoch": _IDENTITY["epoch"],
        "lag_s": {"type": "number", "minimum": 0},
        "buffered": {"type": "integer", "minimum": 0},
    },
    "required": ["gw", "online", "version"],
}

_IS_FRESH: Final = {"not": {"anyOf": [{"required": ["hist"]}, {"required": ["unit"]}]}}
"""An old backlog may tell of tags that are gone, or were of another kind."""


def published(options: MqttSink, *, gateway: str, site: str, tags: Sequence[Tag]) -> Published:
    """Return what this sink publishes of these tags; a device's channel names its tags and their values."""
    return Published(
        host=f"{options.host}:{options.broker_port}",
        protocol="mqtt" if options.tls is None else "secure-mqtt",
        protocol_version=options.version,
        security=list(_security(options)),
        messages=[
            MessageKind("rows", Phrase("contract.rows"), ROWS),
            MessageKind("catalogue", Phrase("contract.catalogue"), CATALOGUE),
            MessageKind("status", Phrase("contract.status"), STATUS),
        ],
        channels=[
            Channel("status", status_topic(options.prefix, site, gateway), "status", retained=True),
            *_of_devices(options.prefix, sorted(tags, key=lambda tag: tag.path)),
        ],
    )


def _security(options: MqttSink) -> Iterator[Any]:
    if options.username is not None:
        yield "userPassword"
    if options.tls is not None and options.tls.certificate is not None:
        yield "X509"


def _of_devices(prefix: str, tags: Iterable[Tag]) -> Iterator[Channel]:
    for device, grouped in groupby(tags, lambda tag: tag.device):
        each = list(grouped)
        own: dict[str, Any] = {"properties": {"dev": {"const": device}}}
        fresh = {"if": _IS_FRESH, "then": {"properties": _tags_and_values(each)}}
        yield Channel(device, data_topic(prefix, device), "rows", narrowed=own | fresh)
        told = {"tags": {"properties": {tag.name: {"const": described(tag)} for tag in each}}}
        yield Channel(
            f"{device}/_tags",
            tags_topic(prefix, device),
            "catalogue",
            retained=True,
            narrowed={"properties": own["properties"] | told},
        )


def _tags_and_values(tags: Sequence[Tag]) -> dict[str, Schema]:
    kinds = sorted({tag.kind for tag in tags})
    values = [{"type": "null"}, *(_VALUE[kind] for kind in kinds)]
    return {
        "tags": {"items": {"enum": [tag.name for tag in tags]}},
        "v": {"items": {"anyOf": values}},
    }
