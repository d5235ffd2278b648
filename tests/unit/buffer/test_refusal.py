"""What a disk that refuses is said to mean."""

import errno
import sqlite3
from pathlib import Path

import pytest

from config.reasons import in_words
from gateway.buffer.refusal import meaning

PLACE = Path("/var/lib/the gateway's data")


def of_sqlite(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("attempt to write a readonly database")
    error.sqlite_errorcode = code
    return error


@pytest.mark.fault("A9")
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (of_sqlite(sqlite3.SQLITE_READONLY), "只读"),
        (of_sqlite(sqlite3.SQLITE_IOERR | 4 << 8), "健康"),
        (of_sqlite(sqlite3.SQLITE_CANTOPEN), "打不开"),
        (of_sqlite(sqlite3.SQLITE_FULL), "满了"),
        (of_sqlite(sqlite3.SQLITE_CORRUPT), "已损坏"),
        (OSError(errno.EROFS, "Read-only file system"), "只读"),
        (OSError(errno.EIO, "Input/output error"), "健康"),
        (PermissionError(errno.EACCES, "Permission denied"), "权限"),
    ],
)
def test_people_are_told_what_to_look_at_in_their_language_and_never_the_databases_words(
    error: Exception, said: str
) -> None:
    found = meaning(error, PLACE)
    assert str(PLACE) in found
    assert str(error) not in found
    assert said in in_words(found, "zh")
    assert str(PLACE) in in_words(found, "zh")


def test_what_nobody_has_a_sentence_for_is_said_as_it_came() -> None:
    assert meaning(OSError(errno.ELOOP, "Too many levels"), PLACE).startswith("OSError: [Errno")
