"""The log, read over HTTP by whoever remembers where they are: exactly once is theirs to have."""

from gateway.stream.lines import KnownTags, Lines, catalogue_lines
from gateway.stream.log import Page, StoredLog, place_of
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
    "place_of",
]
