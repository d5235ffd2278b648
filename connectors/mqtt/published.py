"""The MQTT sink's promise in JSON Schema; docs/reference/mqtt-json.md says the same in words."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Final

from config.connections import JsonForm, MqttForm, MqttSink, PlatformForm
from config.problems import Phrase
from connectors.mqtt.catalogue import described
from connectors.mqtt.envelope import headers
from connectors.mqtt.schemas import DIALECT, IDENTITY, NUMBER_OF_ROW, QUALITY, VALUE
from connectors.mqtt.topics import data_topic, gaps_topic, status_topic, tags_topic, told_gaps_on
from connectors.published import Channel, MessageKind, Published, Schema, over_broker
from connectors.tags import Kind, Tag

_INTEGERS: Final = {"type": "array", "items": {"type": "integer"}, "minItems": 1}
_TEXTS: Final = {"type": "array", "items": {"type": "string"}, "minItems": 1}
ROWS: Final[Schema] = {
    "$schema": DIALECT,
    "type": "object",
    "properties": {
        **IDENTITY,
        "dev": {"type": "string", "pattern": "^[^/]+/[^/]+/[^/]+/[^/]+$"},
        "hist": {"const": True},
        "t0": {"type": "integer"},
        "tags": _TEXTS,
        "dt": _INTEGERS,
        "v": {"type": "array", "items": {"type": ["null", "boolean", "number", "string"]}, "minItems": 1},
        "q": _INTEGERS | {"items": QUALITY},
        "row": _INTEGERS | {"items": NUMBER_OF_ROW},
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
        "gw": IDENTITY["gw"],
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
                    "was": {"type": "string"},
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
        "gw": IDENTITY["gw"],
        "online": {"type": "boolean"},
        "version": {"type": "string"},
        "epoch": IDENTITY["epoch"],
        "lag_s": {"type": "number", "minimum": 0},
        "buffered": {"type": "integer", "minimum": 0},
        "day_bytes": {"type": "integer", "minimum": 0},
    },
    "required": ["gw", "online", "version"],
}
GAP: Final[Schema] = {
    "$schema": DIALECT,
    "type": "object",
    "properties": {
        "gw": IDENTITY["gw"],
        "epoch": IDENTITY["epoch"],
        "gap": {"type": "integer", "minimum": 1},
        "reason": {"type": "string"},
        "noted": {"type": "integer"},
        "start": {"type": "integer"},
        "end": {"type": "integer"},
        "lasts": {"const": True},
        "sources": {"type": "array", "items": {"type": "string"}},
        "devices": _TEXTS,
        "tags": {"type": "integer", "minimum": 1},
        "seq": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
        "rows": {"type": "integer", "minimum": 1},
    },
    "required": ["gw", "epoch", "gap", "reason", "noted", "sources"],
}

_IS_FRESH: Final = {"not": {"anyOf": [{"required": ["hist"]}, {"required": ["unit"]}]}}
"""An old backlog may tell of tags that are gone, or were of another kind."""


def published(options: MqttSink, *, gateway: str, site: str, tags: Sequence[Tag]) -> Published:
    """Return what this sink publishes of these tags; a device's channel names its tags and their values."""
    ordered = sorted(tags, key=lambda tag: tag.path)
    form = options.format
    if isinstance(form, JsonForm):
        messages = [MessageKind("rows", Phrase("contract.rows"), ROWS)]
        channels = list(_of_devices(options.prefix, ordered))
    elif isinstance(form, PlatformForm):  # the contract is the platform's; nobody else reads there
        messages, channels = [], []
    else:
        from connectors.mqtt.forms import promised  # noqa: PLC0415  Jinja costs 4 MB

        messages = promised.messages(form)
        channels = list(promised.channels(form, options.prefix, gateway, ordered))
    told, gaps = _beside(form, options.prefix, site, gateway)
    if told:
        messages += [
            MessageKind("catalogue", Phrase("contract.catalogue"), CATALOGUE),
            MessageKind("status", Phrase("contract.status"), STATUS),
        ]
        status = status_topic(options.prefix, site, gateway)
        channels += [
            Channel("status", status, "status", retained=True),
            *_catalogues(options.prefix, ordered),
        ]
    if gaps is not None:
        messages.append(MessageKind("gap", Phrase("contract.gap"), GAP))
        channels.append(Channel("gaps", gaps, "gap"))
    beside = headers(options, gateway)
    return over_broker(options, [replace(each, headers=beside) for each in messages], channels)


def _beside(form: MqttForm, prefix: str, site: str, gateway: str) -> tuple[bool, str | None]:
    """Tell whether status and catalogue are told beside the data, and on which topic gaps are."""
    match form:
        case JsonForm():
            return True, gaps_topic(prefix, site, gateway)
        case PlatformForm():
            return False, None
        case _:
            return form.announce, told_gaps_on(form, prefix, site, gateway)


def _of_devices(prefix: str, tags: Iterable[Tag]) -> Iterator[Channel]:
    for device, grouped in groupby(tags, lambda tag: tag.device):
        each = list(grouped)
        own: dict[str, Any] = {"properties": {"dev": {"const": device}}}
        fresh = {"if": _IS_FRESH, "then": {"properties": _tags_and_values(each)}}
        yield Channel(device, data_topic(prefix, device), "rows", narrowed=own | fresh)


def _catalogues(prefix: str, tags: Iterable[Tag]) -> Iterator[Channel]:
    for device, grouped in groupby(tags, lambda tag: tag.device):
        told = {"properties": {tag.name: {"const": described(tag)} for tag in grouped}}
        narrowed = {"properties": {"dev": {"const": device}, "tags": told}}
        topic = tags_topic(prefix, device)
        yield Channel(f"{device}/_tags", topic, "catalogue", retained=True, narrowed=narrowed)


def _tags_and_values(tags: Sequence[Tag]) -> dict[str, Schema]:
    kinds = sorted({tag.kind for tag in tags})
    values = [{"type": "null"}, *(VALUE[kind] for kind in kinds)]
    return {
        "tags": {"items": {"enum": [tag.name for tag in tags]}},
        "v": {"items": {"anyOf": values}},
    }
