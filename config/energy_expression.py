"""Virtual meters: a sum of meters, written as a person would, read into exact coefficients.

    grid + solar - grid.export        0.5 * (boiler_1 + boiler_2)        "press-1" / 4

What comes out is linear: so many times each meter. A meter times a meter, a number alone, or a division by a
meter is no amount of energy and is refused. Nothing is ever evaluated as a program.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

LONGEST: Final = 1_000
"""Characters."""
DEEPEST: Final = 20
"""Parentheses inside each other."""
_TOKEN: Final = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|\"([^\"]+)\"|([^\W\d][\w.]*)|([-+*/()]))")
_MOST_DIGITS: Final = 15

Linear = dict[str, Fraction]
"""How many times each meter; the empty name is a plain number."""


class NotAnExpression(ValueError):
    """The text is no sum of meters; `key` names why, as a phrase of the message catalogue."""

    def __init__(self, key: str, found: str = "") -> None:
        super().__init__(key)
        self.key = key
        self.found = found


def parse(text: str) -> Linear:
    """Return the coefficient of each meter named; raise NotAnExpression."""
    if len(text) > LONGEST:
        raise NotAnExpression("syntax.expression_long")
    tokens = list(_tokens(text))
    reader = _Reader(tokens)
    result = reader.sum(0)
    if reader.peek() is not None:
        raise NotAnExpression("syntax.expression", reader.peek() or "")
    if "" in result:
        raise NotAnExpression("syntax.expression_number")
    return {name: each for name, each in result.items() if each}


def _tokens(text: str) -> Iterator[str]:
    """Yield numbers, operators, and names with a quote before them."""
    at, text = 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotAnExpression("syntax.expression", text[at:].strip()[:10])
        number, quoted, name, operator = match.groups()
        if number is not None:
            if len(number) > _MOST_DIGITS:
                raise NotAnExpression("syntax.expression", number)
            yield number
        else:
            yield operator or '"' + (quoted or name)
        at = match.end()


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self) -> str:
        token = self.peek()
        if token is None:
            raise NotAnExpression("syntax.expression_end")
        self._at += 1
        return token

    def sum(self, depth: int) -> Linear:
        if depth > DEEPEST:
            raise NotAnExpression("syntax.expression_long")
        total = self._product(depth)
        while self.peek() in ("+", "-"):
            sign = 1 if self._take() == "+" else -1
            term = self._product(depth)
            if ("" in total) != ("" in term):
                raise NotAnExpression("syntax.expression_number")
            for name, times in term.items():
                total[name] = total.get(name, Fraction(0)) + sign * times
        return total

    def _product(self, depth: int) -> Linear:
        result = self._factor(depth)
        while self.peek() in ("*", "/"):
            operator, other = self._take(), self._factor(depth)
            if operator == "*" and "" in result:
                result, other = other, result
            if set(other) != {""} or (operator == "/" and not other[""]):
                raise NotAnExpression("syntax.expression_meters")
            by = other[""] if operator == "*" else 1 / other[""]
            result = {name: times * by for name, times in result.items()}
        return result

    def _factor(self, depth: int) -> Linear:
        word = self._take()
        if word == "-":
            return {name: -times for name, times in self._deeper(depth).items()}
        if word == "(":
            inside = self.sum(depth + 1)
            if self._take() != ")":
                raise NotAnExpression("syntax.expression", word)
            return inside
        if word.startswith('"'):
            return {word[1:]: Fraction(1)}
        if word[0].isdigit():
            return {"": Fraction(word)}
        raise NotAnExpression("syntax.expression", word)

    def _deeper(self, depth: int) -> Linear:
        if depth >= DEEPEST:
            raise NotAnExpression("syntax.expression_long")
        return self._factor(depth + 1)
