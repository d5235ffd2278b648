"""What happened on the wire, counted."""

from dataclasses import dataclass, fields


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
        for name, count in other.as_dict().items():
            setattr(self, name, getattr(self, name) + count)

    def as_dict(self) -> dict[str, int]:
        """Return the counters by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
