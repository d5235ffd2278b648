"""Who asks, and may they: in front of every route, so that none is reached past its rule."""

import asyncio
import logging
import sqlite3
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any, Final

import orjson
from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.problems import Phrase
from gateway.security import House, Right, Who
from gateway.security.house import By
from gateway.security.rights import VISITOR
from gateway.security.sessions import TOUCHED_NS, of_session, proof, touch
from gateway.security.throttle import network
from gateway.security.tokens import note_use, of_token
from gateway.sqlite import NewerFormat
from gateway.web.access.rules import Rule, rules_of
from gateway.web.refused import told

log = logging.getLogger(__name__)

PROOF: Final = "x-proof"
"""Header in which a page that changes something repeats what only a page of its own origin can have read."""
UNATTENDED: Final = "x-unattended"
"""Header of what a page asks by itself, while perhaps nobody sits before it."""
RECHECK_S: Final = 5.0
"""How long a stream may outlive the session or token it was opened with."""
SAFE: Final = frozenset({"GET", "HEAD"})
LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
_KINDS: Final = {"json": "application/json", "file": "application/octet-stream"}
NOT_OURS: Final = frozenset({"cross-site", "same-site"})
"""Sec-Fetch-Site of a request that another page made."""
_NOT_A_USE: Final = frozenset({"/api/events"})
"""Streams that a page opens by itself keep no session alive."""


@dataclass(frozen=True, slots=True)
class Cookie:
    """The session's: its name tells gateways on one machine apart, whose browsers do not look at ports."""

    name: str
    is_secure: bool

    @classmethod
    def of(cls, port: int, *, is_secure: bool) -> "Cookie":
        """Return the cookie of the page on this port."""
        return cls(f"{'__Host-' if is_secure else ''}wanglian-{port}", is_secure)

    def read(self, headers: Headers) -> str:
        """Return what the browser holds; empty when it holds nothing."""
        # Other programs on this machine set cookies too, which the standard library would stumble over.
        return cookie_parser(headers.get("cookie", "")).get(self.name, "")


