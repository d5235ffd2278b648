"""The one language of arithmetic in a plant file: read at the door into a short program, never run as Python.

    press_1.power + "cz/press_shop/line_2/press_2/power"        if(load > 0.2, power / load, 0)
    sum("cz/press_shop/**/power") / 1000                        not door.closed and fan.speed < 50

The program is a list of steps in the order of their doing (numbers and names are put on a stack, operations
take theirs from it), so nothing nests when it is worked out. What it means is up to who works it out: exact
amounts of meters (`energy_expression`), units (`checks/derived`), columns of values (`gateway/derive`).

Every bound is kept while reading: characters, digits, depth, steps, powers. There are no loops, no text, no
names but tags and the functions below; what wants more is refused.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Protocol, TypeVar

LONGEST: Final = 4_000
"""Characters."""
DEEPEST: Final = 20
"""Parentheses, functions and signs inside each other."""
MOST_STEPS: Final = 2_000
"""Of a program, globs spelled out …"""
MOST_OPERATIONS: Final = 300
"""… of which so many do something: a few milliseconds on a small machine."""
HIGHEST_POWER: Final = 8
MOST_DECIMALS: Final = 9
"""Of `round`."""
_MOST_DIGITS: Final = 15
_TOKEN: Final = re.compile(
    r"\s*(?:(\d+(?:\.\d+)?)|\"([^\"]+)\"|([^\W\d][\w.]*)|(\*\*|<=|>=|==|!=|[-+*/()<>,]))"
)
COMPARISONS: Final = ("<", "<=", ">", ">=", "==", "!=")
TRUTHS: Final = frozenset({*COMPARISONS, "and", "or", "not"})
"""Operations whose result is true or false: 1 or 0."""
_WORDS: Final = ("and", "or", "not")
_FUNCTIONS: Final = {
    "abs": (1, 1),
    "round": (1, 2),
    "if": (3, MOST_STEPS),
    "min": (1, MOST_STEPS),
    "max": (1, MOST_STEPS),
    "sum": (1, MOST_STEPS),
    "mean": (1, MOST_STEPS),
}
"""Name → least and most arguments."""
_OF_MANY: Final = ("min", "max", "sum", "mean")
"""Functions that take a glob."""


class NotAnExpression(ValueError):
    """The text is none of ours; `key` names why, as a phrase of the message catalogue."""

    def __init__(self, key: str, found: str = "") -> None:
        super().__init__(key)
        self.key = key
        self.found = found


@dataclass(frozen=True, slots=True)
class Number:
    """Put a number on the stack."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Name:
    """Put what has this name on the stack."""

    text: str

    @property
    def is_glob(self) -> bool:
        """Tell whether it names any number of tags."""
        return "*" in self.text or "?" in self.text


@dataclass(frozen=True, slots=True)
class Apply:
    """Take so many results from the stack and put back one."""

    operation: str
    arguments: int


Program = tuple[Number | Name | Apply, ...]
T = TypeVar("T")


class Arithmetic(Protocol[T]):
    """What numbers, names and operations mean."""

    def number(self, value: Fraction) -> T:
        """Return what a number stands for."""
        ...

    def name(self, name: str) -> T:
        """Return what a name stands for."""
        ...

    def apply(self, operation: str, arguments: list[T]) -> T:
        """Return the result of ``+ - * / ** neg``, a comparison, ``and or not`` or a function."""
        ...


def evaluate(program: Program, arithmetic: Arithmetic[T]) -> T:
    """Work a program out."""
    stack: list[T] = []
    for step in program:
        match step:
            case Number(value):
                stack.append(arithmetic.number(value))
            case Name(text):
                stack.append(arithmetic.name(text))
            case Apply(operation, count):
                arguments = stack[-count:]
                del stack[-count:]
                stack.append(arithmetic.apply(operation, arguments))
    return stack[0]


def parse(text: str) -> Program:
    """Return the program a text stands for; raise NotAnExpression."""
    if len(text) > LONGEST:
        raise NotAnExpression("syntax.expression_long")
    reader = _Reader(list(_tokens(text)))
    reader.choice(0)
    if reader.peek() is not None:
        raise NotAnExpression("syntax.expression", reader.peek() or "")
    return reader.program()


def names(program: Program) -> list[str]:
    """Return the names in a program, each once, in their order."""
    return list(dict.fromkeys(step.text for step in program if isinstance(step, Name)))


def resolve(program: Program, members: Callable[[Name], Sequence[str]]) -> Program:
    """Return the program with each name replaced by what it stands for: one name, of a glob any number."""
    steps: list[Number | Name | Apply] = []
    left: list[int] = []  # by what stands on the stack now, how many results it became
    for step in program:
        if isinstance(step, Name):
            found = members(step)
            steps += [Name(each) for each in found]
            left.append(len(found))
        elif isinstance(step, Apply):
            count = sum(left[-step.arguments :])
            del left[-step.arguments :]
            steps.append(Apply(step.operation, count))
            left.append(1)
        else:
            steps.append(step)
            left.append(1)
        if len(steps) > MOST_STEPS:
            raise NotAnExpression("syntax.expression_long")
    return tuple(steps)


def is_truth(program: Program) -> bool:
    """Tell whether the result is true or false and no number."""
    return evaluate(program, _Truth())


