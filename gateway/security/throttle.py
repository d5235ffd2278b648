"""How often a password may be tried: each failure doubles the wait, the fifth makes it a quarter of an hour.

A try is written down before its password is compared, so that a hundred at once are a hundred tries; the one
that was right takes its name's back. Names that don't exist are counted like those that do.

Whatever is tried, ten passwords are compared in a minute and no more. Six of them are anybody's. Four are for
who has signed in from that address within a month, and of these two for one address: strangers leave them
alone, and who guesses from behind the address of somebody known leaves the others theirs. An address nobody
is known at has twenty failures in an hour, then one every quarter of an hour: a few addresses can't keep
taking what is anybody's from who comes from a new one.
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
BEFORE_PLACE_LOCK: Final = 20
"""Failures of any names from one address; then only who is known there may try."""
PER_MINUTE: Final = 10
"""Passwords compared for all together; each costs a core 250 ms."""
ANYBODYS: Final = 6
"""As long as there were fewer in the last minute, whoever comes may try."""
OF_A_PLACE: Final = 2
"""As long as those known at an address tried less often in the last minute, others do not hold them up."""
_ALL: Final = "SELECT at FROM checks WHERE at > :since ORDER BY at DESC LIMIT 1 OFFSET :before"
_KNOWN_THERE: Final = (
    "SELECT at FROM checks JOIN known USING (name, address) WHERE at > :since AND address = :place"
    " ORDER BY at DESC LIMIT 1 OFFSET :before"
)


def may_try(house: House, name: str, address: str) -> int:
    """Write a try down and return 0, or return how many ns to wait; then nothing may be compared."""
    now, place = house.now(), network(address)
    with house.writing() as connection:
        connection.execute("DELETE FROM checks WHERE at <= ?", (now - REMEMBERED_NS,))
        # A clock that was set back opens no lock: what lies ahead of it has happened just now.
        connection.execute("UPDATE checks SET at = ? WHERE at > ?", (now, now))
        wait = max(_lock(connection, name, place, now), _turn(connection, name, place, now))
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


def _turn(connection: sqlite3.Connection, name: str, place: str, now: int) -> int:
    """Return how long until one more try may lie within a minute."""
    anybodys = _pace(connection, now, _ALL, ANYBODYS)
    if not _is_known(connection, name, place, now):
        return max(anybodys, _place_lock(connection, place, now))
    own = _pace(connection, now, _KNOWN_THERE, OF_A_PLACE, place=place)
    return min(anybodys, max(own, _pace(connection, now, _ALL, PER_MINUTE)))


def _place_lock(connection: sqlite3.Connection, place: str, now: int) -> int:
    query = "SELECT count(*), max(at) FROM checks WHERE address = ?"
    failures, last = connection.execute(query, (place,)).fetchone()
    return max(0, int(last) + LOCK_NS - now) if failures >= BEFORE_PLACE_LOCK else 0


def _pace(connection: sqlite3.Connection, now: int, query: str, most: int, **which: str) -> int:
    """Return how long until fewer tries than `most` lie in the last minute."""
    row = connection.execute(query, which | {"since": now - MINUTE_NS, "before": most - 1}).fetchone()
    return 0 if row is None else int(row[0]) + MINUTE_NS - now
