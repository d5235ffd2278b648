"""What the edge node publishes, for who subscribes; the schema is of protobuf's message, decoded."""

from collections.abc import Sequence
from typing import Final

from config.connections import SparkplugSink
from config.connections.sparkplug_edge import device_id
from config.problems import Phrase
from connectors.published import Channel, MessageKind, Published, Schema, over_broker
from connectors.sparkplug.topics import OF_DEVICES, edge_topic
from connectors.tags import Tag

_LONG: Final = {"type": "integer", "minimum": 0, "maximum": 2**64 - 1}
_PAYLOAD: Final[Schema] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "timestamp": _LONG,
        "metrics": {"type": "array", "items": {"type": "object"}},
        "seq": {"type": "integer", "minimum": 0, "maximum": 255},
    },
    "required": ["timestamp"],
}


def published(options: SparkplugSink, *, gateway: str, tags: Sequence[Tag]) -> Published:
    """Return the topics of the node and of its devices."""
    group, node = options.group, options.node or gateway
    message = MessageKind("payload", Phrase("contract.sparkplug"), _PAYLOAD, "application/x-protobuf")
    channels = [
        Channel("NBIRTH", edge_topic(group, "NBIRTH", node), "payload", qos=0),
        Channel("NDATA", edge_topic(group, "NDATA", node), "payload", qos=0),
        Channel("NDEATH", edge_topic(group, "NDEATH", node), "payload"),
        *(
            Channel(f"{device}/{kind}", edge_topic(group, kind, node, device), "payload", qos=0)
            for device in sorted({device_id(options.device, tag.device) for tag in tags})
            for kind in OF_DEVICES
        ),
    ]
    return over_broker(options, [message], channels)
