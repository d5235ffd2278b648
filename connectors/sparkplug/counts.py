"""What a host counts."""

from dataclasses import dataclass


@dataclass(slots=True)
class Statistics:
    """Counts of a session."""

    messages: int = 0
    bytes: int = 0
    acks: int = 0
    births: int = 0
    deaths: int = 0
    rebirths_requested: int = 0
    late_deaths: int = 0
    """Deaths of a session before the one that lives."""
    before_birth: int = 0
    """Messages of a node or device whose birth is not known."""
    unknown_aliases: int = 0
    """Values whose alias or name no birth has named."""
    missed: int = 0
    """Numbers left out in a node's sequence."""
    reordered: int = 0
    """Messages that came before their turn and waited for it."""
    dropped: int = 0
    """Messages that came behind their turn, or waited in vain for a birth that vouches for them."""
    contested: int = 0
    """Messages of two nodes with one id."""
    historical: int = 0
    """Values a node had kept for us."""
    malformed: int = 0
    too_large: int = 0
    unmatched: int = 0
    """Messages no entry wants."""
    unsupported: int = 0
    """Metrics of a birth whose type is not kept."""
    unnameable: int = 0
    """Metrics whose name makes none of a tag."""
    clashing: int = 0
    """Metrics whose tag belongs to another metric or source."""
    over_limit: int = 0
    """Metrics and nodes beyond `max_tags`."""
