"""Rows a platform refused for good: looked at, tried again, exported or deleted; also while the gateway runs.

An entry is what one refusal named of one stored batch, with its original key. `retry` only marks: the running
gateway sees the mark within a second and delivers the rows through the sink's cursor, historical.
"""

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from connectors import Batch, Columns, Delivery, Epoch, Kind, Refusal, Tag
from connectors.quality import BAD, name
from gateway.buffer.codec import decode, encode, pack_tags, tag_bytes, tag_from_json, unpack_tags
from gateway.buffer.known_tags import tags_of
from gateway.buffer.records import Changes, Discard, Held
from gateway.buffer.segment import checksum, epoch_seed
from gateway.buffer.state import NAME, SCHEMA, State
from gateway.ledger import Rows
from gateway.sqlite import connect, migrate, transaction

log = logging.getLogger(__name__)
MOST_ROWS: Final = 1_000_000
"""Beyond this the oldest entries go, counted as dropped."""
_COLUMNS: Final = (
    "id, sink, reason, noted, ordinal, random, seq, arrived, rows, crc, row_numbers, tags, data, source"
)
DISCARDED: Final = "discarded"
"""The reason of what a person has deleted."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One refusal."""

    id: int
    sink: str
    reason: str
    noted: int
    """When it was refused, ns UTC"""
    delivery: Delivery


def hold(
    state: State, moved: Changes, pending: Sequence[Delivery], refused: Sequence[Refusal], noted: int
) -> None:
    """Store refused rows in one transaction with what `moved` there; each refusal names its rows.

    Raises sqlite3.Error.
    """
    sink = moved.cursors[0].sink
    moved.held = [_held(sink, pending[each.delivery], each, noted) for each in refused]
    state.save(moved)
    (total,) = state.query("SELECT ifnull(sum(rows), 0) FROM quarantine")[0]
    while total > MOST_ROWS:
        entry, sink, source, rows = state.query(
            "SELECT id, sink, source, rows FROM quarantine ORDER BY id LIMIT 1"
        )[0]
        gone = Discard(0, entry, sink, source, rows, "quarantine_full")
        state.save(Changes(settled=[entry], discards=[gone]))
        total -= rows


def held_rows(state: State) -> dict[str, Rows]:
    """Return the rows in quarantine or not yet counted as gone from it, by sink and source."""
    found: dict[str, Rows] = {}
    for sink, source, rows in state.query(
        "SELECT sink, source, sum(rows) FROM"
        " (SELECT sink, source, rows FROM quarantine UNION ALL SELECT sink, source, rows FROM discards)"
        " GROUP BY sink, source"
    ):
        found.setdefault(sink, {})[source] = rows
    return found


def name_sources(state: State) -> None:
    """Let entries of an earlier release, which named no source, have that of their tags."""
    for row in state.query(f"SELECT {_COLUMNS} FROM quarantine WHERE source = ''"):  # noqa: S608  constant
        entry = read_entry(row)
        numbers = (
            [] if entry is None else [n for part in entry.delivery.batch.parts for n in part.tag.tolist()]
        )
        tag = state.tags.get(numbers[0]) if numbers else None
        if tag is not None:
            state.execute("UPDATE quarantine SET source = ? WHERE id = ?", (tag.source, row[0]))


def take_retries(state: State, sink: str, max_rows: int) -> list[tuple[int, Delivery]]:
    """Return (entry, delivery) of the oldest entries marked for retry; damaged ones are forgotten."""
    query = f"SELECT {_COLUMNS} FROM quarantine WHERE sink = ? AND retry = 1 ORDER BY id LIMIT 64"  # noqa: S608  constant
    taken: list[tuple[int, Delivery]] = []
    rows = 0
    for row in state.query(query, (sink,)):
        entry = read_entry(row)
        if entry is None:
            log.error("a quarantine entry is damaged and gone", extra={"entry": row[0], "sink": sink})
            gone = Discard(0, row[0], sink, row[13], row[8], "damaged")
            state.save(Changes(settled=[row[0]], discards=[gone]))
            continue
        rows += len(entry.delivery.batch)
        if taken and rows > max_rows:
            break
        taken.append((entry.id, entry.delivery))
    return taken


