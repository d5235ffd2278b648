"""MQTT in both directions at one broker: does what a sink publishes come back through a source?"""

from collections.abc import Iterator

from config.checks.tls import is_this_machine
from config.connections import (
    JsonForm,
    MqttConnection,
    MqttSink,
    MqttSource,
    PerTagForm,
    TemplateForm,
    ValuesForm,
)
from config.connections.mqtt_source import overlap
from config.plant import Plant
from config.problems import Problem, quote
from config.reading.document import Document


def check_loops(plant: Plant, document: Document) -> Iterator[Problem]:
    """Yield filters of sources that match what a sink publishes at the same broker."""
    for name, sink in plant.sinks.items():
        if not isinstance(sink, MqttSink):
            continue
        for source_name, source in plant.sources.items():
            if not isinstance(source, MqttSource) or broker_of(source) != broker_of(sink):
                continue
            for i, messages in enumerate(source.messages):
                if any(overlap(each, messages.topic) for each in _published(sink, plant.gateway.site)):
                    path = ("sources", source_name, "messages", i, "topic")
                    yield document.problem("E-CF-0733", path, topic=quote(messages.topic), sink=name)


def broker_of(options: MqttConnection) -> tuple[str, int]:
    """Return what two connections to one broker have alike; this machine has many names."""
    host = "localhost" if is_this_machine(options.host) else options.host.lower()
    return host, options.broker_port


def _published(sink: MqttSink, site: str) -> list[str]:
    """Return filters that match every topic with rows."""
    devices = f"{sink.prefix}/{site}/+/+/+"
    match sink.format:
        case JsonForm() | ValuesForm():
            return [devices]
        case PerTagForm():
            return [f"{devices}/+", f"{devices}/+/_past"]
        case TemplateForm():
            fixed, *made = sink.format.topic.partition("{")
            return ["/".join([*fixed.split("/")[:-1], "#"])] if any(made) else [fixed]
        case _:  # a platform's topics, of which a source knows nothing
            return []
