"""What is done with a damaged segment: batches that prove themselves move to a new file, the rest is lost.

The damaged file stays beside it as `*.bad` for whoever wants to look; it is never opened again. A repair
reads each batch once and so always ends.
"""

import contextlib
import logging
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from connectors import Epoch
from gateway.buffer.reader import NO_COUNTS, Counts, Damaged, Raw, SegmentReader
from gateway.buffer.segment import SCHEMA, Segment, SourceState, source_row
from gateway.sqlite import NewerFormat, checkpoint, connect, files_of, migrate, sync_directory

log = logging.getLogger(__name__)
BAD: Final = ".bad"
_NEW: Final = ".repair"
_STEP: Final = 256
"""Seqs asked for at once where a file is damaged; halved until the bad ones stand alone."""
_PATIENCE: Final = 20_000
"""After so many failures in a row nothing more is looked for: few segments hold as many batches."""


def salvage(path: Path, epochs: Sequence[Epoch], last_seq: int) -> Segment | None:
    """Replace a damaged segment by what can be proved of it; None when that is nothing.

    `epochs` are the ones it may belong to, in case its own record is damaged; `last_seq` is the highest seq
    it can hold. Raises OSError or sqlite3.Error when the disk takes no new file.
    """
    first_seq = int(path.stem)
    new = path.with_name(path.name + _NEW)
    for each in files_of(new):
        each.unlink(missing_ok=True)
    segment = None
    for epoch in (None, *epochs):
        segment = _copy(path, new, epoch, first_seq, last_seq)
        if segment is not None:
            break
    bad = set_aside(path)
    if segment is not None:
        new.rename(path)
    sync_directory(path.parent)
    log.error(
        "damaged segment set aside",
        extra={"file": bad.name, "kept_batches": segment.batches if segment else 0},
    )
    return segment


def provable_counts(segment: Segment, epochs: Sequence[Epoch]) -> Counts:
    """Return what there is to count of a damaged segment: the batches a repair would keep."""
    sealed = not files_of(segment.path)[1].exists()
    for epoch in (None, *epochs):
        try:
            reader = SegmentReader(segment.path, sealed=sealed, epoch=epoch)
        except (sqlite3.Error, Damaged, NewerFormat):
            continue
        try:
            kept = [
                (raw.seq, raw.rows, raw.source)
                for raw in _provable(reader, segment.first_seq, segment.last_seq + 1)
            ]
        finally:
            reader.close()
        if kept:
            seqs, rows, sources = zip(*kept, strict=True)
            names = list(dict.fromkeys(sources))
            numbers = np.array([names.index(each) for each in sources], np.int64)
            return Counts(np.array(seqs), np.array(rows), numbers, dict(enumerate(names)))
    return NO_COUNTS


def set_aside(path: Path) -> Path:
    """Rename a database and its companions to `*.bad`; return the new name of the first."""
    bad = path.with_name(path.name + BAD)
    n = 1
    while bad.exists():
        n += 1
        bad = path.with_name(f"{path.name}.{n}{BAD}")
    for old in files_of(path):
        if old.exists():
            old.rename(bad.with_name(bad.name + old.name.removeprefix(path.name)))
    return bad


def _copy(path: Path, new: Path, epoch: Epoch | None, first_seq: int, last_seq: int) -> Segment | None:
    try:
        sealed = not files_of(path)[1].exists()
        reader = SegmentReader(path, sealed=sealed, epoch=epoch)
    except (sqlite3.Error, Damaged, NewerFormat):
        return None
    try:
        batches = _provable(reader, first_seq, last_seq + 1)
        first = next(batches, None)
        if first is None:
            return None
        return _write(path, new, reader, first, batches)
    finally:
        reader.close()


def _provable(reader: SegmentReader, start: int, stop: int) -> Iterator[Raw]:
    """Yield every batch that proves itself and can be read, in order, whatever lies between."""
    try:
        last = reader.bounds()
        stop = min(stop, last[1] + 1) if last else start
    except sqlite3.Error:
        pass  # the upper bound we were given has to do
    spans = [(start, stop)]
    failures = 0
    while spans and failures < _PATIENCE:
        start, stop = spans.pop()
        with contextlib.suppress(sqlite3.Error, Damaged):
            for raw in reader.raw(start, stop):
                reader.delivery(raw)  # as whoever reads it will: what can't be decoded would come here again
                yield raw
                start = raw.seq + 1
                failures = 0
        # Also without an error: a flipped bit in a key makes SQLite end early or pass over batches.
        failures += 1
        if stop - start > 1:
            middle = min(start + _STEP, start + (stop - start + 1) // 2)
            spans += [(middle, stop), (start, middle)]


def _write(path: Path, new: Path, reader: SegmentReader, first: Raw, rest: Iterator[Raw]) -> Segment:
    segment = Segment(path, int(path.stem), reader.epoch, first.seq, sealed=True, closed=True)
    segment.first_arrived = first.arrived
    connection = connect(new)
    try:
        migrate(connection, SCHEMA)
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO meta VALUES (?, ?)",
            [("epoch", str(reader.epoch.ordinal)), ("random", f"{reader.epoch.random:016x}")],
        )
        names = _copy_sources_and_tags(connection, reader)
        layouts: set[int] = set()
        for raw in (first, *rest):
            if raw.source not in names:
                names[raw.source] = max(names.values(), default=-1) + 1
                connection.execute(
                    "INSERT INTO sources VALUES (?, ?, ?, ?, ?)",
                    source_row(names[raw.source], raw.source, SourceState()),
                )
            if raw.layout is not None and raw.layout not in layouts:
                tags = raw.tags.astype("<i4", copy=False).tobytes()
                connection.execute(
                    "INSERT INTO layouts VALUES (?, ?, ?)", (raw.layout, zlib.crc32(tags), tags)
                )
                layouts.add(raw.layout)
            connection.execute(
                "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(raw.seq, names[raw.source], raw.arrived, raw.rows, raw.layout),
                    *(raw.inline, raw.resume, raw.crc, raw.data),
                ),
            )
            segment.last_seq, segment.last_arrived = raw.seq, raw.arrived
            segment.batches += 1
            segment.rows += raw.rows
            segment.sources[raw.source] = segment.sources.get(raw.source, 0) + raw.rows
        connection.execute("COMMIT")
        checkpoint(connection, truncate=True)
    finally:
        connection.close()
    segment.bytes = new.stat().st_size
    return segment


def _copy_sources_and_tags(connection: sqlite3.Connection, reader: SegmentReader) -> dict[str, int]:
    names: dict[str, int] = {}
    try:
        for name, state in reader.sources().items():
            names[name] = len(names)
            connection.execute(
                "INSERT INTO sources VALUES (?, ?, ?, ?, ?)", source_row(names[name], name, state)
            )
        connection.executemany("INSERT INTO tags VALUES (?, ?, ?)", reader.tags())
    except sqlite3.Error:
        log.warning("source states or tag rows of a damaged segment are lost")
    return names
