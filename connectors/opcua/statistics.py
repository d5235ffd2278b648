"""What happened in a session, counted."""

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Statistics:
    """Plain integers that only grow."""

    notifications: int = 0
    """Messages with values."""
    keep_alives: int = 0
    values: int = 0
    overflows: int = 0
    """Values before which others were lost, because the server's queue was full."""
    republished: int = 0
    """Messages that were missing and came when asked for again."""
    missed: int = 0
    """Messages that were missing for good; each ends the session, so that the next reports everything."""
    reactivated: int = 0
    """Sessions gone on with over a new connection, proved by data."""
    transferred: int = 0
    """Sessions whose subscriptions a new one took over, proved by data."""
    recreated: int = 0
    """Sessions of which nothing was left; everything was subscribed anew."""
    backfilled: int = 0
    """Values that were missed and came from the server's history."""
    gaps: int = 0
    """Gap records: times a node's values were missed and the server's history had not all of them."""
    polls: int = 0
    poll_overruns: int = 0
    """Polls that fell out because the one before was not done yet."""
    refused_nodes: int = 0
    """Nodes the server would not give, counted at every attempt."""
    revised_intervals: int = 0
    """Nodes the server samples at another interval than asked."""
    revised_queues: int = 0
    """Nodes whose queue the server made shorter than asked."""
    refused_deadbands: int = 0
    """Nodes that should have a deadband at the server and have none: all their changes come."""
    type_mismatches: int = 0
    unsupported: int = 0
    """Parts of values that can't be kept: structures nobody explains, and types that are no value."""
    cut: int = 0
    """Arrays and structures that have more single values than may be kept."""
    strange: int = 0
    """Values of items that were not asked for."""

    def as_dict(self) -> dict[str, int]:
        """Return the counters by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
