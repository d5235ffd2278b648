"""What is saved beside the data, a record each, and the changes that make one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connectors import Epoch
from gateway.buffer.segment import Segment
from gateway.ledger import Books, Gap, Rows


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch of this gateway."""

    epoch: Epoch
    started: int
    """ns UTC"""
    first_seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class SavedCursor:
    """A sink's place: everything at or above `head` and inside `ranges` is still to be delivered."""

    sink: str
    head: int
    ranges: tuple[tuple[int, int], ...] = ()
    """[start, stop) in seq, ascending, below head"""
    parked: int | None = None
    """Since when no configured sink has this name, ns UTC; None while one has."""
    books: Books | None = None
    """What became of the rows it has passed; None before it had any."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What a segment held when it was last counted."""

    first_seq: int
    last_seq: int
    batches: int
    rows: int
    sealed: bool
    sources: Rows | None = None
    """Rows by source; None where an earlier release counted, or what stands there doesn't prove itself."""

    @classmethod
    def of(cls, segment: Segment, *, sealed: bool) -> "Totals":
        """Return a segment's numbers as they are now."""
        numbers = (segment.first_seq, segment.last_seq, segment.batches, segment.rows)
        return cls(*numbers, sealed, dict(segment.sources))


@dataclass(frozen=True, slots=True)
class Held:
    """Refused rows on their way into quarantine."""

    sink: str
    reason: str
    noted: int
    epoch: Epoch
    seq: int
    arrived: int
    rows: int
    row_numbers: bytes
    """int32, little-endian: the rows' places in the stored batch"""
    tags: bytes
    data: bytes
    crc: int
    source: str


@dataclass(frozen=True, slots=True)
class Discard:
    """Rows that have left quarantine for ever, until the books of their sink have counted them."""

    id: int
    entry: int
    sink: str
    source: str
    rows: int
    reason: str


@dataclass(frozen=True, slots=True)
class Retired:
    """What the log has taken in that is no longer in any segment."""

    below: int
    """Every segment that began below this seq has gone; a file that is still there, a crash has left."""
    sources: Rows


@dataclass(slots=True)
class Changes:
    """One transaction on the state."""

    cursors: Sequence[SavedCursor] = ()
    forgotten: Sequence[str] = ()
    """Sinks whose parked cursor ends."""
    totals: Sequence[Totals] = ()
    gone: Sequence[int] = ()
    """First seqs of segments that no longer exist."""
    retired: Retired | None = None
    gaps: Sequence[Gap] = ()
    gaps_told: Mapping[str, int] = field(default_factory=dict)
    """The revision up to which a sink has told its subscribers."""
    held: Sequence[Held] = ()
    settled: Sequence[int] = ()
    """Quarantine entries that are gone: a retry has delivered them, or they are in `discards`."""
    discards: Sequence[Discard] = ()
    counted: Sequence[int] = ()
    """Ids of discards the books have counted."""
    meta: Mapping[str, str] = field(default_factory=dict)
