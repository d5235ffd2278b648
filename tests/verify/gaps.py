"""Gaps by docs/reference/store-format.md and gaps.md: what is noted, what a subscriber was told."""

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Key = tuple[str, int]
"""Epoch and number."""
Said = tuple[str, int | None, int | None, tuple[str, ...]]
"""Reason, start, end, sources."""


def noted(store: Path) -> dict[Key, Said]:
    """Return the gaps of what never reached the store."""
    state = sqlite3.connect(store / "state.sqlite")
    try:
        rows = state.execute(
            'SELECT epoch, id, reason, start, "end", sources FROM gaps WHERE first_seq = 0 ORDER BY id'
        ).fetchall()
        names = "SELECT key FROM json_each(?) ORDER BY key"
        return {
            (epoch, number): (reason, start, end, tuple(key for (key,) in state.execute(names, (sources,))))
            for epoch, number, reason, start, end, sources in rows
        }
    finally:
        state.close()


def told(records: Iterable[Mapping[str, Any]]) -> dict[Key, Said]:
    """Return what a subscriber has that keeps the last record of each gap; each has its keys."""
    found: dict[Key, Said] = {}
    for each in records:
        assert {"gw", "epoch", "gap", "reason", "noted", "sources"} <= each.keys(), each
        said = (each["reason"], each.get("start"), each.get("end"), tuple(each["sources"]))
        found[each["epoch"], each["gap"]] = said
    return found
