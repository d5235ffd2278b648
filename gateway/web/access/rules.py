"""The one table of what every route asks for. With a route that is not in it the page does not start.

A new route: add its line here. `tests/unit/web/test_roles.py` tries every line with every role and scope.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import compile_path

from gateway.security import Right
from gateway.security.audit import Act


@dataclass(frozen=True, slots=True)
class Rule:
    """What one method of one route asks for."""

    right: Right
    audited: Act | Literal[""] = ""
    """The audit log's word for it, where what is taken away is noted."""
    body: Literal["json", "file"] = "json"
    """What may be sent; a file is `application/octet-stream`, which no other origin sends unasked either."""


_Rules = dict[tuple[str, str], Rule]
_READ: Final = Rule(Right.READ)
_STREAM: Final = Rule(Right.STREAM)
_CONFIG: Final = Rule(Right.CONFIG)

RULES: Final[_Rules] = {
    ("GET", "/"): Rule(Right.NOBODY),
    ("GET", "/assets/{file:path}"): Rule(Right.NOBODY),
    ("GET", "/api/session"): Rule(Right.NOBODY),
    ("POST", "/api/session"): Rule(Right.NOBODY),
    ("POST", "/api/setup"): Rule(Right.NOBODY),
    ("DELETE", "/api/session"): Rule(Right.ACCOUNT),
    ("POST", "/api/account/password"): Rule(Right.ACCOUNT),
    ("GET", "/api/account/sessions"): Rule(Right.ACCOUNT),
    ("DELETE", "/api/account/sessions/{number}"): Rule(Right.ACCOUNT),
    ("GET", "/api/users"): Rule(Right.USERS),
    ("POST", "/api/users"): Rule(Right.USERS),
    ("POST", "/api/users/{name}/role"): Rule(Right.USERS),
    ("POST", "/api/users/{name}/enabled"): Rule(Right.USERS),
    ("POST", "/api/users/{name}/password"): Rule(Right.USERS),
    ("GET", "/api/tokens"): Rule(Right.USERS),
    ("POST", "/api/tokens"): Rule(Right.USERS),
    ("DELETE", "/api/tokens/{name}"): Rule(Right.USERS),
    ("GET", "/api/audit"): Rule(Right.AUDIT),
    ("GET", "/api/audit/verdict"): Rule(Right.AUDIT, "audit.verified"),
    ("GET", "/api/audit/file"): Rule(Right.AUDIT, "audit.exported"),
    ("GET", "/api/openapi.json"): _READ,
    ("GET", "/api/overview"): _READ,
    ("GET", "/api/tags"): _READ,
    ("GET", "/api/why"): _READ,
    ("GET", "/api/events"): _READ,
    ("GET", "/api/trend"): _READ,
    ("GET", "/api/delivery"): _READ,
    ("GET", "/api/gaps"): _READ,
    ("GET", "/api/ledger"): _READ,
    ("GET", "/api/energy"): _READ,
    ("GET", "/api/energy/figures"): _READ,
    ("GET", "/api/energy/table"): _READ,
    ("GET", "/api/energy/flows"): _READ,
    ("GET", "/api/energy/evidence"): _READ,
    ("GET", "/api/today"): _READ,
    ("GET", "/api/today/curve"): _READ,
    ("GET", "/api/carbon"): _READ,
    ("GET", "/api/carbon/batches"): _READ,
    ("GET", "/api/carbon/kept"): _READ,
    ("GET", "/api/carbon/footprint"): Rule(Right.READ, "exported"),
    ("GET", "/api/stream"): _STREAM,
    ("GET", "/api/stream/position"): _STREAM,
    ("GET", "/api/stream/rows"): _STREAM,
    ("GET", "/api/stream/tags"): _STREAM,
    ("GET", "/api/topics"): _READ,
    ("GET", "/api/topics/message"): _READ,
    ("GET", "/api/quarantine"): _READ,
    ("GET", "/api/quarantine/file"): Rule(Right.READ, "exported"),
    ("POST", "/api/quarantine/retry"): _CONFIG,
    ("POST", "/api/quarantine/delete"): _CONFIG,
    ("GET", "/api/config"): _CONFIG,
    ("POST", "/api/config/check"): _CONFIG,
    ("POST", "/api/config/draft"): _CONFIG,
    ("DELETE", "/api/config/draft"): _CONFIG,
    ("POST", "/api/config/apply"): _CONFIG,
    ("POST", "/api/config/rollback"): _CONFIG,
    ("GET", "/api/config/versions"): _CONFIG,
    ("GET", "/api/config/versions/{number}"): _CONFIG,
    ("GET", "/api/certificates"): _CONFIG,
    ("POST", "/api/certificates/{thumbprint}"): _CONFIG,
    ("POST", "/api/certificates/own/renew"): _CONFIG,
    ("POST", "/api/certificates/page/renew"): _CONFIG,
    ("GET", "/api/alarms"): _READ,
    ("POST", "/api/alarms/{number}/acknowledge"): _CONFIG,
    ("POST", "/api/alarms/{number}/shelve"): _CONFIG,
    ("POST", "/api/alarms/{number}/unshelve"): _CONFIG,
    ("GET", "/api/reports"): _READ,
    ("POST", "/api/reports"): _READ,
    ("POST", "/api/reports/check"): Rule(Right.READ, body="file"),
    ("GET", "/api/reports/{number}"): _READ,
    ("DELETE", "/api/reports/{number}"): _CONFIG,
    ("GET", "/api/reports/{number}/verdict"): _READ,
    ("GET", "/api/reports/{number}/file"): Rule(Right.READ, "exported"),
}
_PATTERNS: Final[list[tuple[re.Pattern[str], str, Rule]]] = [
    (compile_path(path)[0], method, rule) for (method, path), rule in RULES.items()
]


def rules_of(path: str) -> dict[str, list[Rule]]:
    """Return the rules of a path by method; where two routes could be meant, both must be satisfied."""
    found: dict[str, list[Rule]] = {}
    for pattern, method, rule in _PATTERNS:
        if pattern.match(path):
            found.setdefault(method, []).append(rule)
    return found


def must_be_ruled(app: FastAPI) -> None:
    """Raise RuntimeError when the application has a route this table does not know."""
    missing = [each for each in routes_of(app) if each not in RULES]
    if missing:
        told = ", ".join(f"{method} {path}" for method, path in missing)
        raise RuntimeError(f"add what they ask for to gateway/web/access/rules.py: {told}")


def routes_of(app: FastAPI) -> Iterable[tuple[str, str]]:
    """Yield method and path of every route of the interface."""
    for route in app.routes:
        if isinstance(route, APIRoute):
            yield from ((method, route.path) for method in sorted(route.methods or ()))
