"""MQTT: can a connection work beside the others, and what is asked of messages be had from them?"""

import re
from collections.abc import Iterator
from typing import Final

from config.checks.proxy import check_proxy
from config.checks.tls import check_tls, is_this_machine
from config.connections import MqttConnection, MqttMessages, MqttSink, MqttSource
from config.connections.mqtt import RESERVED_PROPERTIES
from config.connections.mqtt_source import PLACE, covers, overlap
from config.plant import Plant
from config.problems import Problem, quote
from config.reading.document import Document, Path

_WILD: Final = re.compile(r"(?<![^/])[+#](?![^/])")


def check_mqtt(plant: Plant, document: Document) -> Iterator[Problem]:
    """Yield connections that disturb each other, and messages whose names, times or values can't be made."""
    clients: dict[tuple[str, int, str], str] = {}
    for section, connections in (("sources", plant.sources), ("sinks", plant.sinks)):
        for name, options in connections.items():
            path = (section, name)
            if not isinstance(options, MqttConnection):
                continue
            yield from _connection(options, document, path)
            if options.client_id is not None:
                place = (options.host.lower(), options.broker_port, options.client_id)
                first = clients.setdefault(place, name)
                if first != name:
                    at = (*path, "client_id")
                    yield document.problem("E-CF-0707", at, client_id=quote(options.client_id), first=first)
            if isinstance(options, MqttSink):
                yield from _envelope(options, document, path)
            if isinstance(options, MqttSource):
                yield from _messages(options, document, path)


def _envelope(options: MqttSink, document: Document, path: Path) -> Iterator[Problem]:
    for field in ("gzip", "message_expiry", "user_properties", "identity"):
        if options.version == "3.1.1" and getattr(options, field):
            yield document.problem("E-CF-0762", (*path, field), at_key=True)
    for name in options.user_properties:
        if name in RESERVED_PROPERTIES:
            at = (*path, "user_properties", name)
            yield document.problem("E-CF-0763", at, at_key=True, name=quote(name))


def _messages(source: MqttSource, document: Document, path: Path) -> Iterator[Problem]:
    filters: list[str] = []
    for i, messages in enumerate(source.messages):
        at = (*path, "messages", i)
        covering = [each for each in filters if covers(each, messages.topic)]
        if covering:
            yield document.problem("E-CF-0911", (*at, "topic"), first=quote(covering[0]))
        crossing = [
            each
            for each in filters
            if not covering and not covers(messages.topic, each) and overlap(each, messages.topic)
        ]
        if crossing:
            yield document.problem("E-CF-0918", (*at, "topic"), first=quote(crossing[0]))
        if "*" in messages.topic:
            yield document.problem("W-CF-0925", (*at, "topic"))
        filters.append(messages.topic)
        yield from _names(messages, document, at)
        yield from _values(messages, document, at)
        counter = next((name for name, tag in messages.tags.items() if tag.counter), None)
        if counter is not None and messages.time is None and source.qos:
            yield document.problem("W-CF-0928", (*at, "tags", counter), at_key=True)


def _names(messages: MqttMessages, document: Document, path: Path) -> Iterator[Problem]:
    wild = len(_WILD.findall(messages.topic))
    used: set[int] = set()
    places = [((*path, "at"), messages.at, False), ((*path, "device"), messages.device, False)]
    places += [((*path, "tags", name), name, True) for name in messages.tags]
    for at, text, at_key in places:
        numbers = {int(number) for number in PLACE.findall(text)}
        used |= numbers
        if numbers and max(numbers) > wild:
            yield document.problem("E-CF-0912", at, at_key=at_key, place=max(numbers), wild=wild)
        if text.startswith("_"):
            yield document.problem("E-CF-0401", at, at_key=at_key, name=quote(text))
    levels = messages.at.split("/")
    if len(levels) != 2 or not all(levels):
        yield document.problem("E-CF-0402", (*path, "at"), at=quote(messages.at))
    missing = sorted(set(range(1, wild + 1)) - used)
    if missing:
        yield document.problem("W-CF-0913", (*path, "topic"), place=missing[0])


def _values(messages: MqttMessages, document: Document, path: Path) -> Iterator[Problem]:
    time = messages.time
    if time is not None and time.zone is not None and time.form != "iso8601":
        yield document.problem("E-CF-0914", (*path, "time", "zone"), at_key=True)
    others = len(messages.tags) > 1 or any((time, messages.id, messages.quality, messages.unit))
    is_dynamic = PLACE.search(messages.at + messages.device) is not None
    for name, tag in messages.tags.items():
        at = (*path, "tags", name)
        if tag.path is None and others:
            yield document.problem("E-CF-0915", at, at_key=True, name=name)
        if tag.type == "integer":
            for field in ("scale", "offset", "deliver_as"):
                if field in tag.model_fields_set:
                    yield document.problem("E-CF-0916", (*at, field), at_key=True, field=field)
        if tag.was is not None and (is_dynamic or PLACE.search(name)):
            yield document.problem("E-CF-0917", (*at, "was"), at_key=True)


def _connection(options: MqttConnection, document: Document, path: Path) -> Iterator[Problem]:
    if options.tls is not None:
        yield from check_tls(options.tls, document, (*path, "tls"))
    if options.proxy is not None:
        yield from check_proxy(options.proxy, document, (*path, "proxy"))
    if options.password is not None and options.username is None:
        yield document.problem("E-CF-0711", (*path, "password"), at_key=True)
    if options.password is not None and options.tls is None and not is_this_machine(options.host):
        yield document.problem("W-CF-0712", (*path, "password"), at_key=True, host=quote(options.host))