def _held(sink: str, delivery: Delivery, refusal: Refusal, noted: int) -> Held:
    """Return the refused rows as they are stored."""
    numbers = delivery.row_numbers()
    parts, kept = [], []
    for part, stored in zip(delivery.batch.parts, numbers, strict=True):
        refused = np.isin(stored, np.zeros(0, np.int32) if refusal.rows is None else refusal.rows)
        if refused.any():
            parts.append(part.where(refused))
            kept.append(stored[refused])
    batch = Batch(tuple(parts), delivery.batch.arrived, delivery.batch.origin)
    data, tags = encode(batch), pack_tags(tag_bytes(batch))
    row_numbers = np.concatenate(kept).astype("<i4").tobytes()
    facts = (delivery.seq, batch.arrived, len(batch), -1)
    crc = checksum(epoch_seed(delivery.epoch), sink, facts, tags=tags, resume=row_numbers, data=data)
    return Held(
        *(sink, refusal.reason, noted, delivery.epoch, delivery.seq, batch.arrived, len(batch)),
        *(row_numbers, tags, data, crc, delivery.source),
    )


def read_entry(row: Sequence[Any]) -> Entry | None:
    """Return the entry of a row, None when its checksum does not hold."""
    entry, sink, reason, noted, ordinal, random, seq, arrived, rows, crc, row_numbers, tags, data, source = (
        row
    )
    epoch = Epoch(ordinal, int(random, 16))
    facts = (seq, arrived, rows, -1)
    try:
        proved = checksum(epoch_seed(epoch), sink, facts, tags=tags, resume=row_numbers, data=data)
    except ValueError:
        return None
    if proved != crc:
        return None
    batch = decode(data, unpack_tags(tags, rows), arrived)
    numbers = np.frombuffer(row_numbers, "<i4").astype(np.int32, copy=False)
    delivery = Delivery(batch, epoch, seq, historical=True, rows=_by_part(batch, numbers), source=source)
    return Entry(entry, sink, reason, noted, delivery)


