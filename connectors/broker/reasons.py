"""What a failed connection or a refusal means: try again, call a person, or give up on these bytes."""

from typing import Final

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from connectors.errors import NotConnected

PACKET_TOO_LARGE: Final = 0x95
PAYLOAD_FORMAT_INVALID: Final = 0x99
SESSION_TAKEN_OVER: Final = 0x8E

REFUSES_THE_BYTES: Final = {
    PACKET_TOO_LARGE: "packet too large for the broker",
    PAYLOAD_FORMAT_INVALID: "payload format invalid for the broker",
}
"""PUBACK codes that another try with the same bytes can't change."""

_NEEDS_A_PERSON: Final = {
    0x84: "use another `version`",
    0x85: "use another `client_id`",
    0x86: "check `username` and `password`",
    0x87: "check `username`, `password` and the broker's access list",
    0x8A: "ask the broker's operator",
    0x8C: "the broker wants another way to log in",
    SESSION_TAKEN_OVER: "the client id is in use by another client: give each its own `client_id`",
    0x90: "check `prefix`",
    PACKET_TOO_LARGE: "lower `max_message`",
    0x97: "ask for a larger quota, or send less",
    PAYLOAD_FORMAT_INVALID: "the broker wants another payload",
    0x9A: "the broker must allow retained messages",
    0x9B: "the broker must allow QoS 1",
    0x9C: "ask the broker's operator for its new address",
    0x9D: "ask the broker's operator for its new address",
}

_TURNS_AWAY: Final = (0x88, 0x89, 0x9F)
"""Server unavailable, server busy, connection rate exceeded."""

# Mosquitto answers a PUBLISH over its message_size_limit with PUBACK 0x95, which MQTT 5 (3.4.2.1) lists for
# other packets only; paho would take it for a malformed packet and drop the connection, again and again.
_packets = ReasonCode.names[PACKET_TOO_LARGE]["Packet too large"]
if PacketTypes.PUBACK not in _packets:
    _packets.append(PacketTypes.PUBACK)


def refused_by(broker: str, what: str, reason: ReasonCode) -> NotConnected:
    """Return what a reason code of 0x80 or above means for the link; `what` says what was refused."""
    hint = _NEEDS_A_PERSON.get(reason.value)
    text = f"{broker} {what}: {str(reason).lower()} (0x{reason.value:02X})"
    return NotConnected(
        text if hint is None else f"{text}; {hint}",
        needs_a_person=hint is not None,
        turned_away=reason.value in _TURNS_AWAY,
    )
