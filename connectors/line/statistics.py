"""What happened on the wire, counted."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Final


@dataclass(slots=True)
class Statistics:
    """Counters of one device; plain integers that only grow."""

    scans: int = 0
    overruns: int = 0
    """Scans that fell out because the one before was not done yet."""
    requests: int = 0
    replies: int = 0
    """Correct ones with data."""
    exceptions: int = 0
    timeouts: int = 0
    rejected_replies: int = 0
    """Right transaction, but wrong unit, function, length or byte count."""
    late_replies: int = 0
    """Came after their request was given up."""
    unasked_replies: int = 0
    """Doubled, or of a transaction that never was."""

    def add(self, other: "Statistics") -> None:
        """Count what another has counted, too."""
        for name, count in zip(_NAMES, _counts(other), strict=True):
            setattr(self, name, getattr(self, name) + count)

    def as_dict(self) -> dict[str, int]:
        """Return the counters by name."""
        return dict(zip(_NAMES, _counts(self), strict=True))


_NAMES: Final = tuple(field.name for field in fields(Statistics))
_counts: Final = attrgetter(*_NAMES)


def added_up(counted: Iterable[Statistics]) -> dict[str, int]:
    """Return the sums by name of at least one's; asked for on the event loop, over thousands of devices."""
    columns = zip(*map(_counts, counted), strict=True)
    return dict(zip(_NAMES, map(sum, columns), strict=True))
