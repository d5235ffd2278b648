"""A Sparkplug B payload as a dictionary, for people."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError

from connectors.sparkplug.schema import Payload


def taken_apart(payload: bytes, births: Sequence[bytes]) -> dict[str, Any] | None:
    """Return what it says, with the names `births` give to its aliases; None when it is no Payload."""
    names: dict[int, str] = {}
    try:
        for birth in births:
            for metric in Payload.FromString(birth).metrics:
                if metric.HasField("alias") and metric.name:
                    names[metric.alias] = metric.name
        message = Payload.FromString(payload)
    except DecodeError:
        return None
    for metric in message.metrics:
        if not metric.name and metric.alias in names:
            metric.name = names[metric.alias]
    told: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return told
