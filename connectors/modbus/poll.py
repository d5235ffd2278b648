"""The prepared bytes of one Modbus device's requests, and what a refusal of it means."""

from collections.abc import Sequence
from typing import Final

from connectors.modbus.plan import Request, apart
from connectors.quality import (
    BAD_CONFIGURATION_ERROR,
    BAD_DEVICE_FAILURE,
    BAD_NO_COMMUNICATION,
    BAD_NOT_SUPPORTED,
    BAD_RESOURCE_UNAVAILABLE,
)

QUALITY_OF_EXCEPTION: Final = {
    1: BAD_NOT_SUPPORTED,
    2: BAD_CONFIGURATION_ERROR,
    3: BAD_CONFIGURATION_ERROR,
    4: BAD_DEVICE_FAILURE,
    5: BAD_RESOURCE_UNAVAILABLE,
    6: BAD_RESOURCE_UNAVAILABLE,
    10: BAD_NO_COMMUNICATION,
    11: BAD_NO_COMMUNICATION,
}
"""Exception codes (Application Protocol 7); any other is a device failure."""


class Poll:
    """The prepared bytes of one device's requests.

    Function codes are 1 to 4: there is no way to write.
    """

    def __init__(self, unit_id: int, requests: Sequence[Request]) -> None:
        self.unit_id = unit_id
        self.unit = bytes((unit_id,))
        self.requests = tuple(requests)
        self.asking = tuple(
            bytes((unit_id, request.function))
            + request.address.to_bytes(2, "big")
            + request.count.to_bytes(2, "big")
            for request in requests
        )
        """Unit, function, address and count, as every framing carries them."""
        self.correct = tuple(bytes((unit_id, request.function, request.payload)) for request in requests)
        """What a reply with data begins with: unit, function, byte count."""
        self.lengths = tuple(3 + request.payload for request in requests)
        """Bytes of that reply from the unit on."""
        self.refused = tuple(bytes((unit_id, request.function | 0x80)) for request in requests)
        """What an exception reply begins with; one byte follows, the code."""
        self.blank = tuple(bytes(request.payload) for request in requests)
        """Stands for data that did not come."""

    def apart(self, slots: Sequence[int]) -> list[int]:
        """Return the slots in an order in which as few neighbours as possible could answer for each other."""
        return apart(self.requests, slots)

    def quality(self, reason: int) -> int:
        """Return the quality of what was refused with this exception code."""
        return QUALITY_OF_EXCEPTION.get(reason, BAD_DEVICE_FAILURE)
