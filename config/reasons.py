"""Why a link is down, for people: connectors say it in English, for logs; people read it in their own words.

The sentences are the catalogue's (`link.…`, `defect.…` for what is wrong with a certificate), and what a
connector said is recognised by the English one. What none fits stays as it was said: a peer's own words are
nobody's to translate.
"""

import re
from functools import cache

from config.problems import Language, Phrase, catalogue

_BLANK = re.compile(r"\\\{(\w+)\\\}")


def in_words(reason: str, language: Language) -> str:
    """Return a reason a connector gave in this language, or as it is where no sentence is known for it."""
    if language == "en":
        return reason
    return _told("link.", reason, language)


def _told(kind: str, said: str, language: Language) -> str:
    for key, pattern in _sentences(kind):
        match = pattern.fullmatch(said)
        if match:
            known = match.groupdict()
            if "defects" in known:  # sentences of their own, one behind the other
                each = [_told("defect.", defect, language) for defect in known["defects"].split("; ")]
                known["defects"] = "；".join(each)
            return Phrase(key, known).text(language)
    return said


@cache
def _sentences(kind: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    found = []
    for key, texts in catalogue().items():
        if key.startswith(kind):
            # A peer is one word; what else is filled in may be a sentence.
            blanks = lambda match: r"(?P<peer>\S+?)" if match[1] == "peer" else rf"(?P<{match[1]}>.+)"  # noqa: E731
            found.append((key, re.compile(_BLANK.sub(blanks, re.escape(texts["en"])))))
    return tuple(found)
