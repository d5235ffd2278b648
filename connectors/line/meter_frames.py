"""What the frames of DL/T 645 and CJ/T 188 share, as pure functions.

FE FE FE FE │ 68 │ … address … control │ length │ data │ sum │ 16
  wake-up                                              └ of all from the first 68
"""

from typing import ClassVar, Final

START: Final = 0x68
END: Final = 0x16
WAKE: Final = 0xFE
ANYONE: Final = 0xAA
"""Each byte of an address every meter answers to: for a line with one meter only."""
_AROUND: Final = 4
"""Bytes of a frame that are not its content: of a head that says 68 once or twice, and the end."""


class MeterFrames:
    """The part of `line.framing.Framing` that is the same; an heir says where address and data begin."""

    address: ClassVar[slice]
    """Where a frame has it."""
    head: ClassVar[int]
    """Bytes from the first 68 to the length; the data begin behind it."""

    def __init__(self, wake: int = 4, *, anyone: bool = False) -> None:
        """Remember how many bytes FE go first; with `anyone` every reply is of the one that was asked."""
        self._wake = bytes((WAKE,) * wake)
        self._anyone = anyone

    def size(self, content: int) -> int:
        """Return how many bytes the frame of a reply with so many bytes of content has."""
        return content + _AROUND

    def bare(self, received: bytes) -> bytes:
        """Return what was received without the bytes FE a meter sends before its reply."""
        return received.lstrip(bytes((WAKE,)))

    def veiled(self, answer: bytes) -> bytes:
        """Return an answer as it is compared: anyone's address counts as the one that was asked."""
        if not self._anyone:
            return answer
        known = answer[self.address]
        return answer[: self.address.start] + bytes((ANYONE,) * len(known)) + answer[self.address.stop :]

    def _closed(self, frame: bytes) -> bytes:
        return self._wake + frame + bytes((sum(frame) & 0xFF, END))

    def _is_whole(self, frame: bytes) -> bool:
        """Tell whether it is exactly one frame whose sum is right."""
        return (
            len(frame) >= self.head + 2
            and frame[0] == START
            and frame[-1] == END
            and frame[self.head - 1] == len(frame) - self.head - 2
            and sum(frame[:-2]) & 0xFF == frame[-2]
        )

    def _address_of(self, frame: bytes) -> bytes:
        known = frame[self.address]
        return bytes((ANYONE,) * len(known)) if self._anyone else known