class Gate:
    """An ASGI layer around the application; what it finds is in `request.state.who`."""

    def __init__(self, app: ASGIApp, house: House, cookie: Cookie) -> None:
        self._app = app
        self._house = house
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through who may; answer 401 to who must sign in first, 403 to who may not."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        rules = rules_of(scope["path"])
        if not rules:
            await refuse(send, 404, Phrase("E-PG-0002"))
            return
        if method not in rules:
            await refuse(send, 405, Phrase("E-PG-0003"), allow=", ".join(sorted(rules)))
            return
        try:
            who = self._who(scope, headers)
        except (sqlite3.Error, NewerFormat):
            # Who can't be known may do nothing.
            await refuse(send, 503, Phrase("E-PG-0010"))
            return
        refusal = self._refusal(rules[method], who, scope, headers)
        if refusal is not None:
            await refuse(send, *refusal)
            return
        scope.setdefault("state", {})["who"] = who
        if who is not None and who is not VISITOR:
            await self._touch(who, scope, headers)
            if not await self._is_noted(who, rules[method], scope):
                await refuse(send, 503, Phrase("E-PG-0011"))
                return
        await self._pass_on(scope, receive, send, who)

    def _who(self, scope: Scope, headers: Headers) -> Who | None:
        said = headers.get("authorization")
        if said is not None:
            kind, _, token = said.partition(" ")
            return of_token(self._house, token.strip()) if kind.lower() == "bearer" else None
        secret = self._cookie.read(headers)
        who = of_session(self._house, secret) if secret else None
        if who is None and address_of(scope) in LOOPBACK and not self._house.has_users():
            return VISITOR
        return who

    def _refusal(
        self, rules: list[Rule], who: Who | None, scope: Scope, headers: Headers
    ) -> tuple[int, Phrase] | None:
        is_page = all(rule.right is Right.NOBODY for rule in rules) and scope["method"] in SAFE
        if not is_page and headers.get("sec-fetch-site") in NOT_OURS:
            return 403, Phrase("E-PG-0006")
        if scope["method"] not in SAFE:
            is_door = all(rule.right is Right.NOBODY for rule in rules)
            kinds = {_KINDS[rule.body] for rule in rules}
            refusal = self._forged(who, headers, kinds, is_door=is_door)
            if refusal is not None:
                return refusal
        for rule in rules:
            if rule.right is Right.NOBODY:
                continue
            if who is None or (who is VISITOR and not who.may(rule.right)):
                return 401, Phrase("E-PG-0004")
            if not who.may(rule.right):
                return 403, Phrase("E-PG-0005", {"right": Phrase(f"right.{rule.right.value}")})
        return None

    def _forged(
        self, who: Who | None, headers: Headers, kinds: set[str], *, is_door: bool
    ) -> tuple[int, Phrase] | None:
        """Return why a request that changes something may be another page's; a door needs no proof."""
        origin = headers.get("origin")
        is_token = who is not None and who.role == "token"
        if origin is None and not is_token:
            return 403, Phrase("E-PG-0007")
        if origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower():
            return 403, Phrase("E-PG-0006")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if headers.get("content-length", "0") != "0" and kind not in kinds:
            return 415, Phrase("E-PG-0008", {"kinds": sorted(kinds)})
        if (
            not is_door
            and who is not None
            and who.session
            and not compare_digest(
                headers.get(PROOF, "").encode(), proof(self._cookie.read(headers)).encode()
            )
        ):
            return 403, Phrase("E-PG-0009")
        return None

    async def _touch(self, who: Who, scope: Scope, headers: Headers) -> None:
        """Note that somebody is there; a full disk is no reason to send them away."""
        house = self._house
        is_used = scope["path"] not in _NOT_A_USE and UNATTENDED not in headers
        if is_used and house.now() - who.seen > TOUCHED_NS:
            try:
                await asyncio.to_thread(touch if who.session else note_use, house, who)
            except (sqlite3.Error, NewerFormat, OSError) as exc:
                log.warning("the use of a session can't be noted: %s", exc)

    async def _is_noted(self, who: Who, rules: list[Rule], scope: Scope) -> bool:
        """Write down what is taken away; tell whether that could be done."""
        for word in {rule.audited for rule in rules if rule.audited}:
            about = {"path": scope["path"], "query": scope["query_string"].decode("latin-1")[:400]}
            try:
                await asyncio.to_thread(self._house.audit.append, who.name, address_of(scope), word, about)
            except (sqlite3.Error, NewerFormat, OSError) as exc:
                log.error("the audit log can't be written: %s", exc)  # noqa: TRY400  the reason says it all
                return False
        return True

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, who: Who | None) -> None:
        """Run the application; what it goes on telling ends when who asked may hear it no longer."""
        if who is None or scope["method"] not in SAFE:
            await self._app(scope, receive, send)
            return
        headers, is_over, is_begun, is_done = Headers(scope=scope), False, False, False

        async def told(message: Message) -> None:
            nonlocal is_begun, is_done
            is_begun = True
            is_done = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        async def heard() -> Message:
            nonlocal is_over
            waiting = asyncio.ensure_future(receive())
            try:
                while not (await asyncio.wait({waiting}, timeout=RECHECK_S))[0]:
                    if not self._is_still(who, scope, headers):
                        is_over = True
                        return {"type": "http.disconnect"}
                return waiting.result()
            finally:
                waiting.cancel()

        await self._app(scope, heard, told)
        if is_over and is_begun and not is_done:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _is_still(self, who: Who, scope: Scope, headers: Headers) -> bool:
        try:
            now = self._who(scope, headers)
        except (sqlite3.Error, NewerFormat):
            return False
        return now is not None and now.rights == who.rights


def who_asks(request: Request) -> Who:
    """Return who asks, where the rule lets nobody in who is not known."""
    who: Who = request.state.who
    return who


def by(request: Request) -> By:
    """Return who asks and from where, for the audit log."""
    who: Who | None = request.state.who
    return By(who.name if who else "", address_of(request.scope))


def address_of(scope: Scope) -> str:
    """Return the address the connection comes from; never what a header says of it."""
    client = scope.get("client")
    return network_free(client[0]) if client else ""


def network_free(address: str) -> str:
    """Return an IPv4 address that was reached through IPv6 as itself."""
    return network(address) if address.startswith("::ffff:") else address


async def refuse(send: Send, status: int, why: Phrase, **headers: str) -> None:
    """Answer with a reason and nothing else."""
    body = orjson.dumps(told(why))
    head: list[Any] = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    head += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
