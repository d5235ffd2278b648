"""The one thread that writes: commits what has gathered, rotates segments, saves cursors, removes old files.

append ──► inbox ──► [ gather ─► commit + fsync ] ──► one call_soon_threadsafe ──► receipts, cursors
                          ▲            │ disk full: make room or wait, then the same commit again
                          └────────────┘ any other error: this file is abandoned, a new one, once more
"""

import errno
import logging
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Final, Protocol, TypeVar

from config.plant import BufferOptions
from connectors import Epoch, Tag
from gateway.buffer.contract import StoreFailed
from gateway.buffer.refusal import meaning
from gateway.buffer.room import segment_bytes
from gateway.buffer.segment import Job, Segment, SegmentWriter, SourceState, segment_path
from gateway.sqlite import files_of, is_full

log = logging.getLogger(__name__)
_COMMIT_BYTES: Final = 4 * 2**20
"""A commit interval ends early when this much has gathered."""
_CALM_S: Final = 10.0
"""A disk is trusted again once a segment was sealed and nothing failed for so long: a full one takes some."""
_RETRY_S: Final = 0.5
"""While the disk is full and the policy is to wait, room is looked for this often."""

T = TypeVar("T")
Task = Callable[[], object]


class Keeper(Protocol):
    """What the writer asks of the store; called in the writer thread."""

    def stored(self, jobs: list[Job], first_seq: int, begun: Segment | None) -> None:
        """Learn that these batches are on disk."""
        ...

    def ended(self, path: Path, *, sealed: bool) -> None:
        """Learn that a segment is no longer written."""
        ...

    def failed(self, jobs: list[Job], error: StoreFailed) -> None:
        """Learn that these batches were not accepted."""
        ...

    def make_room(self, *, disk_full: bool) -> bool:
        """Remove old data until a new segment fits; tell whether it does."""
        ...

    def directory_lost(self, next_seq: int) -> Epoch:
        """Begin anew in an empty directory; return the new epoch."""
        ...


