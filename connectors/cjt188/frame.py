"""The frame of CJ/T 188, as pure functions: bytes in, bytes out. Nothing here can write a meter.

    FE FE FE FE │ 68 │ type │ address, 7 bytes │ control │ length │ data │ sum │ 16
      wake-up                  low byte first                       └ of all from the 68

A request is made of type, address, data identifier and a serial number, and of nothing else: its control code
(01H, read data) and its length stand here as constants, so there is no way to ask for any other, a valve's
least of all. A reply's content is its type, address, control code and data; its length only ends it, since it
differs from meter to meter.
"""

from typing import Final

READ: Final = 0x01
"""The only control code that is ever sent."""
DATA: Final = 0x81
"""Of a reply with data."""
REFUSED: Final = 0xC1
"""Of a reply without."""
ANYONE: Final = bytes((0xAA,) * 7)
"""An address every meter answers to: for a line with one meter only."""
_START, _END, _WAKE = 0x68, 0x16, 0xFE
_WHO: Final = 8
"""Type and address."""
_ASKED: Final = _WHO + 3
"""With identifier and serial number."""
_HEAD: Final = 11
"""From the 68 to the length."""
_AROUND: Final = 4
"""Bytes of a frame that are not its content: 68, length, sum, 16."""


class Frames:
    """Implements `line.framing.Framing`."""

    def __init__(self, wake: int = 4, *, anyone: bool = False) -> None:
        """Remember how many bytes FE go first; with `anyone` every reply is of the one that was asked."""
        self._wake = bytes((_WAKE,) * wake)
        self._anyone = anyone

    def enclose(self, content: bytes) -> bytes:
        """Return the frame that reads this address's data identifier; there is no other request."""
        if len(content) != _ASKED:
            raise ValueError(f"a request is type, address, identifier and number, not {len(content)} bytes")
        frame = bytes((_START, *content[:_WHO], READ, _ASKED - _WHO)) + content[_WHO:]
        return self._wake + frame + bytes((sum(frame) & 0xFF, _END))

    def size(self, content: int) -> int:
        """Return how many bytes a frame with so many bytes of content has."""
        return content + _AROUND

    def opening(self, content: bytes) -> bytes:
        """Return what a reply whose content begins like this begins with, as far as its length."""
        return bytes((_START,)) + content[: _WHO + 1]

    def content(self, frame: bytes) -> bytes | None:
        """Return the content of exactly one whole frame whose sum is right, else None."""
        if len(frame) < _HEAD + 2 or frame[0] != _START or frame[-1] != _END:
            return None
        if frame[_HEAD - 1] != len(frame) - _HEAD - 2 or sum(frame[:-2]) & 0xFF != frame[-2]:
            return None
        address = ANYONE if self._anyone else frame[2:9]
        return frame[1:2] + address + frame[9:10] + frame[_HEAD:-2]

    def bare(self, received: bytes) -> bytes:
        """Return what was received without the bytes FE a meter sends before its reply."""
        return received.lstrip(bytes((_WAKE,)))

    def veiled(self, answer: bytes) -> bytes:
        """Return an answer as it is compared: anyone's address counts as the one that was asked."""
        if not self._anyone:
            return answer
        return answer[:2] + ANYONE[: max(0, len(answer) - 2)] + answer[9:]

    def needed(self, answer: bytes, content: int) -> int:
        """Return how many bytes a frame that begins like this has, as it says itself."""
        return _HEAD + answer[_HEAD - 1] + 2 if len(answer) >= _HEAD else self.size(content)