class Quarantine:
    """The quarantine as the command line sees it; the gateway may run or not. Raises sqlite3.Error."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        """Open; FileNotFoundError when there is no store, NewerFormat when it is a later release's."""
        if not self._path.exists():
            raise FileNotFoundError(f"{self._path.parent} holds no store")
        self._connection = connect(self._path)
        migrate(self._connection, SCHEMA)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def list(self, sink: str | None = None) -> Iterator[Entry]:
        """Yield the entries, oldest first."""
        where, values = _where(sink)
        for row in self._open.execute(f"SELECT {_COLUMNS} FROM quarantine {where} ORDER BY id", values):  # noqa: S608
            entry = read_entry(row)
            if entry is not None:
                yield entry

    def count(self, sink: str | None = None) -> int:
        """Return how many entries there are."""
        where, values = _where(sink)
        return int(self._open.execute(f"SELECT count(*) FROM quarantine {where}", values).fetchone()[0])  # noqa: S608

    def tag(self, number: int) -> Tag | None:
        """Return a tag of the catalogue."""
        row = self._open.execute("SELECT record FROM tags WHERE number = ?", (number,)).fetchone()
        return None if row is None else tag_from_json(row[0])

    def retry(self, sink: str | None = None, entries: Sequence[int] | None = None) -> int:
        """Mark entries to be sent again (all when none are named); return the rows."""
        return self._each("UPDATE quarantine SET retry = 1", sink, entries)

    def delete(self, sink: str | None = None, entries: Sequence[int] | None = None) -> int:
        """Forget entries for ever (all when none are named); return the rows.

        The books of their sink count them as dropped, at once when the gateway runs.
        """
        return self._each("DELETE FROM quarantine", sink, entries, discard=True)

    def export(self, sink: str | None = None) -> Iterator[bytes]:
        """Yield one JSON line a refused row, for people and scripts."""
        tags = self.tags()
        for entry in self.list(sink):
            yield from lines_of(entry, tags)

    def tags(self) -> dict[int, Tag]:
        """Return the whole catalogue."""
        return tags_of(self._open)

    def places(self, sink: str | None = None) -> Sequence[tuple[int, int]]:
        """Return number and rows of each entry, oldest first."""
        where, values = _where(sink)
        return self._open.execute(f"SELECT id, rows FROM quarantine {where} ORDER BY id", values).fetchall()  # noqa: S608

    def one(self, number: int) -> Entry | None:
        """Return an entry; None where it is gone or damaged."""
        row = self._open.execute(f"SELECT {_COLUMNS} FROM quarantine WHERE id = ?", (number,)).fetchone()  # noqa: S608
        return None if row is None else read_entry(row)

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError("the quarantine is used outside `with`")
        return self._connection

    def _each(
        self, statement: str, sink: str | None, entries: Sequence[int] | None, *, discard: bool = False
    ) -> int:
        where, values = _where(sink)
        named = None if entries is None else set(entries)
        with transaction(self._open):
            found = self._open.execute(f"SELECT id, rows FROM quarantine {where}", values).fetchall()  # noqa: S608
            chosen = [(entry, rows) for entry, rows in found if named is None or entry in named]
            numbers = [(entry,) for entry, _ in chosen]
            if discard:
                self._open.executemany(
                    "INSERT INTO discards(entry, sink, source, rows, reason)"
                    " SELECT id, sink, source, rows, ? FROM quarantine WHERE id = ?",
                    [(DISCARDED, entry) for entry, _ in chosen],
                )
            self._open.executemany(f"{statement} WHERE id = ?", numbers)
        return sum(rows for _, rows in chosen)


def _where(sink: str | None) -> tuple[str, tuple[str, ...]]:
    return ("", ()) if sink is None else ("WHERE sink = ?", (sink,))


def _by_part(batch: Batch, numbers: NDArray[np.int32]) -> tuple[NDArray[np.int32], ...]:
    ends = np.cumsum([0, *(len(part) for part in batch.parts)])
    return tuple(numbers[a:b] for a, b in pairwise(ends))


def lines_of(entry: Entry, tags: dict[int, Tag]) -> Iterator[bytes]:
    """Yield the rows of an entry as JSON."""
    for part, numbers in zip(entry.delivery.batch.parts, entry.delivery.row_numbers(), strict=True):
        yield from _lines(entry, part, numbers, tags)


def _lines(entry: Entry, part: Columns, numbers: NDArray[np.int32], tags: dict[int, Tag]) -> Iterator[bytes]:
    columns = (
        part.tag.tolist(),
        part.time.tolist(),
        part.value.tolist(),
        part.quality.tolist(),
        numbers.tolist(),
    )
    for number, time, value, quality, row in zip(*columns, strict=True):
        tag = tags.get(number)
        yield orjson.dumps(
            {
                "entry": entry.id,
                "sink": entry.sink,
                "reason": entry.reason,
                "refused": _iso(entry.noted),
                "epoch": str(entry.delivery.epoch),
                "seq": entry.delivery.seq,
                "row": row,
                "path": tag.path if tag else f"#{number}",
                "unit": tag.unit if tag else "",
                "time": _iso(time),
                "value": None if quality >= BAD else _shown(value, tag),
                "quality": name(quality),
            }
        )


def _shown(value: Any, tag: Tag | None) -> Any:
    if tag is not None and tag.kind is Kind.BOOL:
        return bool(value)
    if tag is not None and tag.kind is Kind.UINT64:
        return value & 0xFFFF_FFFF_FFFF_FFFF
    return value


def _iso(ns: int) -> str:
    seconds, rest = divmod(ns, 1_000_000_000)
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
    except (ValueError, OverflowError, OSError):
        return f"{ns}ns"
