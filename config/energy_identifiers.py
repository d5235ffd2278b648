"""Identifiers of sites, assets, meters and products: which scheme, and is it written as the scheme wants?

``88.608.6688/press-1`` is one of the national industrial-internet identifiers; others name their scheme:
``oid:1.2.156.3``, ``gs1:6901234567892`` (check digit included), ``free:anything``.
"""

import re
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

Scheme = Literal["handle", "oid", "gs1", "free"]
LONGEST_HANDLE: Final = 255
"""Characters, prefix and suffix together."""
_HANDLE: Final = re.compile(r"88(\.[0-9A-Za-z_-]+){2,}/[^\s\x00-\x1f\x7f]+")
_OID: Final = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_GS1_LENGTHS: Final = (8, 12, 13, 14, 17, 18)
"""GTIN-8, -12, -13 (and GLN), -14, GSIN, SSCC; each ends in the same check digit."""


def check_digit(digits: str) -> str:
    """Return the GS1 check digit of the digits before it: weights 3 and 1 from the right, to the next ten."""
    total = sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(digits)))
    return str(-total % 10)


def split(identifier: str) -> tuple[Scheme, str]:
    """Return the scheme of a checked identifier and what the scheme itself would print."""
    for scheme in ("oid", "gs1", "free"):
        if identifier.startswith(f"{scheme}:"):
            return scheme, identifier.removeprefix(f"{scheme}:")
    return "handle", identifier


def _identifier(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise PydanticCustomError("identifier", "not an identifier")
    scheme, text = split(value)
    match scheme:
        case "handle":
            is_right = len(text) <= LONGEST_HANDLE and _HANDLE.fullmatch(text) is not None
        case "oid":
            is_right = _OID.fullmatch(text) is not None and (text[0] == "2" or int(text.split(".")[1]) < 40)
        case "gs1":
            is_right = text.isascii() and text.isdigit() and len(text) in _GS1_LENGTHS
            if is_right and check_digit(text[:-1]) != text[-1]:
                raise PydanticCustomError(
                    "check_digit", "wrong check digit", {"digit": check_digit(text[:-1])}
                )
        case "free":
            is_right = 0 < len(text.strip()) <= LONGEST_HANDLE
    if not is_right:
        raise PydanticCustomError("identifier", "not an identifier")
    return value


Identifier = Annotated[
    str,
    BeforeValidator(_identifier),
    WithJsonSchema(
        {
            "type": "string",
            "examples": ["88.608.6688/press-1", "oid:1.2.156.3", "gs1:6901234567892", "free:A-17"],
        }
    ),
]
"""``88.608.6688/press-1``, ``oid:1.2.156.3``, ``gs1:6901234567892`` or ``free:A-17``."""
