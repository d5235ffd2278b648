"""What a figure has to say about itself, in bits, and the words for them."""

from typing import Final

GAP: Final = 1
"""Readings lie more than three scans apart, or a cell was cut: how energy spread over time is estimated."""
ROLLOVER: Final = 2
RESET: Final = 4
"""The counter began again at 0; what passed between its last reading and that moment is not in the books."""
SWAP: Final = 8
BACKSTEP: Final = 16
"""The counter fell by no more than it reads uncertain: nothing is booked until it is above its highest."""
SUSPECT: Final = 32
"""A reading was left out: the one after it agrees with the one before."""
UNKNOWN: Final = 64
"""The counter jumped to where no energy can have brought it: nothing is booked for that stretch."""
RATIO: Final = 128
"""The transformers changed between two readings."""
POWER: Final = 256
"""Added up from power: there is no counter."""
MANUAL: Final = 512
"""A reading a person took or entered."""
OVERDUE: Final = 1024
"""The meter's verification is overdue."""
OVERLAP: Final = 2048
"""Meters are summed that no one has said to be beside each other: some may count the same energy."""
NEGATIVE: Final = 4096
"""A virtual meter came out below 0: its meters contradict each other."""
MISSING: Final = 32768
"""Nothing is known at this boundary."""

ESTIMATES: Final = GAP | RESET | RATIO | POWER
WORDS: Final = {
    GAP: "gap",
    ROLLOVER: "rollover",
    RESET: "reset",
    SWAP: "swap",
    BACKSTEP: "backstep",
    SUSPECT: "suspect",
    UNKNOWN: "unknown",
    RATIO: "ratio",
    POWER: "power",
    MANUAL: "manual",
    OVERDUE: "overdue",
    OVERLAP: "overlap",
    NEGATIVE: "negative",
    MISSING: "missing",
}


def words(flags: int) -> list[str]:
    """Return the flags' names, in the order of their bits."""
    return [word for bit, word in WORDS.items() if flags & bit]
