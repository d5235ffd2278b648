"""Compare what a subscriber received with what the gateway had accepted and what the plant had served.

    python -m tests.verify.verify --recording received.bin --journal plant.txt --store data-after-kill-1 …

A row is known by (epoch, seq, row). Accepted rows come from copies of the store; a row that was accepted and
never arrived is lost. The same key again is doubled; with other content (the historical mark apart) it is
mutated. Values are compared with the store's (altered) and recomputed from the version each message carries
in v_0 (wrong). Exit code 0 only when none of these is found, nor one reordered or doubled after an upsert.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from tests.verify.recording import Record, read
from tests.verify.report import Report
from tests.verify.values import Journal, device_index, expected, read_journals, value_indexes

STALE_NS = 2_000_000_000
"""A row's time may differ this much from the journal's: a slow scan, not an old value."""
BAD = 0x80000000

Key = tuple[str, int]
"""epoch, seq"""
StoredBatch = tuple[str, int, str, int, Sequence[tuple[str, int, Any, int]]]
"""epoch, seq, source, arrived, rows of (tag path, time, value, quality); a row's number is its place"""


def verify(
    recordings: Sequence[Path], journal: Journal, stores: Iterable[Iterable[StoredBatch]] = ()
) -> Report:
    """Compare; each of `stores` is what `read_store.batches` yields of one copy."""
    verifier = _Verifier(journal)
    for file in recordings:
        for record in read(file):
            if not record.topic.endswith(("/_tags", "/_status", "/_gaps")):
                verifier.take(file, record)
    verifier.finish()
    verifier.account(stores)
    return verifier.report


@dataclass(frozen=True, slots=True)
class _Message:
    """One data message in columns."""

    key: Key
    device: str
    historical: bool
    row: NDArray[np.int64]
    names: list[str]
    time: NDArray[np.int64]
    value: list[Any]
    quality: NDArray[np.int64]

    @classmethod
    def of(cls, record: Record) -> "_Message":
        said = orjson.loads(record.payload)
        n = len(said["v"])
        row = np.array(said["row"], np.int64) if "row" in said else np.arange(n)
        time = np.full(n, said["t0"], np.int64)
        if "dt" in said:
            time += np.array(said["dt"], np.int64)
        quality = np.array(said["q"], np.int64) if "q" in said else np.zeros(n, np.int64)
        if not len(row) == len(said["tags"]) == len(time) == len(quality) == n > 0:
            raise ValueError("columns differ in length")
        if not record.topic.endswith("/" + said["dev"]):
            raise ValueError("topic and device disagree")
        key = (str(said["epoch"]), int(said["seq"]))
        return cls(key, said["dev"], said.get("hist", False), row, said["tags"], time, said["v"], quality)

    def content(self) -> dict[int, tuple[str, int, Any, int]]:
        """Return each row's content by its number."""
        columns = self.row.tolist(), self.names, self.time.tolist(), self.value, self.quality.tolist()
        return {row: tuple(rest) for row, *rest in zip(*columns, strict=True)}  # type: ignore[misc]


