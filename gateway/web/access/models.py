"""What the routes of people, tokens and the audit log take and answer; times in ms since 1970 UTC."""

from typing import Annotated, Literal

from pydantic import Field

from connectors.contract import Whose
from gateway.security import Role
from gateway.told import LinkKind
from gateway.web.models import Answer

RightName = Literal["account", "read", "stream", "config", "users", "audit"]
Scope = Literal["read", "stream", "config"]
_Name = Annotated[str, Field(max_length=80)]
_Password = Annotated[str, Field(max_length=400)]


class SessionTold(Answer):
    """Who the page speaks to, and what it may show."""

    state: Literal["visitor", "signed_in", "sign_in"]
    """visitor: there is no user yet, and this machine may look; sign_in: nobody is known."""
    name: str
    role: Literal["viewer", "engineer", "administrator", "auditor", "token", "visitor", ""]
    rights: list[RightName]
    must_change: bool
    """The password was set by another: nothing works before it is changed."""
    proof: str
    """To be sent as X-Proof with whatever changes something."""
    listens: bool
    """Beyond this machine."""


class SignIn(Answer):
    """Name and password."""

    name: _Name
    password: _Password


class SetUp(SignIn):
    """The first user, an administrator."""

    code: Annotated[str, Field(max_length=60)]


class NewPassword(Answer):
    """One's own."""

    old: _Password
    new: _Password


class SignedIn(Answer):
    """A place where the user is signed in."""

    number: str
    made: int
    seen: int
    address: str
    agent: str
    is_this: bool


class UserTold(Answer):
    """Somebody who may sign in."""

    name: str
    role: Role
    enabled: bool
    must_change: bool
    made: int
    changed: int
    """When the password was set."""
    seen: int | None


class NewUser(SignIn):
    """Somebody to be added; the password is to be changed at the first sign-in."""

    role: Role


class NewRole(Answer):
    """Of a user."""

    role: Role


class Enabled(Answer):
    """Whether a user may sign in."""

    enabled: bool


class Given(Answer):
    """A password for somebody else, to be changed at the next sign-in."""

    password: _Password


class TokenTold(Answer):
    """What is known of a token."""

    name: str
    scopes: list[Scope]
    made: int
    made_by: str
    expires: int
    used: int | None


class NewToken(Answer):
    """A token to be made."""

    name: _Name
    scopes: Annotated[list[Scope], Field(max_length=3)]
    days: int


class TokenMade(Answer):
    """Shown once; it is kept nowhere."""

    secret: str


class AuditEntry(Answer):
    """Something somebody did."""

    number: int
    at: int
    who: str
    address: str
    what: str
    about: str
    """JSON."""


class AuditPage(Answer):
    """Entries, the newest first."""

    entries: list[AuditEntry]
    more: bool


class AuditVerdict(Answer):
    """Whether the chain is whole."""

    first: int
    last: int
    head: str
    wrong: list[int]


class PageCertificateTold(Answer):
    """What the page shows of itself."""

    fingerprint: str
    """SHA-256, as browsers show it."""
    ends: int
    is_ours: bool
    """Whether the gateway made it; else a person gave the files, and replaces them."""


class OwnCertificate(Answer):
    """What OPC UA servers are shown of the gateway, and trust or do not."""

    name: str
    thumbprint: str
    """SHA-1, as OPC UA names certificates."""
    ends: int


class ServerCertificate(Answer):
    """A certificate an OPC UA server has shown."""

    name: str
    thumbprint: str
    """SHA-1, as OPC UA names certificates."""
    trusted: bool
    ends: int


class LinkCertificate(Answer):
    """One that protects a connection of MQTT or HTTP now."""

    link: str
    role: LinkKind
    peer: str
    """Where it leads."""
    whose: Whose
    ends: int


class Certificates(Answer):
    """The page's, the gateway's own, those of the OPC UA servers that were met, and those of other links."""

    page: PageCertificateTold | None
    own: OwnCertificate | None
    """None before the first protected connection."""
    servers: list[ServerCertificate]
    links: list[LinkCertificate]


class Trust(Answer):
    """Whether a person trusts a server."""

    trusted: bool
