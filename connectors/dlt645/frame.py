"""The frame of DL/T 645-2007, as pure functions: bytes in, bytes out. Nothing here can write a meter.

    FE FE FE FE │ 68 │ address, 6 bytes │ 68 │ control │ length │ data, each byte + 33H │ sum │ 16
      wake-up         low byte first                                            └ of all from the first 68

A request is made of an address and a data identifier, and of nothing else: its control code (11H, read data)
and its length stand here as constants, so there is no way to ask for any other. A reply's content is its
address, control code, length and data, the 33H taken off.
"""

from typing import Final

READ: Final = 0x11
"""The only control code that is ever sent."""
DATA: Final = 0x91
"""Of a reply with data."""
REFUSED: Final = 0xD1
"""Of a reply without; one byte tells why."""
NO_SUCH_DATA: Final = 0x02
"""Bit of that byte: the meter does not have what was asked for."""
ANYONE: Final = bytes((0xAA,) * 6)
"""An address every meter answers to: for a line with one meter only."""
_START, _END, _WAKE, _OFFSET = 0x68, 0x16, 0xFE, 0x33
_ADDRESS: Final = 6
_ASKED: Final = _ADDRESS + 4
"""Address and data identifier."""
_HEAD: Final = 10
"""From the first 68 to the length."""
_AROUND: Final = 4
"""Bytes of a frame that are not its content: two times 68, sum, 16."""


class Frames:
    """Implements `line.framing.Framing`."""

    def __init__(self, wake: int = 4, *, anyone: bool = False) -> None:
        """Remember how many bytes FE go first; with `anyone` every reply is of the one that was asked."""
        self._wake = bytes((_WAKE,) * wake)
        self._anyone = anyone

    def enclose(self, content: bytes) -> bytes:
        """Return the frame that reads this address's data identifier; there is no other request."""
        if len(content) != _ASKED:
            raise ValueError(f"a request is an address and a data identifier, not {len(content)} bytes")
        head = bytes((_START, *content[:_ADDRESS], _START, READ, _ASKED - _ADDRESS))
        frame = head + _shifted(content[_ADDRESS:])
        return self._wake + frame + bytes((sum(frame) & 0xFF, _END))

    def size(self, content: int) -> int:
        """Return how many bytes the frame of a reply with so many bytes of content has."""
        return content + _AROUND

    def opening(self, content: bytes) -> bytes:
        """Return what a reply whose content begins like this begins with."""
        fixed, data = content[_ADDRESS:8], content[8:]
        middle = bytes((_START,)) if len(content) > _ADDRESS else b""
        return bytes((_START,)) + content[:_ADDRESS] + middle + fixed + _shifted(data)

    def content(self, frame: bytes) -> bytes | None:
        """Return the content of exactly one whole frame whose sum is right, else None."""
        if len(frame) < _HEAD + 2 or frame[0] != _START or frame[7] != _START or frame[-1] != _END:
            return None
        if frame[9] != len(frame) - _HEAD - 2 or sum(frame[:-2]) & 0xFF != frame[-2]:
            return None
        data = bytes((each - _OFFSET) & 0xFF for each in frame[_HEAD:-2])
        return (ANYONE if self._anyone else frame[1:7]) + frame[8:10] + data

    def bare(self, received: bytes) -> bytes:
        """Return what was received without the bytes FE a meter sends before its reply."""
        return received.lstrip(bytes((_WAKE,)))

    def veiled(self, answer: bytes) -> bytes:
        """Return an answer as it is compared: anyone's address counts as the one that was asked."""
        if not self._anyone:
            return answer
        return answer[:1] + ANYONE[: max(0, len(answer) - 1)] + answer[7:]

    def needed(self, answer: bytes, content: int) -> int:  # noqa: ARG002  the length is that of the request
        """Return how many bytes a frame with so many bytes of content has."""
        return self.size(content)


def _shifted(data: bytes) -> bytes:
    return bytes((each + _OFFSET) & 0xFF for each in data)