class _Verifier:
    def __init__(self, journal: Journal) -> None:
        self.report = Report()
        self._journal = journal
        self._arrived: dict[Key, NDArray[np.uint16]] = {}
        self._sightings: dict[tuple[Key, str], list[tuple[int, Path, int]]] = {}
        self._last: dict[tuple[str, bool], tuple[int, int, int]] = {}
        self._versions: dict[tuple[Key, str, int], int] = {}
        self._key_of_version: dict[tuple[int, int], Key] = {}
        self._indexes: dict[tuple[str, ...], NDArray[np.int64]] = {}
        self._deferred: list[tuple[Path, int]] = []
        self._latencies: list[int] = []

    def take(self, file: Path, record: Record) -> None:
        """Account for one message."""
        self.report.messages += 1
        try:
            message = _Message.of(record)
        except (ValueError, KeyError, TypeError) as exc:
            self.report.wrong += 1
            self.report.found("wrong", f"{record.topic}: not a message: {exc!r}")
            return
        is_fresh = self._count(message)
        digest = hash(record.payload.replace(b',"hist":true', b"", 1))
        seen = self._sightings.setdefault((message.key, message.device), [])
        if not is_fresh.all() and all(digest != earlier for earlier, _, _ in seen):
            self._compare(message, seen)
        if is_fresh.any():
            seen.append((digest, file, record.place))
            self._check_order(message)
            if not self._check_values(message, record.received):
                self._deferred.append((file, record.place))

    def finish(self) -> None:
        """Check the pieces of split messages against the version another piece told."""
        for file, place in self._deferred:
            message = _Message.of(next(read(file, place)))
            self._check_values(message, None, last_try=True)
        for device, times in self._journal.times.items():
            seen = np.array([n for d, n in self._key_of_version if d == device], np.int64)
            if len(seen):
                served = np.flatnonzero(times[seen.min() : seen.max() + 1])
                self.report.gaps[f"m{device}"] = len(served) - len(np.unique(seen))
        if self._latencies:
            ms = np.array(self._latencies) / 1e6
            p50, p99, longest = np.percentile(ms, [50, 99, 100]).tolist()
            self.report.latency_ms = {"p50": p50, "p99": p99, "max": longest}

    def account(self, stores: Iterable[Iterable[StoredBatch]]) -> None:
        """Find what was accepted and never arrived, or arrived as something else than was stored."""
        places: dict[Key, list[tuple[Path, int]]] = {}
        for (key, _device), seen in self._sightings.items():
            places.setdefault(key, []).extend((file, place) for _, file, place in seen)
        accepted: set[Key] = set()
        known = 0
        for store in stores:
            for epoch, seq, _source, _arrived, rows in store:
                key = (epoch, seq)
                if key in accepted:
                    continue
                accepted.add(key)
                there = int((self._arrived.get(key, np.zeros(0))[: len(rows)] > 0).sum())
                known += there
                self.report.accepted += len(rows)
                if there < len(rows):
                    self.report.found("lost", f"{key}: {len(rows) - there} of {len(rows)} rows")
                for file, place in places.get(key, ()):
                    self._compare_stored(_Message.of(next(read(file, place))), rows)
        self.report.arrived = sum(int((counts > 0).sum()) for counts in self._arrived.values())
        self.report.lost = self.report.accepted - known
        self.report.not_in_store = self.report.arrived - known

    def _compare_stored(self, message: _Message, rows: Sequence[tuple[str, int, Any, int]]) -> None:
        """Compare a message with the rows it was made of: about 0.5 µs a row."""
        columns = message.row.tolist(), message.names, message.time.tolist(), message.value
        for row, name, time, value, quality in zip(*columns, message.quality.tolist(), strict=True):
            stored = rows[row] if row < len(rows) else ("nothing", 0, None, 0)
            if (f"{message.device}/{name}", time, quality) != (stored[0], stored[1], stored[3]) or not (
                value is None if quality >= BAD else _same(value, stored[2])
            ):
                self.report.altered += 1
                said = (name, time, value, quality)
                self.report.found("altered", f"{message.key} row {row}: stored {stored}, arrived {said}")

    def _count(self, message: _Message) -> NDArray[np.bool_]:
        """Count the rows' keys; return which are new."""
        needed = int(message.row.max()) + 1
        counts = self._arrived.get(message.key)
        if counts is None or len(counts) < needed:
            grown = np.zeros(needed, np.uint16)
            if counts is not None:
                grown[: len(counts)] = counts
            counts = self._arrived[message.key] = grown
        is_fresh = counts[message.row] == 0
        counts[message.row] += 1
        self.report.doubled += int((~is_fresh).sum())
        return is_fresh

    def _compare(self, message: _Message, seen: list[tuple[int, Path, int]]) -> None:
        """Compare a repeat row by row: it may be cut into other pieces, but not say anything else."""
        before: dict[int, tuple[str, int, Any, int]] = {}
        for _, file, place in seen:
            before = _Message.of(next(read(file, place))).content() | before
        for row, content in message.content().items():
            # A row of another device under the same number is as bad as another value.
            if row not in before or repr(before[row]) != repr(content):
                if row not in before and self._arrived[message.key][row] == 1:
                    continue
                self.report.mutated += 1
                self.report.found("mutated", f"{message.key} row {row}: {before.get(row)} became {content}")

    def _check_order(self, message: _Message) -> None:
        stream = (message.device, message.historical)
        place = (int(message.key[0].split("-")[0]), message.key[1], int(message.row[0]))
        if stream in self._last and place <= self._last[stream]:
            self.report.reordered += 1
            self.report.found("reordered", f"{stream}: {place} after {self._last[stream]}")
        self._last[stream] = max(place, self._last.get(stream, place))

    def _check_values(self, message: _Message, received: int | None, *, last_try: bool = False) -> bool:
        """Recompute each value; False when the version is in another message, to be tried again."""
        device = device_index(message.device)
        names = tuple(message.names)
        index = self._indexes.get(names)
        if index is None:
            index = self._indexes[names] = value_indexes(names)
        is_bad = message.quality >= BAD
        value, is_number, is_null = _numbers(message.value)
        ruled = (index >= 0) & ~is_bad & is_number & (device is not None)
        carriers = np.flatnonzero(ruled & (index == 0))
        for time, version in zip(message.time[carriers].tolist(), value[carriers].tolist(), strict=True):
            self._versions[message.key, message.device, time] = int(version)
        versions = {
            time: self._versions.get((message.key, message.device, time))
            for time in np.unique(message.time[ruled]).tolist()
        }
        if not last_try and None in versions.values():
            return False
        if (is_null != is_bad).any():
            self._wrong(message, is_null != is_bad, "Good without a value, or Bad with one")
        if (no_number := (index >= 0) & ~is_bad & ~is_null & ~is_number).any():
            self._wrong(message, no_number, "not a number")
        self.report.unverified += int((~is_bad & ~is_null & ~ruled & ~no_number).sum())
        for time, known in versions.items():
            rows = ruled & (message.time == time)
            if known is None or device is None:
                self.report.unverified += int(rows.sum())
                continue
            self._check_key(message, rows, device, known)
            served = self._journal.time(device, known)
            if not served:
                self._wrong(message, rows, f"version {known} was never served")
            elif abs(time - served) > STALE_NS:
                self._wrong(message, rows, f"version {known}: time is {(time - served) / 1e9:.3f} s off")
            elif (differs := rows & (value != expected(device, index, known))).any():
                self._wrong(message, differs, f"not the values of version {known}")
            if served and received is not None and not message.historical:
                self._latencies.append(received - served)
        return True

    def _check_key(self, message: _Message, rows: NDArray[np.bool_], device: int, version: int) -> None:
        """A version is read once, so it has one key: under two, an upsert would keep both."""
        first = self._key_of_version.setdefault((device, version), message.key)
        if first != message.key:
            self.report.doubled_after_upsert += int(rows.sum())
            self.report.found("doubled_after_upsert", f"m{device} version {version}: {first}, {message.key}")

    def _wrong(self, message: _Message, rows: NDArray[np.bool_], why: str) -> None:
        self.report.wrong += int(rows.sum())
        first = int(np.flatnonzero(rows)[0])
        said = f"{message.device}/{message.names[first]} = {message.value[first]} at {message.time[first]}"
        self.report.found("wrong", f"{message.key} {said}: {why}")


