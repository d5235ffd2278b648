"""A gap record: for which time, of what and why values are missing, at a source or for a sink."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

AWAY: Final = "gateway_away"
"""The gateway itself was not running, or not collecting."""
LINK_DOWN: Final = "link_down"
SOURCE_LOST: Final = "source_lost"
"""The source says that values were lost before they reached us."""
_ONE_LOSS_NS: Final = 60_000_000_000
MOST_DEVICES: Final = 200
"""A gap names so many devices; where there are more it is the whole source's."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing. Of the log's own losses seqs, batches and rows are known; of a source's only time."""

    reason: str
    first_seq: int = 0
    last_seq: int = 0
    batches: int = 0
    rows: int = 0
    """0 when there was no way to count"""
    noted: int = 0
    """ns UTC"""
    start: int | None = None
    """ns UTC: of the log's own losses arrival of the first and last lost batch, as far as known."""
    end: int | None = None
    """None while it lasts, or when it is not known."""
    id: int = 0
    """0 before it is stored."""
    revision: int = 0
    """Rises with every gap noted or changed, so that a subscriber knows what it was not told."""
    sources: Mapping[str, int] = field(default_factory=dict)
    """Rows by source."""
    sinks: Mapping[str, int] = field(default_factory=dict)
    """Rows each sink will never get of what the log has lost; 0 where they could not be counted."""
    devices: Sequence[str] = ()
    """Paths; empty is every device of the sources."""
    tags: int = 0
    """How many are concerned; 0 is not known."""
    epoch: str = ""
    """Under which it was noted first: with `id` it is this gap and no other."""
    place: int = 0
    """The next seq when it was noted or changed last: it is told before the rows from there on."""

    @property
    def lasts(self) -> bool:
        """Tell whether it goes on."""
        return self.reason == LINK_DOWN and self.end is None

    def joined(self, earlier: "Gap") -> "Gap | None":
        """Return what this and an earlier one of its reason and sources are together; None: they are two.

        A link that is down stays so until it ends; what a source lost within a minute is one loss.
        """
        if self.reason == LINK_DOWN and earlier.end is None:
            return replace(earlier, end=self.end, place=self.place)
        is_near = self.noted - earlier.noted < _ONE_LOSS_NS
        if self.reason == SOURCE_LOST and is_near and self.start is not None:
            devices = tuple(dict.fromkeys((*earlier.devices, *self.devices)))
            return replace(
                earlier,
                start=min(self.start, earlier.start or self.start),
                end=max(self.end or 0, earlier.end or 0) or None,
                devices=devices if len(devices) <= MOST_DEVICES else (),
                tags=max(self.tags, earlier.tags),
                place=self.place,
            )
        return None

    def concerns(self, sink: str) -> bool:
        """Tell whether a sink's subscribers are to know: what never reached the log concerns them all."""
        return not self.first_seq or sink in self.sinks


_COLUMNS: Final = (
    *("id", "revision", "noted", "reason", "first_seq", "last_seq", "batches", "rows", "start", "end"),
    *("sources", "sinks", "devices", "tags", "epoch", "place"),
)
COLUMNS: Final = ", ".join(_COLUMNS)
"""As they lie in the state's table."""


def to_row(gap: Gap, number: int | None, revision: int) -> tuple[Any, ...]:
    """Return the row of a gap under a number, None for the next."""
    return (
        *(number, revision, gap.noted, gap.reason, gap.first_seq, gap.last_seq, gap.batches, gap.rows),
        *(gap.start, gap.end, orjson.dumps(gap.sources).decode(), orjson.dumps(gap.sinks).decode()),
        *(orjson.dumps(list(gap.devices)).decode(), gap.tags, gap.epoch, gap.place),
    )


def from_row(row: Sequence[Any]) -> Gap:
    """Return the gap of a row; ValueError when it is none."""
    found = dict(zip(_COLUMNS, row, strict=True))
    for name in ("sources", "sinks", "devices"):
        found[name] = orjson.loads(found[name])
    return Gap(**found)