class Writer:
    """Owns the active segment. Everything but `put`, `post` and `start` happens in its thread."""

    def __init__(
        self,
        directory: Path,
        options: BufferOptions,
        keeper: Keeper,
        tag: Callable[[int], Tag],
        *,
        epoch: Epoch,
        next_seq: int,
        sources: dict[str, SourceState],
    ) -> None:
        self._directory = directory
        self._keeper = keeper
        self._tag = tag
        self._wait_when_full = options.when_full == "wait"
        self._interval_s = options.commit_interval / 1e9
        self._segment_bytes = segment_bytes(options)
        self._segment_age_s = options.segment_age / 1e9
        self._inbox: queue.SimpleQueue[Job | Task | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="buffer-writer")
        self._held: deque[Job] = deque()
        self._active: SegmentWriter | None = None
        self._new: Segment | None = None
        self._begun = 0.0
        self._stopping = False
        self._ended = False
        self.epoch = epoch
        self.next_seq = next_seq
        self.sources = sources
        """Last arrival and resume token by source; other threads only read."""
        self.degraded = ""
        """Why the disk is not trusted at the moment."""
        self._troubled = 0.0
        self._sealed = True
        """A segment was sealed since the disk was in trouble last."""
        self.full = False
        self.commits = 0

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, job: Job) -> None:
        """Queue a batch."""
        self._inbox.put(job)

    def post(self, task: Callable[[], T]) -> "Future[T]":
        """Run something in the writer thread between two commits; the Future has its result or error."""
        done: Future[T] = Future()
        if self._ended:
            done.set_exception(StoreFailed("the store is closed"))
            return done

        def run() -> None:
            if not done.set_running_or_notify_cancel():  # who asked no longer waits; the thread must live on
                return
            try:
                done.set_result(task())
            except BaseException as exc:  # noqa: BLE001  whoever posted the task gets its error
                done.set_exception(exc)

        self._inbox.put(run)
        return done

    def stop(self) -> None:
        """Commit what is queued, seal the segment, end the thread; returns at once."""
        self._inbox.put(None)

    def join(self) -> None:
        """Wait for the thread's end."""
        self._thread.join()

    def end_segment(self) -> None:
        """Seal the active segment, so that the next batch begins a new one."""
        active, self._active = self._active, None
        if active is None:
            return
        sealed = False
        try:
            sealed = active.seal()
            self._sealed = True
        except (sqlite3.Error, OSError) as exc:
            # Without room for the checkpoint the WAL stays and is read; the next start folds it in.
            if not _no_space(exc):
                self._distrust(active, exc)
        self._keeper.ended(active.path, sealed=sealed)

    def rewrite_tags(self, numbers: list[int]) -> None:
        """Let the active segment take changed catalogue rows."""
        if self._active is not None:
            self._active.rewrite_tags(numbers)

    def active_bytes(self) -> int:
        """Return the size of the active segment, about."""
        active = self._active
        return active.bytes if active is not None else 0

    def close_unsealed(self) -> None:
        """End the active segment without the checkpoint for which a full disk has no room."""
        active, self._active = self._active, None
        if active is None:
            return
        active.abandon()
        if active.next_seq == active.first_seq:
            self._clear_the_way()
        else:
            self._keeper.ended(active.path, sealed=False)

    def _run(self) -> None:
        last_commit = 0.0
        try:
            while not self._stopping:
                jobs = self._gather(last_commit)
                if jobs:
                    self._commit(jobs)
                    last_commit = time.monotonic()
            self.end_segment()
        finally:
            self._ended = True
            self._refuse_rest()

    def _refuse_rest(self) -> None:
        """Leave nobody waiting for a thread that has ended; tasks may still run, the state is open."""
        left = list(self._held)
        while not self._inbox.empty():
            item = self._inbox.get_nowait()
            if isinstance(item, Job):
                left.append(item)
            elif item is not None:
                item()
        if left:
            self._keeper.failed(left, StoreFailed("the store is closed"))

    def _gather(self, last_commit: float) -> list[Job]:
        """Wait for a batch, running tasks meanwhile; return all that gathered."""
        jobs = list(self._held)
        self._held.clear()
        size = sum(job.size for job in jobs)
        wait_s: float | None = 0.0 if jobs else None
        while not self._stopping:
            try:
                item = (
                    self._inbox.get(timeout=wait_s)
                    if wait_s is None or wait_s > 0
                    else self._inbox.get_nowait()
                )
            except queue.Empty:
                break
            if isinstance(item, Job):
                jobs.append(item)
                size += item.size
                due = last_commit + self._interval_s - time.monotonic() if self._interval_s else 0.0
                wait_s = max(0.0, due) if size < _COMMIT_BYTES else 0.0
            else:
                self._do(item)
                if jobs:
                    wait_s = 0.0
        return jobs

    def _do(self, item: Task | None) -> None:
        if item is None:
            self._stopping = True
        else:
            item()

    def _commit(self, jobs: list[Job]) -> None:
        """Store the jobs, or fail their receipts; never raises because of the disk."""
        attempts = 0
        while True:
            begun = None
            try:
                begun = self._segment_for(jobs)
                active = self._active
                assert active is not None  # noqa: S101  _segment_for has made one
                active.append(jobs)
            except (sqlite3.Error, OSError) as exc:
                if isinstance(exc, FileNotFoundError) or not self._directory.exists():
                    if attempts == 0 and self._start_anew():
                        attempts += 1
                        continue
                elif _no_space(exc):
                    if self._find_room():
                        continue
                    self._keeper.failed(jobs, StoreFailed(f"{self._directory} is full: {exc}"))
                    return
                self._abandon(exc)
                attempts += 1
                if attempts > 1:
                    self._keeper.failed(jobs, StoreFailed(f"{self._directory} cannot be written: {exc}"))
                    return
            else:
                break
        self._after_commit(jobs, begun)

    def _after_commit(self, jobs: list[Job], begun: Segment | None) -> None:
        first_seq = self.next_seq
        self.next_seq += len(jobs)
        self.commits += 1
        self.full = False
        if self.degraded and self._sealed and time.monotonic() - self._troubled >= _CALM_S:
            self.degraded = ""
        for job in jobs:
            state = self.sources.get(job.source)
            if state is None:
                state = self.sources[job.source] = SourceState()
            state.last_arrived = job.batch.arrived
            if job.resume is not None:
                state.resume = job.resume
        self._keeper.stored(jobs, first_seq, begun)
        try:
            if self._active is not None:
                self._active.checkpoint_if_due()
        except (sqlite3.Error, OSError) as exc:
            # What was committed is in the synced WAL and stays readable there.
            self._abandon(exc)

    def _segment_for(self, jobs: list[Job]) -> Segment | None:
        """Rotate if due and make sure there is an active segment; return it when it is new."""
        active = self._active
        if active is not None and (
            active.bytes >= self._segment_bytes or time.monotonic() - self._begun >= self._segment_age_s
        ):
            self.end_segment()
        if self._active is not None:
            return self._new if self._active.next_seq == self._active.first_seq else None
        while not self._keeper.make_room(disk_full=False):
            if not self._wait_when_full:
                break
            self._pause()
        self._active = SegmentWriter(self._directory, self.epoch, self.next_seq, self.sources, self._tag)
        self._begun = time.monotonic()
        first, arrived = self.next_seq, jobs[0].batch.arrived
        self._new = Segment(self._active.path, first, self.epoch, first - 1, first_arrived=arrived)
        return self._new

    def _find_room(self) -> bool:
        if self._keeper.make_room(disk_full=True):
            return True
        if self._wait_when_full and not self._stopping:
            self._pause()
            return True
        return False

    def _pause(self) -> None:
        """Let time pass without leaving tasks (cursor saves, retention) undone; batches stay queued."""
        if not self.full:
            log.error("the store is full and waits for room", extra={"directory": str(self._directory)})
        self.full = True
        until = time.monotonic() + _RETRY_S
        while not self._stopping and (left := until - time.monotonic()) > 0:
            try:
                item = self._inbox.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(item, Job):
                self._held.append(item)
            else:
                self._do(item)

    def _abandon(self, exc: Exception) -> None:
        """Trust the active file no more: after a failed sync its pages may be lost and yet look clean."""
        active, self._active = self._active, None
        if active is None:
            self._note_trouble(exc)
            self._clear_the_way()
            return
        self._distrust(active, exc)
        active.abandon()
        self._keeper.ended(active.path, sealed=False)
        if active.next_seq == active.first_seq:
            self._clear_the_way()

    def _clear_the_way(self) -> None:
        """Remove a segment that never took a batch; if the disk refuses, leave its name and number."""
        path = segment_path(self._directory, self.next_seq)
        try:
            for each in files_of(path):
                each.unlink(missing_ok=True)
        except OSError:
            self.next_seq += 1

    def _note_trouble(self, exc: Exception) -> None:
        self.degraded = meaning(exc, self._directory)
        self._troubled, self._sealed = time.monotonic(), False

    def _distrust(self, active: SegmentWriter, exc: Exception) -> None:
        self._note_trouble(exc)
        reason = f"{type(exc).__name__}: {exc}"
        log.error("disk error, segment abandoned", extra={"file": active.path.name, "reason": reason})

    def _start_anew(self) -> bool:
        """Begin again where the directory or the active file was deleted; tell whether that could be done."""
        active, self._active = self._active, None
        if active is not None:
            active.abandon()
        try:
            self.epoch = self._keeper.directory_lost(self.next_seq)
        except (sqlite3.Error, OSError, StoreFailed) as exc:
            self._note_trouble(exc)
            log.exception("the data directory is gone and cannot be made again")
            return False
        return True


def _no_space(exc: Exception) -> bool:
    if isinstance(exc, sqlite3.Error):
        return is_full(exc)
    return isinstance(exc, OSError) and exc.errno == errno.ENOSPC