def _same(value: Any, stored: Any) -> bool:
    """Tell whether an arrived value is the stored one; bools are stored as numbers, uint64 as int64 bits."""
    if type(value) is int and type(stored) is int and stored < 0 <= value:
        return bool(value - stored == 1 << 64)
    return value is not None and bool(value == stored)


def _numbers(values: list[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return (value, is a number, is null), each (n,); the value is 0 where it is no number."""
    if set(map(type, values)) <= {float, int, type(None)}:
        value = np.array(values, np.float64)
        is_null = np.isnan(value)  # JSON has no NaN of its own
        return np.where(is_null, 0.0, value), ~is_null, is_null
    is_number = np.array([type(value) in (float, int) for value in values])
    is_null = np.array([value is None for value in values])
    return np.array([v if type(v) in (float, int) else 0.0 for v in values]), is_number, is_null


def main() -> None:
    from tests.verify.read_store import batches

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--recording", type=Path, action="append", required=True)
    parser.add_argument("--journal", type=Path, action="append", required=True)
    parser.add_argument("--store", type=Path, action="append", default=[])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    stores = [batches(directory) for directory in options.store]
    report = verify(options.recording, read_journals(options.journal), stores)
    if options.json is not None:
        options.json.write_text(report.json())
    print(report.markdown())
    sys.exit(0 if report.ok else 1)


if __name__ == "__main__":
    main()
