"""The log, read over HTTP by whoever remembers where they are: exactly once is theirs to have."""

from gateway.stream.lines import KnownTags, Lines, catalogue_lines, gap_line
from gateway.stream.log import Page, StoredLog
from gateway.stream.position import Ends, Lost, Position

__all__ = [
    "Ends",
    "KnownTags",
    "Lines",
    "Lost",
    "Page",
    "Position",
    "StoredLog",
    "catalogue_lines",
    "gap_line",
]
