"""What every serial line has, whatever is spoken on it."""

from typing import Annotated, Final, Literal

from pydantic import Field

from config.base import Duration, Model

_PARITY_BITS: Final = {"none": 0, "even": 1, "odd": 1}


class SerialTerms(Model):
    """How a serial line is set, and how patient one is on it."""

    baud: Annotated[int, Field(ge=50, le=4_000_000)] = 9600
    """Bits a second, the same on every device of the line."""
    data_bits: Literal[7, 8] = 8
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: Literal[1, 2] = 1
    timeout: Annotated[Duration, Field(ge=1_000_000)] = 1_000_000_000
    """Longest wait for a reply, beside the time request and reply take on the wire."""
    echo: bool = False
    """True for an adapter that returns what is sent; it is compared and left out."""
    pause: Annotated[Duration, Field(le=10_000_000_000)] = 0
    """Silence between reply and next request, beside the 3.5 characters there always are."""
    pause_after_connect: Annotated[Duration, Field(le=60_000_000_000)] = 0
    """Silence after the port was opened, for adapters that begin anew with it."""
    quiet: Annotated[Duration, Field(ge=1_000_000, le=60_000_000_000)] = 500_000_000
    """Least silence after a reply that did not come, so that a late one is not taken for the next; never
    shorter than `timeout`, longer by itself for a device whose replies were seen to come later."""

    @property
    def character_bits(self) -> int:
        """Return how many bits one character takes: start, data, parity, stop."""
        return 1 + self.data_bits + _PARITY_BITS[self.parity] + self.stop_bits