class _Truth:
    def number(self, value: Fraction) -> bool:  # noqa: ARG002  the protocol's
        return False

    def name(self, name: str) -> bool:  # noqa: ARG002  the protocol's
        return False

    def apply(self, operation: str, arguments: list[bool]) -> bool:
        if operation == "if":
            return all([*arguments[1::2], arguments[-1]])
        return operation in TRUTHS


def _tokens(text: str) -> Iterator[str]:
    """Yield numbers, operators, words, and quoted names with a quote before them."""
    at, text = 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotAnExpression("syntax.expression", text[at:].strip()[:10])
        number, quoted, name, operator = match.groups()
        if number is not None and len(number) > _MOST_DIGITS:
            raise NotAnExpression("syntax.expression", number)
        yield number or name or operator or f'"{quoted}'
        at = match.end()


class _Reader:
    """Recursive descent, loosest first; what it has read is in `_steps`."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._steps: list[Number | Name | Apply] = []
        self._operations = 0

    def program(self) -> Program:
        if any(isinstance(step, Name) and step.is_glob for step in self._loose()):
            raise NotAnExpression("syntax.expression_glob")
        return tuple(self._steps)

    def peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def choice(self, depth: int) -> None:
        self._chain(("or",), self._both, depth)

    def _both(self, depth: int) -> None:
        self._chain(("and",), self._not, depth)

    def _not(self, depth: int) -> None:
        if self.peek() == "not":
            self._take()
            self._not(_deeper(depth))
            self._apply("not", 1)
        else:
            self._comparison(depth)

    def _comparison(self, depth: int) -> None:
        self._sum(depth)
        if self.peek() in COMPARISONS:
            operation = self._take()
            self._sum(depth)
            self._apply(operation, 2)
            if self.peek() in COMPARISONS:
                raise NotAnExpression("syntax.expression_chain", self._take())

    def _sum(self, depth: int) -> None:
        self._chain(("+", "-"), self._product, depth)

    def _product(self, depth: int) -> None:
        self._chain(("*", "/"), self._signed, depth)

    def _signed(self, depth: int) -> None:
        if self.peek() == "-":
            self._take()
            self._signed(_deeper(depth))
            self._apply("neg", 1)
        else:
            self._power(depth)

    def _power(self, depth: int) -> None:
        self._atom(depth)
        if self.peek() == "**":
            self._take()
            exponent = self._take()
            if not exponent.isdecimal() or int(exponent) > HIGHEST_POWER:
                raise NotAnExpression("syntax.expression_power", exponent)
            self._put(Number(Fraction(exponent)))
            self._apply("**", 2)

    def _atom(self, depth: int) -> None:
        word = self._take()
        if word == "(":
            self.choice(_deeper(depth))
            self._close()
        elif word.startswith('"'):
            self._put(Name(word[1:]))
        elif word[0].isdecimal():
            self._put(Number(Fraction(word)))
        elif self.peek() == "(":
            self._function(word, depth)
        elif (word[0].isalpha() or word[0] == "_") and word not in _WORDS:
            self._put(Name(word))
        else:
            raise NotAnExpression("syntax.expression", word)

    def _function(self, word: str, depth: int) -> None:
        if word not in _FUNCTIONS:
            raise NotAnExpression("syntax.expression_function", word)
        self._take()
        count, begin = 0, len(self._steps)
        while True:
            begin = len(self._steps)
            self.choice(_deeper(depth))
            count += 1
            if self.peek() != ",":
                break
            self._take()
        self._close()
        least, most = _FUNCTIONS[word]
        if not least <= count <= most or (word == "if" and count % 2 == 0):
            raise NotAnExpression("syntax.expression_arguments", word)
        if word == "round" and count > 1 and not _are_decimals(self._steps[begin:]):
            raise NotAnExpression("syntax.expression_decimals")
        self._apply(word, count)

    def _chain(self, operations: tuple[str, ...], inner: Callable[[int], None], depth: int) -> None:
        inner(depth)
        while self.peek() in operations:
            operation = self._take()
            inner(depth)
            self._apply(operation, 2)

    def _close(self) -> None:
        closing = self._take()
        if closing != ")":
            raise NotAnExpression("syntax.expression", closing)

    def _take(self) -> str:
        token = self.peek()
        if token is None:
            raise NotAnExpression("syntax.expression_end")
        self._at += 1
        return token

    def _apply(self, operation: str, arguments: int) -> None:
        self._operations += 1
        if self._operations > MOST_OPERATIONS:
            raise NotAnExpression("syntax.expression_long")
        self._put(Apply(operation, arguments))

    def _put(self, step: Number | Name | Apply) -> None:
        if len(self._steps) >= MOST_STEPS:
            raise NotAnExpression("syntax.expression_long")
        self._steps.append(step)

    def _loose(self) -> Iterator[Number | Name | Apply]:
        """Yield every step whose result goes elsewhere than straight into a function of many."""
        stack: list[Number | Name | Apply] = []
        for step in self._steps:
            if isinstance(step, Apply):
                if step.operation not in _OF_MANY:
                    yield from stack[-step.arguments :]
                del stack[-step.arguments :]
            stack.append(step)
        yield from stack


def _are_decimals(steps: Sequence[Number | Name | Apply]) -> bool:
    match steps:
        case [Number(value)]:
            return value.denominator == 1 and value <= MOST_DECIMALS
        case _:
            return False


def _deeper(depth: int) -> int:
    if depth >= DEEPEST:
        raise NotAnExpression("syntax.expression_long")
    return depth + 1
