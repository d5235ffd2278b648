"""Who may do what: users, sessions, tokens, and the log of what they did."""

from gateway.security.house import SECURITY, House
from gateway.security.refused import AccessRefused
from gateway.security.rights import RIGHTS, ROLES, SCOPES, Right, Role, Who

__all__ = ["RIGHTS", "ROLES", "SCOPES", "SECURITY", "AccessRefused", "House", "Right", "Role", "Who"]
