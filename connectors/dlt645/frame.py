"""The frame of DL/T 645-2007, as pure functions: bytes in, bytes out. Nothing here can write a meter.

    FE FE FE FE │ 68 │ address, 6 bytes │ 68 │ control │ length │ data, each byte + 33H │ sum │ 16
      wake-up         low byte first                                            └ of all from the first 68

A request is made of an address and a data identifier, and of nothing else: its control code (11H, read data)
and its length stand here as constants, so there is no way to ask for any other. A reply's content is its
address, control code, length and data, the 33H taken off.
"""

from typing import Final

from connectors.line.meter_frames import ANYONE as _ANYONE
from connectors.line.meter_frames import START, MeterFrames

READ: Final = 0x11
"""The only control code that is ever sent."""
DATA: Final = 0x91
"""Of a reply with data."""
REFUSED: Final = 0xD1
"""Of a reply without; one byte tells why."""
NO_SUCH_DATA: Final = 0x02
"""Bit of that byte: the meter does not have what was asked for."""
_ADDRESS: Final = 6
ANYONE: Final = bytes((_ANYONE,) * _ADDRESS)
_OFFSET: Final = 0x33
_ASKED: Final = _ADDRESS + 4
"""Address and data identifier."""


class Frames(MeterFrames):
    """Implements `line.framing.Framing`."""

    address = slice(1, 1 + _ADDRESS)
    head = 10

    def enclose(self, content: bytes) -> bytes:
        """Return the frame that reads this address's data identifier; there is no other request."""
        if len(content) != _ASKED:
            raise ValueError(f"a request is an address and a data identifier, not {len(content)} bytes")
        head = bytes((START, *content[:_ADDRESS], START, READ, _ASKED - _ADDRESS))
        return self._closed(head + _shifted(content[_ADDRESS:]))

    def opening(self, content: bytes) -> bytes:
        """Return what a reply whose content begins like this begins with."""
        fixed, data = content[_ADDRESS:8], content[8:]
        middle = bytes((START,)) if len(content) > _ADDRESS else b""
        return bytes((START,)) + content[:_ADDRESS] + middle + fixed + _shifted(data)

    def content(self, frame: bytes) -> bytes | None:
        """Return the content of exactly one whole frame whose sum is right, else None."""
        if not self._is_whole(frame) or frame[7] != START:
            return None
        data = bytes((each - _OFFSET) & 0xFF for each in frame[self.head : -2])
        return self._address_of(frame) + frame[8:10] + data

    def needed(self, answer: bytes, content: int) -> int:  # noqa: ARG002  the length is that of the request
        """Return how many bytes a frame with so many bytes of content has."""
        return self.size(content)


def _shifted(data: bytes) -> bytes:
    return bytes((each + _OFFSET) & 0xFF for each in data)
