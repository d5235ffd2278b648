"""The store's catalogue of tags, for who reads it beside the gateway."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

from connectors import Tag
from gateway.buffer.codec import tag_from_json
from gateway.buffer.state import NAME
from gateway.sqlite import connect_for_reading


def tags_of(connection: sqlite3.Connection, wants: Callable[[int], bool] | None = None) -> dict[int, Tag]:
    """Return the tags of an open state by number, ascending; of all, those it `wants`."""
    rows = connection.execute("SELECT number, record FROM tags ORDER BY number").fetchall()
    return {number: tag_from_json(record) for number, record in rows if wants is None or wants(number)}


def read_tags(store: Path, wants: Callable[[int], bool] | None = None) -> dict[int, Tag]:
    """Return the tags of a store; raises sqlite3.Error where there is none to read."""
    with contextlib.closing(connect_for_reading(store / NAME, sealed=False)) as connection:
        return tags_of(connection, wants)


def is_own(source: str) -> bool:
    """Tell whether the gateway makes these tags itself: no link of the plant file can have such a name."""
    return source.startswith("gateway/")
