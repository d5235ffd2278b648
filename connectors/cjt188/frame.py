"""The frame of CJ/T 188, as pure functions: bytes in, bytes out. Nothing here can write a meter.

    FE FE FE FE │ 68 │ type │ address, 7 bytes │ control │ length │ data │ sum │ 16
      wake-up                  low byte first                       └ of all from the 68

A request is made of type, address, data identifier and a serial number, and of nothing else: its control code
(01H, read data) and its length stand here as constants, so there is no way to ask for any other, a valve's
least of all. A reply's content is its type, address, control code and data; its length only ends it, since it
differs from meter to meter.
"""

from typing import Final

from connectors.line.meter_frames import ANYONE as _ANYONE
from connectors.line.meter_frames import START, MeterFrames

READ: Final = 0x01
"""The only control code that is ever sent."""
DATA: Final = 0x81
"""Of a reply with data."""
REFUSED: Final = 0xC1
"""Of a reply without."""
ANYONE: Final = bytes((_ANYONE,) * 7)
_WHO: Final = 8
"""Type and address."""
_ASKED: Final = _WHO + 3
"""With identifier and serial number."""


class Frames(MeterFrames):
    """Implements `line.framing.Framing`."""

    address = slice(2, 9)
    head = 11

    def enclose(self, content: bytes) -> bytes:
        """Return the frame that reads this address's data identifier; there is no other request."""
        if len(content) != _ASKED:
            raise ValueError(f"a request is type, address, identifier and number, not {len(content)} bytes")
        return self._closed(bytes((START, *content[:_WHO], READ, _ASKED - _WHO)) + content[_WHO:])

    def opening(self, content: bytes) -> bytes:
        """Return what a reply whose content begins like this begins with, as far as its length."""
        return bytes((START,)) + content[: _WHO + 1]

    def content(self, frame: bytes) -> bytes | None:
        """Return the content of exactly one whole frame whose sum is right, else None."""
        if not self._is_whole(frame):
            return None
        return frame[1:2] + self._address_of(frame) + frame[9:10] + frame[self.head : -2]

    def needed(self, answer: bytes, content: int) -> int:
        """Return how many bytes a frame that begins like this has, as it says itself."""
        return self.head + answer[self.head - 1] + 2 if len(answer) >= self.head else self.size(content)
