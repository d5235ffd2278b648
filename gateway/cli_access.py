"""What the commands about users, tokens and the audit log share: whose gateway, who does it, why not."""

import getpass
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from config.problems import Language
from gateway.console import data_dir, fail, load, say
from gateway.security import AccessRefused, House
from gateway.security.audit import Act
from gateway.security.house import By
from gateway.sqlite import NewerFormat


@contextmanager
def opened(plant_file: Path, lang: Language | None) -> Iterator[tuple[House, Language]]:
    """Open the users of a plant file's gateway, running or not."""
    plant, language = load(plant_file, lang)
    with House(data_dir(plant_file, plant)) as house:
        try:
            yield house, language
        except (sqlite3.Error, NewerFormat, OSError) as exc:
            fail(say(language, "access.unusable", directory=house.directory, reason=exc))


@contextmanager
def refusals(language: Language) -> Iterator[None]:
    """Say why not, and end with 1."""
    try:
        yield
    except AccessRefused as exc:
        fail(exc.text(language))


def by_console() -> By:
    """Return who types: the machine's account, for the audit log."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        name = "?"
    return By(f"console:{name}", "console")


def note(directory: Path, language: Language, what: Act, **about: object) -> None:
    """Write into the audit log what is about to be done on the console; what can't be written is not done."""
    by = by_console()
    with House(directory) as house:
        try:
            house.audit.append(by.name, by.address, what, about)
        except (sqlite3.Error, NewerFormat, OSError) as exc:
            fail(say(language, "access.unusable", directory=house.directory, reason=exc))


def moment(at: int | None) -> str | None:
    """Return a time as people and programs read it."""
    return None if at is None else datetime.fromtimestamp(at / 1e9, UTC).isoformat(timespec="seconds")
