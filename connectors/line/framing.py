"""What a serial line asks of a framing: pure functions between content and frames."""

from typing import Protocol


class Framing(Protocol):
    """How unit, function and data become a frame. `content` is always the unit id and what follows it."""

    def enclose(self, content: bytes) -> bytes:
        """Return the frame that carries this content."""
        ...

    def size(self, content: int) -> int:
        """Return how many bytes a frame with so many bytes of content has."""
        ...

    def opening(self, content: bytes) -> bytes:
        """Return what a frame whose content begins like this begins with."""
        ...

    def content(self, frame: bytes) -> bytes | None:
        """Return the content of exactly one whole frame whose check is right, else None."""
        ...

    def bare(self, received: bytes) -> bytes:
        """Return what was received without what a framing sends before a frame to wake its peer."""
        ...

    def veiled(self, answer: bytes) -> bytes:
        """Return an answer, which may be a part, as it is compared: without what the asker can't know."""
        ...

    def needed(self, answer: bytes, content: int) -> int:
        """Return how many bytes a frame has that begins like this and should have so much content."""
        ...
