"""How often a password may be tried: each failure doubles the wait, the fifth makes it a quarter of an hour.

A try is written down before its password is compared, so that a hundred at once are a hundred tries; the one
that was right takes its name's back. Names that don't exist are counted like those that do. Where somebody
has signed in within a month their tries count for themselves: others can't keep them out from elsewhere.
"""

import ipaddress
import sqlite3
from typing import Final

from gateway.security.house import House

SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
LOCK_NS: Final = 15 * MINUTE_NS
BEFORE_LOCK: Final = 5
"""Failures of one name from one address; the fifth locks it there."""
KNOWN_NS: Final = 30 * 24 * 60 * MINUTE_NS
REMEMBERED_NS: Final = 60 * MINUTE_NS
PER_MINUTE: Final = 10
"""Tries of all together who are not known where they ask, and from an address; each costs a core 250 ms."""


def may_try(house: House, name: str, address: str) -> int:
    """Write a try down and return 0, or return how many ns to wait; then nothing may be compared."""
    now, place = house.now(), network(address)
    with house.writing() as connection:
        connection.execute("DELETE FROM checks WHERE at <= ?", (now - REMEMBERED_NS,))
        # A clock that was set back opens no lock: what lies ahead of it has happened just now.
        connection.execute("UPDATE checks SET at = ? WHERE at > ?", (now, now))
        which = "address = ?" if _is_known(connection, name, place, now) else "? IS NOT NULL"
        wait = max(_lock(connection, name, place, now), _rate(connection, now, which, place))
        if not wait:
            values = (now, name, place)
            connection.execute("INSERT INTO checks (at, name, address) VALUES (?, ?, ?)", values)
    return wait


def was_right(connection: sqlite3.Connection, name: str, address: str, now: int) -> None:
    """Forget the failures of a name at an address, in the transaction that lets it in."""
    place = network(address)
    connection.execute("DELETE FROM checks WHERE name = ? AND address = ?", (name, place))
    connection.execute("DELETE FROM known WHERE seen <= ?", (now - KNOWN_NS,))
    connection.execute("INSERT OR REPLACE INTO known VALUES (?, ?, ?)", (name, place, now))


def _is_known(connection: sqlite3.Connection, name: str, place: str, now: int) -> bool:
    query = "SELECT 1 FROM known WHERE name = ? AND address = ? AND seen > ?"
    return connection.execute(query, (name, place, now - KNOWN_NS)).fetchone() is not None


def network(address: str) -> str:
    """Return what one asker can't leave by choosing another address: of IPv6 the first 64 bits."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def _lock(connection: sqlite3.Connection, name: str, place: str, now: int) -> int:
    failures, last = connection.execute(
        "SELECT count(*), max(at) FROM checks WHERE name = ? AND address = ?", (name, place)
    ).fetchone()
    if not failures:
        return 0
    wait = LOCK_NS if failures >= BEFORE_LOCK else SECOND_NS << (failures - 1)
    return max(0, int(last) + wait - now)


def _rate(connection: sqlite3.Connection, now: int, which: str, value: str) -> int:
    """Return how long until one more try may lie within a minute."""
    query = f"SELECT at FROM checks WHERE {which} AND at > ? ORDER BY at DESC LIMIT 1 OFFSET ?"  # noqa: S608  ours
    row = connection.execute(query, (value, now - MINUTE_NS, PER_MINUTE - 1)).fetchone()
    return 0 if row is None else int(row[0]) + MINUTE_NS - now
