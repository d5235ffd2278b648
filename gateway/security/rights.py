"""Roles and what each may do. Duties are separated: no role both does and judges what was done.

An administrator decides who may come in and sees no audit log; an auditor reads what everybody did and
changes nothing; an engineer changes the plant and no users. Nobody can shorten the audit log.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

Role = Literal["viewer", "engineer", "administrator", "auditor"]
ROLES: Final[tuple[Role, ...]] = ("viewer", "engineer", "administrator", "auditor")


class Right(Enum):
    """What a route asks for."""

    NOBODY = "nobody"
    """Anybody may, also without a session: the page's own files, and signing in."""
    ACCOUNT = "account"
    """One's own password and sessions: everybody who has signed in, and no token."""
    READ = "read"
    """See values, states, trends, energy and reports."""
    STREAM = "stream"
    """Take stored rows, from a position on."""
    CONFIG = "config"
    """Change what the gateway does."""
    USERS = "users"
    """Add users and tokens, give them roles, take them away."""
    AUDIT = "audit"
    """Read, verify and export the audit log."""


_EVERYBODY: Final = {Right.ACCOUNT, Right.READ}
RIGHTS: Final[dict[Role, frozenset[Right]]] = {
    "viewer": frozenset(_EVERYBODY),
    "engineer": frozenset(_EVERYBODY | {Right.STREAM, Right.CONFIG}),
    "administrator": frozenset(_EVERYBODY | {Right.USERS}),
    "auditor": frozenset(_EVERYBODY | {Right.AUDIT}),
}
SCOPES: Final = (Right.READ, Right.STREAM, Right.CONFIG)
"""What a token may be for; programs keep no users and judge nobody."""

_MINUTE_NS: Final = 60_000_000_000
IDLE_NS: Final[dict[Role, int]] = {
    "viewer": 7 * 24 * 60 * _MINUTE_NS,
    "engineer": 30 * _MINUTE_NS,
    "administrator": 30 * _MINUTE_NS,
    "auditor": 30 * _MINUTE_NS,
}
"""A session nobody uses ends after this; a viewer's may hang on the wall for a week."""
LONGEST_NS: Final[dict[Role, int]] = {
    "viewer": 7 * 24 * 60 * _MINUTE_NS,
    "engineer": 12 * 60 * _MINUTE_NS,
    "administrator": 12 * 60 * _MINUTE_NS,
    "auditor": 12 * 60 * _MINUTE_NS,
}
"""Used or not."""


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who asks, and what that one may do."""

    name: str
    """Of the user, or `token:` and the token's name; empty of a visitor."""
    role: Role | Literal["token", "visitor"]
    rights: frozenset[Right]
    session: bytes = b""
    """Of a user's; a digest, never what the browser holds."""
    must_change: bool = False
    """The password was set by another; nothing works before it is changed."""
    seen: int = 0
    """When this was last noted as used, ns UTC."""

    def may(self, right: Right) -> bool:
        """Tell whether this one may."""
        return right is Right.NOBODY or right in self.rights


VISITOR: Final = Who("", "visitor", frozenset({Right.READ, Right.STREAM}))
"""Somebody on this machine while there is no user yet: looks at everything, changes nothing."""
