"""Tokens for programs: made by an administrator, shown once, for named purposes and a limited time."""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.security.house import By, House
from gateway.security.refused import AccessRefused
from gateway.security.rights import SCOPES, Right, Who
from gateway.security.sessions import digest

DAY_NS: Final = 86_400_000_000_000
DAYS: Final = 365
LONGEST_DAYS: Final = 1100
MOST_TOKENS: Final = 200
PREFIX: Final = "wl_"
"""So that scanners for forgotten secrets know one."""
_NAME: Final = re.compile(r"[^\W_][\w.-]{0,39}")
_COLUMNS: Final = "name, scopes, made, made_by, expires, used"


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; times are ns UTC."""

    name: str
    scopes: tuple[Right, ...]
    made: int
    made_by: str
    expires: int
    used: int | None


def tokens(house: House) -> list[Token]:
    """Return every token by name, also those that are over."""
    query = f"SELECT {_COLUMNS} FROM tokens ORDER BY name"  # noqa: S608  ours
    return [Token(row[0], _scopes(row[1]), *row[2:]) for row in house.rows(query)]


def add_token(house: House, name: str, scopes: Iterable[str], by: By, days: int = DAYS) -> str:
    """Return a new token's secret, which is kept nowhere. Raises AccessRefused."""
    wanted = list(dict.fromkeys(scopes))
    known = [each.value for each in SCOPES]
    if not _NAME.fullmatch(name):
        raise AccessRefused("E-AC-0030")
    if not wanted or not set(wanted) <= set(known):
        raise AccessRefused("E-AC-0031", scopes=", ".join(known))
    if not 1 <= days <= LONGEST_DAYS:
        raise AccessRefused("E-AC-0032", most=LONGEST_DAYS)
    now = house.now()
    secret = PREFIX + secrets.token_urlsafe(32)
    values = (name, digest(secret), " ".join(wanted), now, by.name, now + days * DAY_NS, None)
    with house.writing() as connection:
        there = {row[0] for row in connection.execute("SELECT name FROM tokens")}
        if name in there:
            raise AccessRefused("E-AC-0033", name=name)
        if len(there) >= MOST_TOKENS:
            raise AccessRefused("E-AC-0035", most=MOST_TOKENS)
        about = {"token": name, "scopes": wanted, "days": days}
        house.audit.append(by.name, by.address, "token.added", about)
        connection.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    return secret


def remove_token(house: House, name: str, by: By) -> None:
    """Make a token worthless at once. Raises AccessRefused when there is none of this name."""
    with house.writing() as connection:
        if connection.execute("SELECT 1 FROM tokens WHERE name = ?", (name,)).fetchone() is None:
            raise AccessRefused("E-AC-0034", name=name)
        house.audit.append(by.name, by.address, "token.removed", {"token": name})
        connection.execute("DELETE FROM tokens WHERE name = ?", (name,))


def of_token(house: House, secret: str) -> Who | None:
    """Return whom a token stands for; None when it is none of ours, removed or over."""
    found = house.rows("SELECT name, scopes, expires, used FROM tokens WHERE digest = ?", digest(secret))
    if not found or house.now() >= found[0][2]:
        return None
    name, scopes, _, used = found[0]
    return Who(f"token:{name}", "token", frozenset(_scopes(scopes)), seen=used or 0)


def note_use(house: House, who: Who) -> None:
    """Note that a token is in use."""
    with house.writing() as connection:
        values = (house.now(), who.name.removeprefix("token:"))
        connection.execute("UPDATE tokens SET used = ? WHERE name = ?", values)


def _scopes(text: str) -> tuple[Right, ...]:
    return tuple(Right(each) for each in text.split())
