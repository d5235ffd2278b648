"""What is posted to each kind of robot, and whether its answer means that it took it. Pure.

WeCom: a key in the address, text of at most 2048 bytes, 20 messages a minute, `errcode` 0.
DingTalk: a token in the address, `errcode` 0, 20 messages a minute, else ten minutes of silence. Where it
asks for signatures, `timestamp` in ms and `sign` stand behind the address: the HMAC-SHA256, under the secret,
of the time, a line's end and the secret.
Feishu: `code` 0, 100 messages a minute, 5 a second, 20 KB. Its signature stands in the body with `timestamp`
in s: the HMAC-SHA256 of nothing, under the time, a line's end and the secret.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus
from zoneinfo import ZoneInfo

import orjson

from config.alarms import Webhook
from config.problems import Language, Phrase
from gateway.alarms.table import Event
from gateway.alarms.words import as_dict, line

MOST_TEXT: Final = 2000
"""Bytes of a message: what the strictest of them takes."""
_BUSY: Final = {"wecom": (45009,), "dingtalk": (130101, 410100), "feishu": (11232,), "json": ()}
"""Codes that say: not so often."""
PAUSE_S: Final = {"wecom": 60.0, "dingtalk": 600.0, "feishu": 60.0, "json": 60.0}
_BUSY_STATUS: Final = 429
_MS: Final = 1_000_000
_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class From:
    """Whose alarms these are."""

    gateway: str
    site: str
    zone: ZoneInfo
    language: Language


@dataclass(frozen=True, slots=True)
class Post:
    """One request."""

    query: str
    """Behind the address; empty for most."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came back; the peer's own words are not repeated, for they may hold anything."""

    is_accepted: bool
    reason: str = ""
    is_busy: bool = False


_TOO_OFTEN: Final = Verdict(is_accepted=False, reason="the platform wants fewer messages", is_busy=True)


def compose(webhook: Webhook, events: Sequence[Event], told_by: From, now: int, secret: str | None) -> Post:
    """Return the request that tells these events in one message."""
    if webhook.kind == "json":
        language = webhook.language or told_by.language
        body = {"gateway": told_by.gateway, "site": told_by.site, "sent": now // _MS}
        return Post("", orjson.dumps(body | {"events": [as_dict(each, language) for each in events]}))
    text = _text(events, told_by, webhook.language or told_by.language)
    if webhook.kind == "feishu":
        said: dict[str, Any] = {"msg_type": "text", "content": {"text": text}}
        if secret:
            stamp = str(now // _S)
            said |= {"timestamp": stamp, "sign": _hmac(f"{stamp}\n{secret}", "")}
        return Post("", orjson.dumps(said))
    query = ""
    if webhook.kind == "dingtalk" and secret:
        stamp = str(now // _MS)
        signed = _hmac(secret, f"{stamp}\n{secret}")
        query = f"timestamp={stamp}&sign={quote_plus(signed)}"
    return Post(query, orjson.dumps({"msgtype": "text", "text": {"content": text}}))


def judge(webhook: Webhook, status: int, body: bytes) -> Verdict:
    """Return whether the peer took a message."""
    if status == _BUSY_STATUS:
        return _TOO_OFTEN
    if not 200 <= status < 300:
        return Verdict(is_accepted=False, reason=f"answered with status {status}")
    name = {"wecom": "errcode", "dingtalk": "errcode", "feishu": "code", "json": ""}[webhook.kind]
    try:
        code = json.loads(body)[name] if name else 0
    except (ValueError, KeyError, TypeError):
        return Verdict(is_accepted=False, reason="the answer is not that of such a robot")
    if code in _BUSY[webhook.kind]:
        return _TOO_OFTEN
    told = code if isinstance(code, int) else "unknown"
    return Verdict(is_accepted=code == 0, reason=f"refused with code {told}")


def _text(events: Sequence[Event], told_by: From, language: Language) -> str:
    """Return as many lines as a message holds, and how many more there are."""
    whose = {"gateway": told_by.gateway, "site": told_by.site}
    lines = [Phrase("alarm.head", whose).text(language)]
    left = MOST_TEXT - len(lines[0].encode()) - 100
    for i, each in enumerate(events):
        added = line(each, language, told_by.zone).encode()
        if len(added) >= left and i:
            lines.append(Phrase("alarm.more", {"count": len(events) - i}).text(language))
            break
        lines.append(added[:left].decode("utf-8", "ignore"))
        left -= len(added) + 1
    return "\n".join(lines)


def _hmac(key: str, message: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), message.encode(), hashlib.sha256).digest()).decode()
