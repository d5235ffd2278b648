"""What must not be in a support archive: every secret that is known here, and what looks like one.

Known secrets are replaced wherever they stand, in any spelling a log may give them; then patterns take what
nobody named: names and passwords in addresses, keys, tokens. What is kept of the plant file is decided by its
model before (`plant_text`); this is the second net, and the only one for logs.
"""

import base64
import itertools
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, quote_plus

from config.leaves import Sort, leaves, vocabulary
from config.reading.references import looked_up, named_in

MASK: Final = "***"
ACCOUNTS: Final = ("username", "name")
"""Free text fields that name a user; platforms take a device's token there."""
_TURNS: Final = 0.45
_SHORTEST: Final = 4
"""Shorter text is masked where it stands, not wherever three letters meet."""
_NAMES: Final = re.compile(r"pass|(?<!^)(?<!^old)pwd|secret|token|api_?key|credential", re.IGNORECASE)
"""Of variables; PWD and OLDPWD are where a shell stands."""
_PATTERNS: Final = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        MASK,
    ),
    (re.compile(r"(?<=://)[^\s/@'\"]*@"), f"{MASK}@"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?"), MASK),
    (re.compile(r"(?i)\b(bearer|basic|token)(\s+)[^\s'\",;]{4,}"), rf"\1\2{MASK}"),
    (
        re.compile(
            r"(?i)([\w-]*(?:passw(?:or)?d|pwd|secret|token|api[_-]?key|credentials?|authorization)"
            r"[\w-]*[\"']?\s*[:：=]\s*)(\"(?:[^\"\\]|\\.)*\"?|'[^']*'|(?!\$\{)[^\s&,;)}\]]+)"
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"((?:口令|密码|密钥|令牌)[\"']?\s*[:：=]\s*)(?!\$\{)[^\s,;，；。]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)(--?(?:passw(?:or)?d|pwd|secret|token|api-?key)\s+)\S+"), rf"\1{MASK}"),
)
_ENTRY: Final = re.compile(
    r"(?P<key>\w+)[\"']?[ \t]*[:：][ \t]*(?P<value>\"[^\"\n]*\"|'[^'\n]*'|[^\s,{}\[\]#][^,{}\[\]#\n]*)"
)
_RANDOM: Final = re.compile(r"(?<![A-Za-z0-9])(?:[0-9a-fA-F]{32,}|[A-Za-z0-9+]{16,}={0,2})(?![A-Za-z0-9])")


class Secrets:
    """Knows what must not be told; `in_text` takes it out."""

    def __init__(self, known: Iterable[str], resolved: Iterable[str] = ()) -> None:
        harmless = vocabulary()
        self.known = {each for each in known if len(each) >= _SHORTEST and each not in harmless}
        self._resolved = {each for each in resolved if each}
        spelled = {form for each in self.known for form in _spellings(each)}
        self._known = _any_of(spelled)
        self._forms = sorted(form.encode() for form in spelled)

    def in_text(self, text: str) -> str:
        """Return text without what is known or looks like a secret."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text

    def in_resolved(self, text: str) -> str:
        """Return text made from a plant whose references were filled in: none of their values is left."""
        filled = _any_of(self._resolved)
        text = self.in_text(text)
        return text if filled is None else re.sub(rf"(?<!\w)(?:{filled.pattern})(?!\w)", MASK, text)

    def in_value(self, text: str) -> str:
        """Return a value of the plant file likewise; random characters are taken for a token."""
        return _RANDOM.sub(lambda match: MASK if _is_random(match[0]) else match[0], self.in_text(text))

    def found_in(self, data: bytes) -> bool:
        """Tell whether a known secret is in some bytes, in any spelling."""
        return any(form in data for form in self._forms)


def secrets_of(root: Mapping[str, Any] | None, folder: Path) -> Secrets:
    """Return the secrets of a plant file's tree, of what it refers to, and of this process's environment."""
    known = {value for name, value in os.environ.items() if _NAMES.search(name)}
    resolved: set[str] = set()
    for leaf in leaves(root) if root is not None else ():
        text = leaf.value if isinstance(leaf.value, str) else str(leaf.value)
        named = named_in(text)
        for how, name in named:
            value = looked_up("${" + f"{how}:{name}" + "}", folder)
            if value is not None:
                resolved.add(value)
                if leaf.sort is Sort.SECRET or how == "file" or not _is_plain(value):
                    known.add(value)
        if leaf.sort in (Sort.SECRET, Sort.UNKNOWN) or leaf.field in ACCOUNTS:
            known.add(text if not named else "")
        known |= _in_address(text)
    return Secrets(known, resolved)


def secrets_in_text(text: str, folder: Path) -> Secrets:
    """Return the secrets of a plant file that can't be read as one: by its keys, addresses and references."""
    known = {value for name, value in os.environ.items() if _NAMES.search(name)}
    for how, name in named_in(text):
        value = looked_up("${" + f"{how}:{name}" + "}", folder)
        if value is not None and (how == "file" or not _is_plain(value)):
            known.add(value)
    for match in _ENTRY.finditer(text):
        if not named_in(match["value"]) and (_NAMES.search(match["key"]) or match["key"] in ACCOUNTS):
            known.add(match["value"].strip("\"' "))
    return Secrets(known | _in_address(text))


def _in_address(text: str) -> set[str]:
    """Return name and password of an address such as http://name:password@host, together and apart."""
    found = set()
    for match in re.finditer(r"://([^\s/@'\"]*)@", text):
        name, _, password = match[1].partition(":")
        found |= {match[1], password} | ({name} if not password else set())
    return found


def _is_plain(value: str) -> bool:
    return value.lower() in ("true", "false", "none") or re.fullmatch(r"[-+.0-9a-z]{0,6}", value) is not None


def _is_random(text: str) -> bool:
    """Tell random characters from words: a long hexadecimal number, or small, capital and digit by turns."""
    if re.fullmatch(r"[0-9a-fA-F]{32,}", text):
        return True
    sorts = [(c.isdigit(), c.isupper()) for c in text.rstrip("=")]
    turns = sum(one != next_ for one, next_ in itertools.pairwise(sorts))
    # Of 62 characters at random 62 in 100 neighbours differ; of words run together a quarter.
    return len(set(sorts)) == 3 and turns >= _TURNS * len(sorts)


def _spellings(secret: str) -> set[str]:
    """Return a secret as it is, as JSON, Python, addresses and base64 write it, and its lines."""
    lines = {line for line in secret.splitlines() if len(line) >= _SHORTEST}
    found = {secret, *lines}
    for each in (secret, *lines):
        found |= {json.dumps(each)[1:-1], json.dumps(each, ensure_ascii=False)[1:-1], repr(each)[1:-1]}
        found |= {quote(each), quote(each, safe=""), quote_plus(each)}
        found.add(base64.b64encode(each.encode()).decode().rstrip("="))
    return found


def _any_of(texts: Iterable[str]) -> re.Pattern[str] | None:
    longest_first = sorted(texts, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
