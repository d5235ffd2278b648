"""Users: added, given a role, shut out, given a new password; every change ends what it makes untrue.

What is done is in the audit log before it is done: a log that can't be written stops it.
"""

import re
import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from gateway.security import setup_code
from gateway.security.audit import Act
from gateway.security.house import By, House
from gateway.security.passwords import kept, must_be_strong
from gateway.security.refused import AccessRefused
from gateway.security.rights import ROLES, Role
from gateway.security.throttle import may_try, was_right

MOST_USERS: Final = 200
_NAME: Final = re.compile(r"[^\W_][\w.@-]{0,39}")
_COLUMNS: Final = "name, role, enabled, must_change, made, changed, seen"
SETUP: Final = "(set-up)"
"""Under which tries of the code are counted; no user can have this name."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in; times are ns UTC."""

    name: str
    role: Role
    enabled: bool
    must_change: bool
    made: int
    changed: int
    """When the password was set."""
    seen: int | None
    """When last signed in."""


def users(house: House) -> list[User]:
    """Return everybody by name."""
    query = f"SELECT {_COLUMNS} FROM users ORDER BY name"  # noqa: S608  ours
    return [_user(row) for row in house.rows(query)]


def set_up(house: House, code: str, name: str, password: str, by: By) -> None:
    """Make the first user, an administrator, with the code from the console.

    Raises:
        AccessRefused: there are users, the code is wrong or old, or name or password can't be used.
    """
    if house.has_users():
        raise AccessRefused("E-AC-0010")
    # Before the try is counted: who has the code and chose a weak password chooses again at once.
    _must_be_fit(name, password)
    wait = may_try(house, SETUP, by.address)
    if wait:
        raise too_often(wait)
    if not setup_code.is_code(house, code):
        house.audit.append("", by.address, "setup.refused")
        raise AccessRefused("E-AC-0011")
    stored = kept(password)
    with house.writing() as connection:
        if _there(connection):
            raise AccessRefused("E-AC-0010")
        house.audit.append(name, by.address, "setup.done", {"user": name, "role": "administrator"})
        was_right(connection, SETUP, by.address, house.now())
        _insert(connection, name, "administrator", stored, house.now(), must_change=False)


def add_user(house: House, name: str, role: Role, password: str, by: By, *, must_change: bool = True) -> None:
    """Add somebody; a password another chose is to be changed at the first sign-in. Raises AccessRefused."""
    _must_be_role(role)
    stored = _checked(name, password)
    with house.writing() as connection:
        there = _there(connection)
        if name in there:
            raise AccessRefused("E-AC-0005", name=name)
        if not there and role != "administrator":
            raise AccessRefused("E-AC-0009")
        if len(there) >= MOST_USERS:
            raise AccessRefused("E-AC-0012", most=MOST_USERS)
        house.audit.append(by.name, by.address, "user.added", {"user": name, "role": role})
        _insert(connection, name, role, stored, house.now(), must_change=must_change)


def set_role(house: House, name: str, role: Role, by: By) -> None:
    """Give somebody another role; the sessions end. Raises AccessRefused."""
    _must_be_role(role)
    with house.writing() as connection:
        before = _other(connection, name, by)
        if role != "administrator":
            _must_not_be_last(connection, name)
        about = {"user": name, "role": role, "before": before.role}
        house.audit.append(by.name, by.address, "user.role", about)
        connection.execute("UPDATE users SET role = ? WHERE name = ?", (role, name))
        connection.execute("DELETE FROM sessions WHERE user = ?", (name,))


def set_enabled(house: House, name: str, by: By, *, enabled: bool) -> None:
    """Shut somebody out, or let in again; the sessions end. Raises AccessRefused."""
    with house.writing() as connection:
        _other(connection, name, by)
        if not enabled:
            _must_not_be_last(connection, name)
        what: Act = "user.enabled" if enabled else "user.disabled"
        house.audit.append(by.name, by.address, what, {"user": name})
        connection.execute("UPDATE users SET enabled = ? WHERE name = ?", (enabled, name))
        connection.execute("DELETE FROM sessions WHERE user = ?", (name,))


def set_password(house: House, name: str, password: str, by: By, *, must_change: bool = True) -> None:
    """Give somebody else a password, to be changed at the next sign-in. Raises AccessRefused."""
    stored = _checked(name, password)
    with house.writing() as connection:
        _other(connection, name, by)
        house.audit.append(by.name, by.address, "user.password", {"user": name})
        store_password(connection, name, stored, house.now(), must_change=must_change)


def store_password(
    connection: sqlite3.Connection, name: str, stored: str, now: int, *, must_change: bool
) -> None:
    """Keep a new password; every session of that user ends."""
    connection.execute(
        "UPDATE users SET password = ?, must_change = ?, changed = ? WHERE name = ?",
        (stored, must_change, now, name),
    )
    connection.execute("DELETE FROM sessions WHERE user = ?", (name,))


def too_often(wait_ns: int) -> AccessRefused:
    """Return why a try was not made; it says the same of every name."""
    wait_s = -(-wait_ns // 1_000_000_000)
    return AccessRefused("E-AC-0021", wait_s=wait_s, seconds=wait_s)


def _checked(name: str, password: str) -> str:
    _must_be_fit(name, password)
    return kept(password)


def _must_be_fit(name: str, password: str) -> None:
    if not _NAME.fullmatch(name):
        raise AccessRefused("E-AC-0004")
    must_be_strong(password, name)


def _must_be_role(role: str) -> None:
    if role not in ROLES:
        raise AccessRefused("E-AC-0006", role=role)


def _there(connection: sqlite3.Connection) -> dict[str, User]:
    query = f"SELECT {_COLUMNS} FROM users"  # noqa: S608  ours
    return {each.name: each for each in map(_user, connection.execute(query))}


def _other(connection: sqlite3.Connection, name: str, by: By) -> User:
    """Return a user who is not the one who asks: nobody raises or removes themselves."""
    found = _there(connection).get(name)
    if found is None:
        raise AccessRefused("E-AC-0007", name=name)
    if name == by.name:
        raise AccessRefused("E-AC-0008")
    return found


def _must_not_be_last(connection: sqlite3.Connection, name: str) -> None:
    left = [each for each in _there(connection).values() if each.enabled and each.role == "administrator"]
    if [each.name for each in left] == [name]:
        raise AccessRefused("E-AC-0013")


def _insert(
    connection: sqlite3.Connection, name: str, role: Role, stored: str, now: int, *, must_change: bool
) -> None:
    values = (name, role, stored, True, must_change, now, now, None)
    connection.execute("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    connection.execute("DELETE FROM setup")


def _user(row: tuple[Any, ...]) -> User:
    name, role, enabled, must_change, made, changed, seen = row
    return User(name, role, bool(enabled), bool(must_change), made, changed, seen)
