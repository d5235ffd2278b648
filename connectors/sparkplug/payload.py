"""Payloads as bytes: what comes is parsed here, and the only two things a host says are written here.

The one command is a rebirth request, which the specification makes a host's duty (5.9): it has no value to
choose and changes nothing in the plant. Nothing here can write another metric of another node.
"""

from typing import Any, Final

import orjson
from google.protobuf.message import DecodeError

from connectors.quality import BAD, GOOD, UNCERTAIN, UNCERTAIN_LAST_USABLE_VALUE
from connectors.sparkplug.datatypes import DataType
from connectors.sparkplug.schema import Payload

MOST_METRICS: Final = 50_000
"""In one message; a birth with so many has some 2 MB."""
_MOST_PARTS: Final = 2 * MOST_METRICS
"""A message in a message takes two bytes on the line and a hundred in memory: 1 MiB of them took 70 ms."""
_HEADS: Final = (b"\x12", b"\x22", b"\x0a")
"""What metrics and members, rows, and cells begin with."""
BDSEQ: Final = "bdSeq"
REBIRTH: Final = "Node Control/Rebirth"
_SEQUENCES: Final = 256


class Malformed(ValueError):
    """The bytes are no payload; nothing of them may be used."""


def parse(data: bytes | bytearray) -> Any:
    """Return the message.

    Raises:
        Malformed: not protobuf, text that is not UTF-8, more than `MOST_METRICS`, a number beyond 255.
    """
    if len(data) > _MOST_PARTS and any(data.count(head) > _MOST_PARTS for head in _HEADS):
        raise Malformed("more parts than any message has")
    try:
        said = Payload.FromString(bytes(data))
    except DecodeError as exc:
        raise Malformed("not a Sparkplug payload") from exc
    if len(said.metrics) > MOST_METRICS:
        raise Malformed(f"more than {MOST_METRICS} metrics")
    if said.HasField("seq") and said.seq >= _SEQUENCES:
        raise Malformed("a sequence number beyond 255")
    return said


def bd_seq(said: Any) -> int | None:
    """Return the number that ties a birth to its death; None where the node has none."""
    for metric in said.metrics:
        if metric.name == BDSEQ:
            field = metric.WhichOneof("value")
            return getattr(metric, field) & 0xFF if field in ("int_value", "long_value") else None
    return None


def properties(metric: Any) -> dict[str, Any]:
    """Return a metric's own properties that are plain values; few metrics have any."""
    if not metric.HasField("properties"):
        return {}
    told = metric.properties
    found = {}
    for key, value in zip(told.keys, told.values, strict=False):
        field = value.WhichOneof("value")
        if field is not None and not value.is_null:
            found[key] = getattr(value, field)
    return found


def quality_of(told: dict[str, Any]) -> int:
    """Return the StatusCode of the property Quality: 192 good, 0 bad, 500 stale; others as OPC has them."""
    said = told.get("Quality", told.get("quality", 192))
    if not isinstance(said, int):
        return UNCERTAIN
    if said >> 31 & 1:  # a negative int32: some hosts' own codes for bad
        return BAD
    if said >= 500:
        return UNCERTAIN_LAST_USABLE_VALUE
    return (BAD, UNCERTAIN, UNCERTAIN, GOOD)[min(said >> 6, 3)]


def state(now: int, *, online: bool) -> bytes:
    """Return STATE: whether a host application is there; `now` in ns."""
    return orjson.dumps({"online": online, "timestamp": now // 1_000_000})


def rebirth_request(now: int) -> bytes:
    """Return the command that asks an edge node for its births; `now` in ns."""
    said = Payload(timestamp=now // 1_000_000)
    said.metrics.add(
        name=REBIRTH, timestamp=now // 1_000_000, datatype=int(DataType.BOOLEAN), boolean_value=True
    )
    sent: bytes = said.SerializeToString()
    return sent
