"""The one-time code that makes the first user: whoever reads the gateway's console may, nobody else."""

import hashlib
import hmac
import secrets
from typing import Final

from gateway.security.house import House

VALID_NS: Final = 24 * 3_600_000_000_000
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""None that is read for another."""
_GROUPS: Final = 4


def new_code(house: House) -> str:
    """Return a code valid for a day; the one before is void. Raises as `House.writing`."""
    code = "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(_GROUPS))
    with house.writing() as connection:
        connection.execute("DELETE FROM setup")
        connection.execute("INSERT INTO setup VALUES (?, ?)", (_digest(code), house.now() + VALID_NS))
    return code


def is_code(house: House, code: str) -> bool:
    """Tell whether this is the code, and still valid."""
    return any(
        hmac.compare_digest(digest, _digest(code)) and house.now() < expires
        for digest, expires in house.rows("SELECT digest, expires FROM setup")
    )


def _digest(code: str) -> bytes:
    plain = "".join(each for each in code.upper() if each in _LETTERS)
    return hashlib.sha256(plain.encode()).digest()
