"""The promise of the forms beside `json`, as JSON Schema; in words: docs/reference/mqtt-forms.md."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final, assert_never

from config.connections import PerTagForm, TemplateForm, TimeForm, ValuesForm
from config.problems import Phrase
from config.templating import NAMES, compile_template
from connectors.mqtt.schemas import DIALECT, IDENTITY, NUMBER_OF_ROW, QUALITY, VALUE
from connectors.mqtt.topics import data_topic, past_topic, tag_topic
from connectors.published import Channel, MessageKind, Schema
from connectors.tags import Kind, Tag

_ANY_VALUE: Final = {"type": ["null", "boolean", "number", "string"]}
_MARKS: Final = {"hist": {"const": True}, "fill": {"const": True}}
_PER_TAG: Final = {"v": _ANY_VALUE, "q": QUALITY, "u": {"type": "string"}, **IDENTITY, "row": NUMBER_OF_ROW}

Form = ValuesForm | PerTagForm | TemplateForm


def messages(form: Form) -> list[MessageKind]:
    """Return the kinds of messages that carry rows."""
    match form:
        case ValuesForm():
            schema = _object(form)
            if form.list_:
                schema = {"type": "array", "items": schema, "minItems": 1}
            return [MessageKind("values", Phrase("contract.values"), {"$schema": DIALECT, **schema})]
        case PerTagForm():
            full = {
                "$schema": DIALECT,
                "type": "object",
                "properties": _PER_TAG | {"t": _time(form.time)} | _MARKS,
                "required": [*_PER_TAG, "t"],
                "dependentRequired": {"fill": ["hist"]},
            }
            rows = MessageKind("row", Phrase("contract.row"), full)
            if not form.bare:
                return [rows]
            return [MessageKind("value", Phrase("contract.value"), {"$schema": DIALECT, **_ANY_VALUE}), rows]
        case TemplateForm():
            kind = "application/json" if form.json_ else "text/plain"
            return [MessageKind("made", Phrase("contract.made"), {"$schema": DIALECT}, kind)]
        case _:
            assert_never(form)


def channels(form: Form, prefix: str, gateway: str, tags: Sequence[Tag]) -> Iterator[Channel]:
    """Yield where messages with rows come; `tags` are in the order of their paths."""
    match form:
        case ValuesForm():
            for device, grouped in groupby(tags, lambda tag: tag.device):
                narrowed = _of_device(device, list(grouped), is_plain=form.plain)
                narrowed = {"items": narrowed} if form.list_ else narrowed
                yield Channel(device, data_topic(prefix, device), "values", narrowed=narrowed)
        case PerTagForm():
            for tag in tags:
                value = _value(tag.kind)
                fresh = {"if": {"not": {"required": ["hist"]}}, "then": {"properties": {"v": value}}}
                topic = tag_topic(prefix, tag.path)
                if form.bare:
                    yield Channel(tag.path, topic, "value", retained=form.retain, narrowed=value)
                    yield Channel(f"{tag.path}/_past", past_topic(topic), "row")
                else:
                    yield Channel(tag.path, topic, "row", retained=form.retain, narrowed=fresh)
        case TemplateForm():
            for topic in _topics(form, gateway, tags):
                yield Channel(topic, topic, "made", retained=form.retain)
        case _:
            assert_never(form)


def _object(form: ValuesForm) -> dict[str, Any]:
    said: dict[str, Any] = {
        "ts": _time(form.time),
        "values": {"type": "object", "additionalProperties": _ANY_VALUE, "minProperties": 1},
    }
    if form.plain:
        return {"type": "object", "properties": said, "required": list(said), "additionalProperties": False}
    identity = {**IDENTITY, "dev": {"type": "string"}}
    more = {
        "n": {"type": "integer", "minimum": 1},
        "q": {"type": "object", "additionalProperties": QUALITY},
        "unit": {"type": "object", "additionalProperties": {"type": "string"}},
    }
    return {
        "type": "object",
        "properties": identity | said | more | _MARKS,
        "required": [*identity, *said],
        "dependentRequired": {"fill": ["hist"]},
    }


def _of_device(device: str, tags: Sequence[Tag], *, is_plain: bool) -> Schema:
    known = {"values": {"properties": {tag.name: _value(tag.kind) for tag in tags}}}
    if is_plain:
        return {"properties": known}
    fresh = {"not": {"anyOf": [{"required": ["hist"]}, {"required": ["unit"]}]}}
    return {
        "properties": {"dev": {"const": device}},
        "if": fresh,
        "then": {"properties": known},
    }


def _value(kind: Kind) -> Schema:
    return {"anyOf": [{"type": "null"}, VALUE[kind]]}


def _time(form: TimeForm) -> Schema:
    return {"type": "string", "format": "date-time"} if form == "iso8601" else {"type": "integer"}


def _topics(form: TemplateForm, gateway: str, tags: Sequence[Tag]) -> list[str]:
    """Return the topics that can be told beforehand: none where a time or a value is in them."""
    template = compile_template(form.topic, form.each)
    known_ahead = {"gateway", "path", "site", "area", "line", "device", "tag", "unit"}
    if template.uses & (NAMES[form.each] | {"value"}) - known_ahead:
        return []
    found = []
    for tag in tags:
        levels = (*tag.device.split("/"), "", "", "")[:4]
        place = dict(zip(("site", "area", "line", "device"), levels, strict=True))
        known = place | {"gateway": gateway, "path": tag.device, "tag": tag.name, "unit": tag.unit}
        found.append(template.render(known, 65_535) or "")
    return list(dict.fromkeys(found))
