"""What a tag may be called on a platform: names made legal, the same at check and when values are sent."""

import re
from dataclasses import dataclass
from typing import Final

_LETTERS: Final = re.compile(r"[^A-Za-z0-9_]")


@dataclass(frozen=True, slots=True)
class NameRule:
    """What an identifier of a thing model may be; None as the length: any text is one."""

    longest: int | None
    letter_first: bool = False
    reserved: frozenset[str] = frozenset()


RULES: Final = {
    # A key of telemetry is any text (thingsboard.io, Gateway API).
    "thingsboard": NameRule(None),
    # Letters, digits, underscore; it begins with a letter (IoTDA, product model, property name).
    "huawei_iotda": NameRule(64, letter_first=True),
    # Letters, digits, underscore, at most 50; seven words are the platform's own (help.aliyun.com, TSL).
    "aliyun": NameRule(50, reserved=frozenset({"set", "get", "post", "property", "event", "time", "value"})),
    # Not found in print; the strictest of the others, and a little more.
    "onenet": NameRule(30, letter_first=True),
}


def property_name(tag: str, platform: str) -> str | None:
    """Return what a tag is called on a platform; None where only a person can say.

    ``U-L1`` becomes ``U_L1``. A name in Chinese is not spelled out by guessing: it needs an entry.
    """
    rule = RULES[platform]
    if rule.longest is None:
        return tag
    name = _LETTERS.sub("_", tag)
    return name if tag.isascii() and is_legal(name, platform) else None


def is_legal(name: str, platform: str) -> bool:
    """Tell whether a platform takes this as the name of a property."""
    rule = RULES[platform]
    if rule.longest is None:
        return bool(name)
    return (
        0 < len(name) <= rule.longest
        and _LETTERS.search(name) is None
        and name not in rule.reserved
        and not (rule.letter_first and not name[0].isalpha())
        and name.strip("_") != ""
    )
