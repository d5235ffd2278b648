"""A cheaper list of MQTT 5 properties for paho's decoder.

paho builds its table of all 27 properties anew for every packet it receives, some 60 lists and dicts, and
looks each up to clear it: 25 µs of the 60 a message took, and work for the garbage collector behind. Here the
table is shared, and a packet without properties, as nearly all are, costs nothing.
"""

from typing import Any, Final

from paho.mqtt import _packet
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

_TABLES: Final[Any] = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]


class SharedTables(Properties):
    """paho's Properties with the tables in the class."""

    types = _TABLES.types
    names = _TABLES.names
    properties = _TABLES.properties

    def __init__(self, packetType: int) -> None:  # noqa: N803  paho's name
        self.packetType = packetType

    def unpack(self, buffer: bytes | bytearray) -> tuple[Properties, int]:
        """Take the properties a packet begins with; return them and their length in bytes."""
        if buffer[:1] == b"\0":
            return self, 1
        found: tuple[Properties, int] = super().unpack(buffer)  # type: ignore[no-untyped-call]
        return found


_packet.Properties = SharedTables  # type: ignore[attr-defined]
