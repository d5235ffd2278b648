"""Sessions: kept here, not in the browser, which holds 256 random bits; here lies only their digest."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from gateway.security.house import By, House
from gateway.security.passwords import NOBODYS, is_right, kept, must_be_strong
from gateway.security.refused import AccessRefused
from gateway.security.rights import IDLE_NS, LONGEST_NS, RIGHTS, Right, Who
from gateway.security.throttle import may_try, was_right
from gateway.security.users import store_password, too_often

MOST_SESSIONS: Final = 20
"""Of one user; the one longest unused goes."""
TOUCHED_NS: Final = 60_000_000_000
"""How old `seen` may be before it is written again."""
_LONGEST_AGENT: Final = 200


@dataclass(frozen=True, slots=True)
class Session:
    """Where somebody is signed in; times are ns UTC."""

    number: str
    """Names it without letting anybody in."""
    made: int
    seen: int
    address: str
    agent: str
    is_this: bool


def sign_in(house: House, name: str, password: str, by: By, *, agent: str = "", before: str = "") -> str:
    """Return a new session's secret; the session the browser had before ends.

    Raises:
        AccessRefused: name or password is wrong, or was tried too often; the words tell no name from another.
    """
    wait = may_try(house, name, by.address)
    if wait:
        raise too_often(wait)
    found = house.rows("SELECT password FROM users WHERE name = ? AND enabled", name)
    with house.one_check:
        is_password = is_right(password, found[0][0] if found else NOBODYS)
    if not found or not is_password:
        # What is nobody's name may be a password that was typed into the wrong field.
        is_name = house.rows("SELECT 1 FROM users WHERE name = ?", name)
        house.audit.append("", by.address, "login.refused", {"user": name if is_name else "?"})
        raise AccessRefused("E-AC-0020")
    return open_session(house, name, by, agent=agent, before=before)


def open_session(house: House, name: str, by: By, *, agent: str = "", before: str = "") -> str:
    """Return a new session's secret, for a user who has been recognised."""
    house.audit.append(name, by.address, "login")
    secret, now = secrets.token_urlsafe(32), house.now()
    with house.writing() as connection:
        was_right(connection, name, by.address, now)
        connection.execute("UPDATE users SET seen = ? WHERE name = ?", (now, name))
        connection.execute("DELETE FROM sessions WHERE digest = ?", (digest(before),))
        connection.execute("DELETE FROM sessions WHERE made <= ?", (now - max(LONGEST_NS.values()),))
        connection.execute(
            "DELETE FROM sessions WHERE user = ? AND digest NOT IN"
            " (SELECT digest FROM sessions WHERE user = ? ORDER BY seen DESC LIMIT ?)",
            (name, name, MOST_SESSIONS - 1),
        )
        values = (digest(secret), name, now, now, by.address, agent[:_LONGEST_AGENT])
        connection.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)", values)
    return secret


def of_session(house: House, secret: str) -> Who | None:
    """Return whose session this is; None when it is nobody's or over."""
    found = house.rows(
        "SELECT name, role, must_change, sessions.made, sessions.seen FROM sessions JOIN users ON name = user"
        " WHERE digest = ? AND enabled",
        digest(secret),
    )
    if not found:
        return None
    name, role, must_change, made, seen = found[0]
    now = house.now()
    # A clock that went back must not make sessions last for ever.
    if not made - TOUCHED_NS <= now < made + LONGEST_NS[role] or now >= seen + IDLE_NS[role]:
        return None
    rights = frozenset({Right.ACCOUNT}) if must_change else RIGHTS[role]
    return Who(name, role, rights, digest(secret), bool(must_change), seen)


def touch(house: House, who: Who) -> None:
    """Note that a session is in use."""
    with house.writing() as connection:
        connection.execute("UPDATE sessions SET seen = ? WHERE digest = ?", (house.now(), who.session))


def sessions_of(house: House, who: Who) -> list[Session]:
    """Return where this user is signed in, the newest first."""
    if who.role == "token" or who.role == "visitor":  # noqa: PLR1714  mypy narrows no membership
        return []
    now = house.now()
    rows = house.rows(
        "SELECT digest, made, seen, address, agent FROM sessions WHERE user = ? AND made > ? AND seen > ?"
        " ORDER BY made DESC",
        who.name,
        now - LONGEST_NS[who.role],
        now - IDLE_NS[who.role],
    )
    return [
        Session(_number(found), made, seen, address, agent, found == who.session)
        for found, made, seen, address, agent in rows
    ]


def end_session(house: House, who: Who, number: str, by: By) -> None:
    """End one of one's own sessions, by its number. Raises AccessRefused when there is none."""
    rows = house.rows("SELECT digest FROM sessions WHERE user = ?", who.name)
    found = [row[0] for row in rows if _number(row[0]) == number]
    if not found:
        raise AccessRefused("E-AC-0022")
    house.audit.append(who.name, by.address, "logout", {"session": number})
    with house.writing() as connection:
        connection.execute("DELETE FROM sessions WHERE digest = ?", (found[0],))


def sign_out(house: House, who: Who, by: By) -> None:
    """End the session that asks."""
    end_session(house, who, _number(who.session), by)


def change_password(house: House, who: Who, old: str, new: str, by: By) -> None:
    """Change one's own password; every session of the user ends, the asking one too. Raises AccessRefused."""
    wait = may_try(house, who.name, by.address)
    if wait:
        raise too_often(wait)
    found = house.rows("SELECT password FROM users WHERE name = ?", who.name)
    with house.one_check:
        if not is_right(old, found[0][0] if found else NOBODYS):
            house.audit.append(who.name, by.address, "password.refused")
            raise AccessRefused("E-AC-0023")
        must_be_strong(new, who.name)
        if new == old:
            raise AccessRefused("E-AC-0024")
        stored = kept(new)
    house.audit.append(who.name, by.address, "password")
    with house.writing() as connection:
        was_right(connection, who.name, by.address, house.now())
        store_password(connection, who.name, stored, house.now(), must_change=False)


def digest(secret: str) -> bytes:
    """Return what is kept of a secret that can't be guessed anyway."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def proof(secret: str) -> str:
    """Return what a page that may read the session's answers sends along when it changes something."""
    return hashlib.sha256(b"proof of one origin " + secret.encode("utf-8", "replace")).hexdigest()[:32]


def _number(digest_: bytes) -> str:
    return hashlib.sha256(b"number " + digest_).hexdigest()[:12]
