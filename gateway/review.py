"""Tags whose numbers mean something else since the plant file was changed: held until a person has looked.

A new template, another ratio of a current transformer, a word order, a unit: what is read from then on may be
wrong by a factor and still look plausible, and no limit tells 10 kWh from 400. So the change is noticed where
the new tag is announced, written down before the catalogue knows of it, and every Good row of that tag is
Uncertain from then on. Nothing is lost: rows are kept and forwarded, they are not booked. `wanglian review`
shows what changed and the first value, and releases it; changing the plant file back does too.

The file is shared with that command: whoever writes it leaves it whole, the gateway looks once a second.
"""

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from connectors import Clock, Columns, Stage, Tag, TagTable
from connectors.quality import UNCERTAIN, UNCERTAIN_CONFIGURATION_ERROR
from gateway.sqlite import checkpoint, files_of, open_sound, transaction

log = logging.getLogger(__name__)

REVIEW: Final = "review.sqlite"
_SCHEMA: Final = (
    (
        """CREATE TABLE held (path TEXT PRIMARY KEY, noticed INTEGER NOT NULL, was TEXT NOT NULL,
        now TEXT NOT NULL, value TEXT, time INTEGER) WITHOUT ROWID, STRICT""",
    ),
)
_LOOK_NS: Final = 1_000_000_000
_MEANING: Final = ("unit", "scale", "offset", "read_as")


@dataclass(frozen=True, slots=True)
class Held:
    """One tag that waits for a person."""

    path: str
    noticed: int
    """When the change was noticed, ns UTC."""
    was: dict[str, Any]
    """unit, scale, offset, read_as before the change."""
    now: dict[str, Any]
    """The same since."""
    value: str | None
    """The first one since; None before it."""
    time: int | None


def held_in(directory: Path, clock: Clock) -> list[Held]:
    """Return what waits in a data directory, also beside a running gateway; nothing where none has run."""
    if not (directory / REVIEW).exists():
        return []
    with Reviews(directory, clock) as reviews:
        return reviews.held()


class Reviews:
    """What is held, on disk and as the mask the pipeline looks rows up in. One per data directory."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._path = directory / REVIEW
        self._clock = clock
        self._paths: dict[str, bool] = {}  # path → its first value is known
        self._mask = np.zeros(0, np.bool_)
        self._seen = (-1, -1)  # data_version of the file and version of the table the mask was made from
        self._changes = 0
        self._look = 0

    def __enter__(self) -> Self:
        """Open or create the file; a damaged one is put aside."""
        try:
            self._connection = open_sound(self._path, _SCHEMA)
        except sqlite3.DatabaseError:
            _, *beside = files_of(self._path)
            self._path.replace(self._path.with_name(f"{REVIEW}.damaged"))
            for file in beside:
                file.unlink(missing_ok=True)
            log.exception("the list of tags to be reviewed is damaged: it was put aside")
            self._connection = open_sound(self._path, _SCHEMA)
        self._load()
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._connection.close()

    def held(self) -> list[Held]:
        """Return what waits, by path."""
        rows = self._connection.execute(
            "SELECT path, noticed, was, now, value, time FROM held ORDER BY path"
        ).fetchall()
        return [Held(p, n, orjson.loads(was), orjson.loads(now), v, t) for p, n, was, now, v, t in rows]

    def accept(self, paths: Iterable[str]) -> None:
        """Release these; durable when it returns."""
        self._write("DELETE FROM held WHERE path = ?", [(path,) for path in paths])

    def changed(self, tags: TagTable, announced: Sequence[tuple[int, Tag]]) -> None:
        """Hold what means something else than before; durable when it returns.

        Called with tags before the table and the catalogue take them.
        """
        first = {each.path: each.was for each in self.held()} if self._paths else {}
        renamed, fresh, back = [], [], []
        for number, tag in announced:
            old = _before(tags, number, tag)
            if old is None or tag.for_sink:
                continue
            if old.path in first and old.path != tag.path:
                first[tag.path] = first[old.path]
                renamed.append((tag.path, old.path))
            was, now = _meaning(old), _meaning(tag)
            if not (old.read_as and tag.read_as):  # stored by a release that did not know it, or not told now
                was["read_as"] = now["read_as"]
            if was == now:
                continue
            was = first.get(tag.path, was)
            if was == now:
                back.append((tag.path,))
            else:
                row = tag.path, self._clock.now(), orjson.dumps(was).decode(), orjson.dumps(now).decode()
                fresh.append(row)
        self._write("UPDATE OR REPLACE held SET path = ? WHERE path = ?", renamed)
        self._write("DELETE FROM held WHERE path = ?", back)
        self._write("INSERT OR REPLACE INTO held (path, noticed, was, now) VALUES (?, ?, ?, ?)", fresh)
        if fresh:
            facts = {"tags": len(fresh), "first": fresh[0][0]}
            log.warning("tags are read otherwise than before: held until `wanglian review`", extra=facts)

    def mask(self, tags: TagTable) -> NDArray[np.bool_] | None:
        """Return which tag numbers are held, (n,) bool; None where none is."""
        if not self._paths:
            return None
        now = self._clock.monotonic()
        if now >= self._look:
            self._look = now + _LOOK_NS
            if self._version() != self._seen[0]:
                self._load()
        if self._seen[1] != tags.version or len(self._mask) < len(tags):
            self._mask = np.zeros(len(tags), np.bool_)
            numbers = [tags.number(path) for path in self._paths]
            self._mask[[number for number in numbers if number is not None]] = True
            self._seen = (self._seen[0], tags.version)
        return self._mask

    def saw(self, tags: TagTable, columns: Columns) -> None:
        """Remember the first value of each tag among these rows, all of them held."""
        rows = []
        for number, time, value in zip(
            columns.tag.tolist(), columns.time.tolist(), columns.value, strict=True
        ):
            path = tags[number].path
            if self._paths.get(path) is False:
                self._paths[path] = True
                rows.append((str(value), time, path))
        if rows:
            self._write("UPDATE held SET value = ?, time = ? WHERE path = ?", rows)

    def _write(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        with transaction(self._connection):
            self._connection.executemany(statement, rows)
        checkpoint(self._connection, truncate=False)
        self._load()

    def _load(self) -> None:
        rows = self._connection.execute("SELECT path, value IS NOT NULL FROM held")
        self._paths = {path: bool(known) for path, known in rows}
        self._seen = (self._version(), -1)

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])


def hold(tags: TagTable, reviews: Reviews) -> Stage:
    """Return a stage: Good rows of held tags become Uncertain."""

    def stage(columns: Columns) -> Columns:
        mask = reviews.mask(tags)
        if mask is None:
            return columns
        wrong = mask[columns.tag] & (columns.quality < np.uint32(UNCERTAIN))
        if not wrong.any():
            return columns
        reviews.saw(tags, columns.where(wrong))
        quality = np.where(wrong, np.uint32(UNCERTAIN_CONFIGURATION_ERROR), columns.quality)
        return Columns(columns.tag, columns.time, columns.value, quality)

    return stage


def _before(tags: TagTable, number: int, tag: Tag) -> Tag | None:
    """Return the tag of this number or path as it was; None for a new one."""
    if number >= len(tags):
        known = tags.number(tag.path)
        if known is None and tag.was:
            known = tags.number(tag.was)
        return None if known is None else tags[known]
    return tags[number]


def _meaning(tag: Tag) -> dict[str, Any]:
    return {name: getattr(tag, name) for name in _MEANING}
