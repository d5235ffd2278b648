"""What a source counts."""

from dataclasses import dataclass


@dataclass(slots=True)
class Statistics:
    """Counts of a session."""

    messages: int = 0
    bytes: int = 0
    acks: int = 0
    retained: int = 0
    repeated: int = 0
    """Repeats by the broker of what is in the store already."""
    duplicates: int = 0
    """Messages whose id was seen before on their topic."""
    missed: int = 0
    """Numbers left out between the ids of a topic."""
    reordered: int = 0
    """Messages whose number is lower than one before."""
    malformed: int = 0
    too_large: int = 0
    unmatched: int = 0
    """Messages whose topic no entry wants."""
    unnameable: int = 0
    """Messages whose topic makes no name."""
    clashing: int = 0
    """Messages whose tags belong to another topic or source."""
    own_output: int = 0
    """Messages of this gateway's own that came back."""
    over_limit: int = 0
    """Messages that would make more than `max_tags`."""
    values_missing: int = 0
    """Values that were not in their message."""
