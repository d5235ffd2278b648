"""The one way we open a database: pragmas, migration, integrity; one thread at a time uses a connection."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

BUSY_TIMEOUT_S: Final = 5.0
"""How long a statement waits for another process (the command line) to finish its transaction."""


class NewerFormat(Exception):
    """The file was written by a later release; this one must not touch it."""


def connect(path: Path) -> sqlite3.Connection:
    """Open or create a database for reading and writing: WAL, every commit on disk when it returns.

    Checkpoints are the caller's: SQLite's automatic one hides a failed fsync. Raises sqlite3.Error.
    """
    return _prepared(
        path,
        "mode=rwc",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA wal_autocheckpoint = 0",
        "PRAGMA temp_store = MEMORY",
    )


def connect_for_reading(path: Path, *, sealed: bool) -> sqlite3.Connection:
    """Open an existing database read-only; `sealed` promises that nobody writes it any more."""
    return _prepared(path, "mode=ro&immutable=1" if sealed else "mode=ro")


def migrate(connection: sqlite3.Connection, steps: Sequence[Sequence[str]]) -> None:
    """Bring the schema to version len(steps); each step is one version's statements.

    Raises:
        NewerFormat: the file's version is above what this release knows.
    """
    if check_version(connection, steps) == len(steps):
        return
    with transaction(connection):
        for step in steps[check_version(connection, steps) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute(f"PRAGMA application_id = {_mark(len(steps))}")


def keep_older(connection: sqlite3.Connection, path: Path, steps: Sequence[Sequence[str]]) -> None:
    """Copy a file of an earlier format beside itself before it is migrated: for who goes back a release."""
    version = check_version(connection, steps)
    kept = path.with_name(f"{path.name}.format-{version}")
    if 0 < version < len(steps) and not kept.exists():
        half = path.with_name(f"{kept.name}.half")
        half.unlink(missing_ok=True)
        copy(connection, half)
        with half.open("rb+") as file:
            os.fsync(file.fileno())
        half.replace(kept)
        sync_directory(path.parent)


def open_sound(path: Path, steps: Sequence[Sequence[str]]) -> sqlite3.Connection:
    """Open a database of ours or create it, its schema this release's, its pages looked through.

    Raises:
        NewerFormat: a later release wrote it.
        sqlite3.Error: it is damaged, or the disk refuses.
    """
    is_new = not path.exists()
    with ExitStack() as on_failure:
        connection = on_failure.enter_context(closing(connect(path)))
        migrate(connection, steps)
        if not is_healthy(connection):
            raise sqlite3.DatabaseError("its pages contradict each other")
        on_failure.pop_all()
    if is_new:
        sync_directory(path.parent)
    return connection


def check_version(connection: sqlite3.Connection, steps: Sequence[Sequence[str]]) -> int:
    """Return the file's schema version; raise NewerFormat when it is above len(steps).

    A single flipped bit must not pass for a later release: the version stands in the header twice, and where
    the two disagree the file is damaged (sqlite3.DatabaseError).
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(steps):
        if int(connection.execute("PRAGMA application_id").fetchone()[0]) != _mark(version):
            raise sqlite3.DatabaseError("the file's header is damaged")
        path = connection.execute("PRAGMA database_list").fetchone()[2]
        raise NewerFormat(
            f"{path} has format {version}, this release reads up to {len(steps)}: "
            "install the release that wrote it, or move the data directory away"
        )
    return version


def _mark(version: int) -> int:
    """Return the application id of a file of ours: WL and the version."""
    return 0x574C_0000 + version


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit on leaving, durably; roll back if anything raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def roll_back(connection: sqlite3.Connection) -> None:
    """End the open transaction, if there still is one; SQLite has often ended it itself."""
    if connection.in_transaction:
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error:
            # A disk that fails here failed the commit too: that error is already on its way up.
            return


def checkpoint(connection: sqlite3.Connection, *, truncate: bool) -> bool:
    """Move the WAL into the database file, synced; tell whether all of it went. Raises sqlite3.Error."""
    mode = "TRUNCATE" if truncate else "PASSIVE"
    busy, in_wal, moved = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    return not busy and in_wal == moved


def copy(source: sqlite3.Connection, target: Path) -> None:
    """Write what `source` sees now to a new file, while others go on writing; sqlite3.Error when it can't.

    One read transaction: a connection that is inside one copies exactly what that one sees. The copy is not
    synced; whoever keeps it does that.
    """
    # A file nobody else knows needs no journal; a crash leaves something to be deleted either way.
    connection = _prepared(target, "mode=rwc", "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF")
    try:
        source.backup(connection)
    finally:
        connection.close()


def is_healthy(connection: sqlite3.Connection) -> bool:
    """Check every page and index; reads the whole file."""
    try:
        return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.DatabaseError:
        return False


def is_full(error: sqlite3.Error) -> bool:
    """Tell a full disk from a failing one."""
    return primary_code(error) == sqlite3.SQLITE_FULL


def primary_code(error: sqlite3.Error) -> int:
    """Return the primary result code (SQLite, Result and Error Codes, 2); 0 where none was given."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def files_of(path: Path) -> tuple[Path, Path, Path]:
    """Return the database file and the two that SQLite keeps beside it."""
    return path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def sync_directory(directory: Path) -> None:
    """Make created, renamed and deleted names durable; Windows does it by itself."""
    if os.name != "posix":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _prepared(path: Path, how: str, *pragmas: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        # A damaged page shall be an error, never a wrong answer.
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        for pragma in pragmas:
            connection.execute(pragma)
        _must_be_told(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _must_be_told(connection: sqlite3.Connection) -> None:
    """Raise sqlite3.DatabaseError where a damaged schema is no text even in SQLite's own words about it.

    Python then raises UnicodeDecodeError, which nobody takes for damage. Other errors tell themselves later.
    """
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except UnicodeDecodeError as exc:
        damage = sqlite3.DatabaseError("malformed database schema")
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage from exc
    except sqlite3.Error:
        return
