"""One file of the log: a SQLite database of stored batches, written by one thread, then sealed for ever.

    meta      the epoch
    sources   number, name, and what was known of each source when the file was begun
    tags      the catalogue rows this file uses, so that the catalogue can be rebuilt
    layouts   tag columns that occur again and again, once
    batches   seq, source, arrived, rows, resume token, layout or inline tags, checksum, data

A batch's checksum covers everything a reader will believe about it, epoch and source name too.
"""

import struct
import zlib
from asyncio import Future
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from connectors import Batch, Epoch, Tag
from gateway.buffer.codec import pack_tags, tag_to_json
from gateway.sqlite import checkpoint, connect, migrate, roll_back, sync_directory

SUFFIX: Final = ".segment"
SCHEMA: Final = (
    (
        "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        """CREATE TABLE sources(
            source INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, last_arrived INTEGER, resume BLOB,
            crc INTEGER NOT NULL)""",
        "CREATE TABLE tags(number INTEGER PRIMARY KEY, crc INTEGER NOT NULL, record BLOB NOT NULL)",
        "CREATE TABLE layouts(layout INTEGER PRIMARY KEY, crc INTEGER NOT NULL, tags BLOB NOT NULL)",
        """CREATE TABLE batches(
            seq INTEGER PRIMARY KEY, source INTEGER NOT NULL, arrived INTEGER NOT NULL, rows INTEGER NOT NULL,
            layout INTEGER, tags BLOB, resume BLOB, crc INTEGER NOT NULL, data BLOB NOT NULL)""",
    ),
)
CHECKPOINT_BYTES: Final = 4 * 2**20
"""WAL size at which pages move to the file: two more syncs for some thousand batches."""
_PAGES_PER_COMMIT: Final = 2 * 4096
"""What a commit writes besides the data, about."""
_LAYOUT_BYTES: Final = 4 * 2**20
"""Memory for recognising tag columns; beyond it new ones stay inline."""
_SEAL_WAITS_MS: Final = 250
_FACTS: Final = struct.Struct("<qqqq")
_INSERT: Final = "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(slots=True)
class SourceState:
    """What is known of a source without reading the log."""

    last_arrived: int | None = None
    """Arrival of its newest stored batch, ns UTC"""
    resume: bytes | None = None
    """The last token that came with a batch"""


@dataclass(slots=True)
class Segment:
    """One file as the log knows it. The event loop changes the numbers, other threads only read them."""

    path: Path
    first_seq: int
    epoch: Epoch
    last_seq: int
    batches: int = 0
    rows: int = 0
    bytes: int = 0
    first_arrived: int = 0
    last_arrived: int = 0
    sealed: bool = False
    """Checkpointed, never written again: read without locks."""
    closed: bool = False
    """No longer the one that is written."""
    sources: dict[str, int] = field(default_factory=dict)
    """Its rows by source."""

    @property
    def is_gapless(self) -> bool:
        """Tell whether every seq between first and last is there: so it is until a repair leaves some out."""
        return self.batches == self.last_seq - self.first_seq + 1


@dataclass(slots=True, eq=False)
class Job:
    """A batch on its way to disk."""

    source: str
    batch: Batch
    rows: int
    memory: int
    """Bytes the batch holds as columns"""
    data: bytes
    tags: bytes
    resume: bytes | None
    receipt: "Future[int]"
    size: int = field(init=False)
    """Bytes it adds to the file, about."""

    def __post_init__(self) -> None:
        """Estimate the size: data, a share of the page, inline tags left out."""
        self.size = len(self.data) + 64 + (len(self.resume) if self.resume else 0)


def segment_path(directory: Path, first_seq: int) -> Path:
    """Return where a segment lives; names sort as their seqs do."""
    return directory / f"{first_seq:020d}{SUFFIX}"


def epoch_seed(epoch: Epoch) -> int:
    """Return the checksum every batch of an epoch starts from."""
    return zlib.crc32(struct.pack("<QQ", epoch.ordinal, epoch.random))


def checksum(
    seed: int,
    source: str,
    facts: tuple[int, int, int, int],
    *,
    tags: bytes | None,
    resume: bytes | None,
    data: bytes,
) -> int:
    """Return the CRC-32 of a stored batch; `facts` are seq, arrived, rows, layout (-1 when inline).

    Raises ValueError for facts that are no numbers: a flipped bit can change what a column holds.
    """
    try:
        packed = _FACTS.pack(*facts)
    except struct.error as exc:
        raise ValueError(f"{facts} are not numbers") from exc
    crc = zlib.crc32(source.encode() + packed, seed)
    crc = zlib.crc32(resume or b"", zlib.crc32(tags or b"", crc))
    return zlib.crc32(data, crc)


def source_row(number: int, name: str, state: SourceState) -> tuple[int, str, int | None, bytes | None, int]:
    """Return the row of a source, with the checksum over the rest of it."""
    arrived = b"" if state.last_arrived is None else struct.pack("<q", state.last_arrived)
    crc = zlib.crc32(state.resume or b"", zlib.crc32(arrived, zlib.crc32(name.encode(), number)))
    return number, name, state.last_arrived, state.resume, crc


class SegmentWriter:
    """The segment that takes new batches. Belongs to the writer thread."""

    def __init__(
        self,
        directory: Path,
        epoch: Epoch,
        first_seq: int,
        known: Mapping[str, SourceState],
        tag: Callable[[int], Tag],
    ) -> None:
        """Create the file and make its name durable; raises sqlite3.Error or OSError."""
        self.path = segment_path(directory, first_seq)
        self.epoch = epoch
        self.first_seq = self.next_seq = first_seq
        self.bytes = 0
        self._tag = tag
        self._seed = epoch_seed(epoch)
        self._sources: dict[str, int] = {}
        self._layouts: dict[bytes, int] = {}
        self._layout_bytes = 0
        self._layout_count = 0
        self._has_tag = np.zeros(1024, np.bool_)
        self._since_checkpoint = 0
        self._connection = connect(self.path)
        try:
            self._begin_file(known)
            sync_directory(directory)
            self._inode = self.path.stat().st_ino
        except BaseException:
            self._connection.close()
            raise

    def append(self, jobs: Sequence[Job]) -> None:
        """Store the batches in one transaction, durable when it returns; their seqs count from `next_seq`.

        Raises sqlite3.Error, nothing is stored then; FileNotFoundError when the file was deleted under us.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            rows = [self._row(seq, job) for seq, job in enumerate(jobs, self.next_seq)]
            self._connection.executemany(_INSERT, rows)
            self._connection.execute("COMMIT")
        except BaseException:
            roll_back(self._connection)
            self._forget()
            raise
        if self.path.stat().st_ino != self._inode:
            raise FileNotFoundError(f"{self.path} is not the file that was opened")
        self.next_seq += len(jobs)
        size = sum(job.size for job in jobs)
        self.bytes += size
        self._since_checkpoint += size + _PAGES_PER_COMMIT

    def checkpoint_if_due(self) -> None:
        """Move the WAL into the file when it has grown; sqlite3.Error means the file can't be trusted."""
        if self._since_checkpoint >= min(CHECKPOINT_BYTES, max(self.bytes, 1 << 18)):
            self._since_checkpoint = 0
            checkpoint(self._connection, truncate=False)

    def rewrite_tags(self, numbers: Iterable[int]) -> None:
        """Store changed catalogue rows again when this file already holds them, with the next batch."""
        for number in numbers:
            if number < len(self._has_tag):
                self._has_tag[number] = False
        # A known layout is not looked into again, so its tags would be missed.
        self._layouts.clear()
        self._layout_bytes = 0

    def seal(self) -> bool:
        """Move everything into the file and close it; tell whether no reader was in the way.

        Raises sqlite3.Error.
        """
        try:
            # A subscriber may be reading; those who wait for a commit must not wait for it.
            self._connection.execute(f"PRAGMA busy_timeout = {_SEAL_WAITS_MS}")
            return checkpoint(self._connection, truncate=True)
        finally:
            self._connection.close()

    def abandon(self) -> None:
        """Close without trusting the disk any more."""
        self._connection.close()

    def _forget(self) -> None:
        """Believe only what is in the file, after a transaction that was rolled back."""
        self._layouts.clear()
        self._layout_bytes = 0
        self._has_tag[:] = False
        self._sources = {n: i for i, n in self._connection.execute("SELECT source, name FROM sources")}
        found = self._connection.execute("SELECT ifnull(max(layout), 0) FROM layouts").fetchone()
        self._layout_count = int(found[0])

    def _begin_file(self, known: Mapping[str, SourceState]) -> None:
        migrate(self._connection, SCHEMA)
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            "INSERT INTO meta VALUES (?, ?)",
            [("epoch", str(self.epoch.ordinal)), ("random", f"{self.epoch.random:016x}")],
        )
        for name, state in known.items():
            self._connection.execute(
                "INSERT INTO sources VALUES (?, ?, ?, ?, ?)", source_row(len(self._sources), name, state)
            )
            self._sources[name] = len(self._sources)
        self._connection.execute("COMMIT")

    def _row(self, seq: int, job: Job) -> tuple[object, ...]:
        source = self._sources.get(job.source)
        if source is None:
            source = self._sources[job.source] = len(self._sources)
            self._connection.execute(
                "INSERT INTO sources VALUES (?, ?, ?, ?, ?)", source_row(source, job.source, SourceState())
            )
        layout = self._layout(job.tags)
        inline = None if layout else pack_tags(job.tags)
        arrived = job.batch.arrived
        facts = (seq, arrived, job.rows, layout or -1)
        crc = checksum(self._seed, job.source, facts, tags=inline, resume=job.resume, data=job.data)
        return seq, source, arrived, job.rows, layout, inline, job.resume, crc, job.data

    def _layout(self, tags: bytes) -> int | None:
        """Return the number of a tag column that came before, None when it shall stay inline.

        Only the second occurrence makes a layout: what a deadband lets through is seldom the same twice.
        """
        known = self._layouts.get(tags)
        if known:
            return known
        if known is None:
            self._note_tags(tags)
            if self._layout_bytes + len(tags) > _LAYOUT_BYTES:
                self._layouts = {each: number for each, number in self._layouts.items() if number}
                self._layout_bytes = sum(map(len, self._layouts))
            if self._layout_bytes + len(tags) <= _LAYOUT_BYTES:
                self._layouts[tags] = 0
                self._layout_bytes += len(tags)
            return None
        self._layout_count += 1
        self._layouts[tags] = self._layout_count
        self._connection.execute(
            "INSERT INTO layouts VALUES (?, ?, ?)", (self._layout_count, zlib.crc32(tags), tags)
        )
        return self._layout_count

    def _note_tags(self, tags: bytes) -> None:
        numbers = np.frombuffer(tags, "<i4")
        highest = int(numbers.max())
        if highest >= len(self._has_tag):
            grown = np.zeros(max(highest + 1, 2 * len(self._has_tag)), np.bool_)
            grown[: len(self._has_tag)] = self._has_tag
            self._has_tag = grown
        if self._has_tag[numbers].all():
            return
        fresh = np.unique(numbers[~self._has_tag[numbers]]).tolist()
        records = [(number, tag_to_json(self._tag(number))) for number in fresh]
        self._connection.executemany(
            "INSERT OR REPLACE INTO tags VALUES (?, ?, ?)",
            [(number, zlib.crc32(record, number), record) for number, record in records],
        )
        self._has_tag[fresh] = True
