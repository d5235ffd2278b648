"""One gateway's users and their log: opened when first needed, by the page and by commands at once."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from connectors import Clock, SystemClock
from gateway.security.audit import Audit
from gateway.security.files import open_users, read_users
from gateway.sqlite import checkpoint, transaction

SECURITY: Final = "security"
"""Folder of the data directory."""


@dataclass(frozen=True, slots=True)
class By:
    """Who does something, and from where; for the audit log."""

    name: str
    address: str


class House:
    """Every call may come from any thread; only `rows` is quick enough for an event loop."""

    def __init__(self, data_dir: Path, clock: Clock | None = None) -> None:
        self.directory = data_dir / SECURITY
        self.clock = clock or SystemClock()
        self.audit = Audit(self.directory, self.clock)
        self.one_check = threading.Lock()
        """Passwords are compared one after another: each takes a core and 32 MiB."""
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Let the files go."""
        with self._writing, self._reading:
            for each in (self._writer, self._reader):
                if each is not None:
                    each.close()
            self._writer = self._reader = None
        self.audit.close()

    def now(self) -> int:
        """Return the time, ns UTC."""
        return self.clock.now()

    def has_users(self) -> bool:
        """Tell whether somebody may sign in; before that this machine's own visitors may look."""
        return bool(self.rows("SELECT 1 FROM users LIMIT 1"))

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return what the last commit holds; nothing where nothing was ever written.

        Raises NewerFormat, sqlite3.Error: then nobody is known, and nobody may do anything.
        """
        with self._reading:
            if self._reader is None:
                self._reader = read_users(self.directory)
            return [] if self._reader is None else self._reader.execute(query, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Change something in one transaction. Raises NewerFormat, sqlite3.Error."""
        with self._writing:
            if self._writer is None:
                self._writer = open_users(self.directory)
            with transaction(self._writer):
                yield self._writer
            checkpoint(self._writer, truncate=False)
