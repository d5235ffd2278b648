"""The two ways a serial line marks where a frame ends and whether it is whole: RTU and ASCII.

The frames are pymodbus's work; here they are used as pure functions, and only on bytes that may be one whole
frame: its own search for a frame in a stream would pass over what doesn't fit.
"""

import re
from typing import Final, Literal

from pymodbus.framer import FramerAscii, FramerRTU
from pymodbus.pdu import DecodePDU

from connectors.line.framing import Framing

_PDUS: Final = DecodePDU(is_server=False)
_NO_TRANSACTION: Final = 0
_ASCII_FRAME: Final = re.compile(rb":(?:[0-9A-F]{2}){3,255}\r\n")


class Rtu:
    """Bytes as they are and a 16-bit CRC; silence ends the frame (Modbus over Serial Line V1.02, 2.5.1)."""

    _framer: Final = FramerRTU(_PDUS)

    def enclose(self, content: bytes) -> bytes:
        """Return the frame that carries this content."""
        return self._framer.encode(content[1:], content[0], _NO_TRANSACTION)

    def size(self, content: int) -> int:
        """Return how many bytes a frame with so many bytes of content has."""
        return content + 2

    def opening(self, content: bytes) -> bytes:
        """Return what a frame whose content begins like this begins with."""
        return content

    def content(self, frame: bytes) -> bytes | None:
        """Return the content of exactly one whole frame whose check is right, else None."""
        right = len(frame) >= FramerRTU.MIN_SIZE and FramerRTU.check_CRC(
            frame[:-2], int.from_bytes(frame[-2:], "big")
        )
        return frame[:-2] if right else None

    def bare(self, received: bytes) -> bytes:
        """Return it as it is: nothing comes before a frame."""
        return received

    def veiled(self, answer: bytes) -> bytes:
        """Return it as it is: a reply is known from its first byte to its length."""
        return answer

    def needed(self, answer: bytes, content: int) -> int:  # noqa: ARG002  the length is that of the request
        """Return how many bytes a frame with so many bytes of content has."""
        return self.size(content)


class Ascii:
    """A colon, two hexadecimal digits a byte, a sum, carriage return and line feed (V1.02, 2.5.2)."""

    _framer: Final = FramerAscii(_PDUS)

    def enclose(self, content: bytes) -> bytes:
        """Return the frame that carries this content."""
        return self._framer.encode(content[1:], content[0], _NO_TRANSACTION)

    def size(self, content: int) -> int:
        """Return how many characters a frame with so many bytes of content has."""
        return 2 * content + 5

    def opening(self, content: bytes) -> bytes:
        """Return what a frame whose content begins like this begins with."""
        return b":" + content.hex().upper().encode()

    def content(self, frame: bytes) -> bytes | None:
        """Return the content of exactly one whole frame whose check is right, else None."""
        if _ASCII_FRAME.fullmatch(frame) is None:
            return None
        used, unit, _, pdu = self._framer.decode(frame)
        return bytes((unit,)) + pdu if used == len(frame) and pdu else None

    def bare(self, received: bytes) -> bytes:
        """Return it as it is: nothing comes before a frame."""
        return received

    def veiled(self, answer: bytes) -> bytes:
        """Return it as it is: a reply is known from its first byte to its length."""
        return answer

    def needed(self, answer: bytes, content: int) -> int:  # noqa: ARG002  the length is that of the request
        """Return how many bytes a frame with so many bytes of content has."""
        return self.size(content)


FRAMINGS: Final[dict[Literal["rtu", "ascii"], Framing]] = {"rtu": Rtu(), "ascii": Ascii()}
