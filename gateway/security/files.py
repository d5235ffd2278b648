"""The database of users: its schema, and how it is opened."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from gateway.sqlite import check_version, connect_for_reading, open_sound

USERS: Final = "users.sqlite"
SCHEMA: Final[Sequence[Sequence[str]]] = (
    (
        """CREATE TABLE users (
            name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT NOT NULL, enabled INTEGER NOT NULL,
            must_change INTEGER NOT NULL, made INTEGER NOT NULL, changed INTEGER NOT NULL, seen INTEGER
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE sessions (
            digest BLOB PRIMARY KEY, user TEXT NOT NULL, made INTEGER NOT NULL, seen INTEGER NOT NULL,
            address TEXT NOT NULL, agent TEXT NOT NULL
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE tokens (
            name TEXT PRIMARY KEY, digest BLOB NOT NULL UNIQUE, scopes TEXT NOT NULL, made INTEGER NOT NULL,
            made_by TEXT NOT NULL, expires INTEGER NOT NULL, used INTEGER
        ) STRICT, WITHOUT ROWID""",
        "CREATE TABLE setup (digest BLOB NOT NULL, expires INTEGER NOT NULL) STRICT",
        """CREATE TABLE checks (
            id INTEGER PRIMARY KEY, at INTEGER NOT NULL, name TEXT NOT NULL, address TEXT NOT NULL
        ) STRICT""",
        "CREATE INDEX checks_at ON checks (at)",
    ),
    (
        """CREATE TABLE known (
            name TEXT NOT NULL, address TEXT NOT NULL, seen INTEGER NOT NULL, PRIMARY KEY (name, address)
        ) STRICT, WITHOUT ROWID""",
    ),
)


def open_users(directory: Path) -> sqlite3.Connection:
    """Open the database or create it, its folder for this account alone. Raises as `open_sound`."""
    make_private(directory)
    return open_sound(directory / USERS, SCHEMA)


def read_users(directory: Path) -> sqlite3.Connection | None:
    """Open the database for reading; None where there never was a user. Raises NewerFormat, sqlite3.Error."""
    path = directory / USERS
    if not path.exists():
        return None
    connection = connect_for_reading(path, sealed=False)
    try:
        check_version(connection, SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def make_private(directory: Path) -> None:
    """Make a folder nobody else may look into."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix" and directory.stat().st_mode & 0o077:
        directory.chmod(0o700)


def has_users(directory: Path) -> bool:
    """Tell whether somebody may sign in. Raises NewerFormat, sqlite3.Error."""
    connection = read_users(directory)
    if connection is None:
        return False
    with closing(connection):
        return connection.execute("SELECT 1 FROM users LIMIT 1").fetchone() is not None
