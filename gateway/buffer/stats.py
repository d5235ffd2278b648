"""What the store tells of itself; `gateway.observe` turns it into metrics."""

from dataclasses import dataclass

from connectors import Epoch


@dataclass(frozen=True, slots=True)
class BufferStats:
    """A moment's figures; counters count from the store's opening unless they say otherwise."""

    epoch: Epoch
    next_seq: int
    batches: int
    """Stored since opening."""
    rows: int
    """Stored since opening."""
    commits: int
    segments: int
    bytes: int
    """On disk, about."""
    memory_bytes: int
    """Held in the ring of newest batches."""
    queued_bytes: int
    """Waiting for commit, as they lie in memory."""
    dropped: dict[tuple[str, str], int]
    """Undelivered rows that are gone, by (sink, reason), since the store exists."""
    degraded: str
    """Why the disk is not trusted; empty when it is."""
    full: bool
    """At a bound, and the policy is to wait."""
