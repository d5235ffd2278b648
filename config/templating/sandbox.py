"""Jinja's immutable sandbox with less in it: filters and tests of ours, no function, fields by a list."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import orjson
from jinja2 import StrictUndefined
from jinja2.exceptions import SecurityError
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from config.templating.names import LOOP_FIELDS, ROW_FIELDS, Row, Values

_MOST_TEXT: Final = 65_536
"""Characters of any text but the message itself."""
_MOST_BITS: Final = 128


class _Sandbox(ImmutableSandboxedEnvironment):
    """The same lists at run time, whatever the walk above may have missed."""

    intercepted_binops = frozenset(("+", "-", "*", "/", "//", "%", "**"))

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a field of a row or a loop, or the value of a tag."""
        if isinstance(obj, Values):
            return obj[attribute]
        if (isinstance(obj, Row) and attribute in ROW_FIELDS) or (
            isinstance(obj, LoopContext) and attribute in LOOP_FIELDS
        ):
            return getattr(obj, attribute)
        raise SecurityError(f".{attribute} is not allowed")

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return a row, or the value of a tag."""
        if isinstance(obj, Values):
            return obj[argument]
        if type(obj) is tuple and type(argument) is int and argument < len(obj):
            return obj[argument]
        raise SecurityError(f"there is no [{argument!r}]")

    def call(self, *_: Any, **__: Any) -> Any:
        """Call nothing."""
        raise SecurityError("a template calls nothing")

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute with numbers; with None, which is Bad, the result is None."""
        if left is None or right is None:
            return None
        for each in (left, right):
            if not isinstance(each, int | float) or (
                isinstance(each, int) and each.bit_length() > _MOST_BITS
            ):
                raise TypeError(f"{operator} is for numbers; texts are joined with ~")
        if operator == "**":
            raise SecurityError("** is not allowed")
        return super().call_binop(context, operator, left, right)


def _finalize(value: Any) -> Any:
    """Write what JSON has other words for than Python."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def _to_json(value: Any) -> str | None:
    return _short(orjson.dumps(value).decode()) if isinstance(value, str) else orjson.dumps(value).decode()


def _short(text: str) -> str:
    if len(text) > _MOST_TEXT:
        raise ValueError(f"a text of {len(text)} characters")
    return text


def _of_number(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(value: Any, *arguments: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, int | float) or not all(type(each) is int for each in arguments):
            raise TypeError(f"{function.__name__} is for numbers")
        return function(value, *arguments)

    return apply


def _of_text(function: Callable[..., str]) -> Callable[..., Any]:
    def apply(value: Any, *arguments: Any) -> Any:
        if value is None:
            return None
        if not all(isinstance(each, str) for each in (value, *arguments)):
            raise TypeError(f"{function.__name__} is for texts")
        return _short(function(_short(value), *arguments))

    return apply


def _replace(value: str, old: str, new: str) -> str:
    if len(value) + value.count(old) * len(new) > _MOST_TEXT:
        raise ValueError("replace makes too long a text")
    return value.replace(old, new)


FILTERS: Final[Mapping[str, tuple[Callable[..., Any], int]]] = {
    "tojson": (_to_json, 0),
    "round": (_of_number(round), 1),
    "int": (_of_number(int), 0),
    "float": (_of_number(float), 0),
    "abs": (_of_number(abs), 0),
    "upper": (_of_text(str.upper), 0),
    "lower": (_of_text(str.lower), 0),
    "replace": (_of_text(_replace), 2),
}
"""Each with the number of its arguments, which stand in the template."""
TESTS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "none": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
}


@cache
def environment() -> ImmutableSandboxedEnvironment:
    """Return the sandbox templates are compiled in."""
    found = _Sandbox(
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        cache_size=0,
    )
    found.globals.clear()
    found.filters = {name: function for name, (function, _) in FILTERS.items()}
    found.tests = dict(TESTS)
    return found
