"""Passwords: what is too weak, and how one is kept. scrypt takes its time: call it off an event loop."""

import base64
import hashlib
import hmac
import secrets
from typing import Final

from gateway.security.refused import AccessRefused

SHORTEST: Final = 10
LONG: Final = 16
"""From this length on words alone are enough."""
LONGEST: Final = 200
_SORTS: Final = 3
_COST, _BLOCK, _LANES = 15, 8, 3
"""2¹⁵ rounds of 8 blocks, three times over: 32 MiB and about a quarter of a second on a small machine."""
_BESIDE: Final = 7
"""Characters beside a common word."""
_DIFFERENT: Final = 5
_A_WORD: Final = 4
"""Shorter names stand in many words by chance."""
_ROOM: Final = 64 * 2**20
_COMMON: Final = frozenset(
    {"password", "passw0rd", "wanglian", "admin", "qwerty", "123456", "letmein", "abc123"}
)
"""Whatever is made of one of these and a few digits is tried first."""


def must_be_strong(password: str, name: str) -> None:
    """Raise AccessRefused when a password would be guessed."""
    plain = password.lower()
    sorts = sum(any(test(c) for c in password) for test in (str.islower, str.isupper, str.isdigit, _is_other))
    if not SHORTEST <= len(password) <= LONGEST:
        raise AccessRefused("E-AC-0001", shortest=SHORTEST, longest=LONGEST)
    if len(password) < LONG and sorts < _SORTS:
        raise AccessRefused("E-AC-0002", long=LONG)
    left = min((len(plain.replace(word, "")) for word in _COMMON if word in plain), default=len(plain))
    is_name = len(name) >= _A_WORD and name.lower() in plain
    if is_name or left < _BESIDE or len(set(plain)) < _DIFFERENT:
        raise AccessRefused("E-AC-0003")


def kept(password: str) -> str:
    """Return what is stored of a password."""
    salt = secrets.token_bytes(16)
    made = _scrypt(password, salt, _COST, _BLOCK, _LANES)
    return f"scrypt${_COST}${_BLOCK}${_LANES}${_text(salt)}${_text(made)}"


def is_right(password: str, stored: str) -> bool:
    """Tell whether this is the password; takes as long when it is not."""
    kind, cost, block, lanes, salt, made = stored.split("$")
    found = _scrypt(password, _bytes(salt), int(cost), int(block), int(lanes))
    return kind == "scrypt" and hmac.compare_digest(found, _bytes(made))


def _scrypt(password: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=salt,
        n=2**cost,
        r=block,
        p=lanes,
        maxmem=_ROOM,
        dklen=32,
    )


def _is_other(character: str) -> bool:
    return not character.isalnum() or not character.isascii()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


NOBODYS: Final = f"scrypt${_COST}${_BLOCK}${_LANES}${_text(bytes(16))}${_text(bytes(32))}"
"""No password's: what a name that does not exist is compared with, so that it takes as long."""
