"""What a message is sent in: compressed where that pays, with the properties MQTT 5 has for it."""

import zlib
from typing import Final

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from config.connections import MqttSink
from connectors.broker.properties import SharedTables
from connectors.mqtt.form import Message
from connectors.published import Schema

_LEVEL: Final = 6
"""Of zlib; with level 1 a thousand values of JSON are a seventh larger, with level 9 no smaller."""
_GZIP: Final = 31
"""zlib's word for gzip with the largest window; its header then holds no time: a re-send is the same."""
_MARK: Final = 26
"""Bytes of the property that says so: what saves less is sent as it is."""
_PUBLISH: Final = 1 + 4 + 2 + 2 + 4
"""Most bytes of a PUBLISH beside topic, properties and payload: type, length, topic length, packet id, length
of the properties."""
_NUMBER: Final = 20
"""Digits of the longest number in an identity; an epoch is shorter than two."""

Pairs = list[tuple[str, str]]


def headers(options: MqttSink, gateway: str) -> Schema:
    """Return what user properties a message may have, in JSON Schema; empty where it has none."""
    found: dict[str, Schema] = {name: {"const": value} for name, value in options.user_properties.items()}
    if options.gzip:
        found["content-encoding"] = {"const": "gzip"}
    if options.identity:
        number: Schema = {"type": "string", "pattern": "^[0-9]+$"}
        found |= {"gateway": {"const": gateway}, "epoch": {"type": "string"}, "seq": number, "row": number}
    return {"type": "object", "properties": found} if found else {}


class Envelope:
    """One sink's."""

    def __init__(self, options: MqttSink, gateway: str) -> None:
        self._options = options
        self._gateway = gateway
        self._fixed: Pairs = list(options.user_properties.items())
        longest = [*self._fixed, *([("content-encoding", "gzip")] if options.gzip else [])]
        if options.identity:
            longest += self._identity(("9" * 2 * _NUMBER, 10**_NUMBER, 10**_NUMBER))
        expiry = 0 if options.message_expiry is None else 5
        self.most = _PUBLISH + expiry + sum(5 + len(f"{name}{value}".encode()) for name, value in longest)
        """Most bytes of a message beside topic and payload."""

    def of(self, message: Message, key: tuple[str, object]) -> tuple[bytes, Properties | None]:
        """Return a message's payload as it is sent, and its properties; `key` identifies it on its topic."""
        options = self._options
        payload, pairs = message.payload, self._fixed
        if options.gzip:
            packed = _gzip(payload)
            if len(packed) + _MARK < len(payload):
                payload, pairs = packed, [*pairs, ("content-encoding", "gzip")]
        is_data = message.rows is not None
        if is_data and options.identity and isinstance(key[1], tuple):
            pairs = [*pairs, *self._identity(key[1])]
        expiry = options.message_expiry if is_data else None
        if not pairs and expiry is None:
            return payload, None
        properties = SharedTables(PacketTypes.PUBLISH)
        if pairs:
            properties.UserProperty = pairs
        if expiry is not None:
            properties.MessageExpiryInterval = expiry // 1_000_000_000
        return payload, properties

    def _identity(self, key: tuple[object, ...]) -> Pairs:
        epoch, seq, row = key
        return [("gateway", self._gateway), ("epoch", str(epoch)), ("seq", str(seq)), ("row", str(row))]


def _gzip(payload: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(payload) + packer.flush()
