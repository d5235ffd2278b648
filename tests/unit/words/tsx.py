"""Reads TypeScript with markup just far enough to tell what a reader would see from what a program needs."""

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

Kind = Literal["text", "attribute", "shown", "code"]
_BEFORE_MARKUP: Final = re.compile(r"(?:^|[(,?:&|=>{}\[;]|\breturn)$")
_BEFORE_REGEX: Final = re.compile(r"(?:^|[(,=:\[!&|?{};>]|\breturn)$")
_NAME: Final = re.compile(r"[\w.:-]+")


class Said(NamedTuple):
    """A literal: between tags, an attribute's, what an expression between tags gives; code: any other."""

    line: int
    kind: Kind
    text: str
    attribute: str


class Reader:
    """Walks once over a file; what it does not understand it takes for code."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._said: list[Said] = []

    def read(self) -> list[Said]:
        """Return every literal of the file."""
        self._code("code", "", "")
        return self._said

    def _note(self, start: int, kind: Kind, text: str, attribute: str = "") -> None:
        self._said.append(Said(self._source.count("\n", 0, start) + 1, kind, text, attribute))

    def _code(self, kind: Kind, attribute: str, end: str) -> None:
        """Read code up to its closing bracket."""
        source, before = self._source, ""
        depth = 0
        while self._at < len(source):
            char, two = source[self._at], source[self._at : self._at + 2]
            if char == end and not depth:
                self._at += 1
                return
            if two == "//":
                self._at = self._found("\n")
                continue
            if two == "/*":
                self._at = self._found("*/") + 2
                continue
            if char in "'\"":
                self._string(char, "code" if depth else kind, attribute)
                before = char
                continue
            if char == "`":
                self._template("code" if depth else kind, attribute)
                before = char
                continue
            if (
                char == "<"
                and _BEFORE_MARKUP.search(before)
                and re.match(r"<[A-Za-z>]", source[self._at :][:2])
            ):
                self._element()
                before = ">"  # an element is a value
                continue
            if char == "/" and _BEFORE_REGEX.search(before):
                self._regex()
                before = "/"
                continue
            depth += {"{": 1, "(": 1, "[": 1, "}": -1, ")": -1, "]": -1}.get(char, 0)
            if not char.isspace():
                before = (before + char)[-8:]
            self._at += 1

    def _found(self, what: str) -> int:
        at = self._source.find(what, self._at)
        return len(self._source) if at < 0 else at

    def _string(self, quote: str, kind: Kind, attribute: str) -> None:
        start = self._at
        self._at += 1
        while self._source[self._at] != quote:
            self._at += 2 if self._source[self._at] == "\\" else 1
        self._note(start, kind, self._source[start + 1 : self._at], attribute)
        self._at += 1

    def _template(self, kind: Kind, attribute: str) -> None:
        start = piece = self._at = self._at + 1
        text = ""
        while self._source[self._at] != "`":
            if self._source[self._at : self._at + 2] == "${":
                text += self._source[piece : self._at] + "\0"
                self._at += 2
                self._code("code", "", "}")
                piece = self._at
            else:
                self._at += 2 if self._source[self._at] == "\\" else 1
        self._note(start, kind, text + self._source[piece : self._at], attribute)
        self._at += 1

    def _regex(self) -> None:
        self._at += 1
        is_class = False
        while self._source[self._at] != "/" or is_class:
            char = self._source[self._at]
            is_class = char == "[" or (is_class and char != "]")
            self._at += 2 if char == "\\" else 1
        self._at += 1

    def _element(self) -> None:
        """Read an element with its children."""
        self._at += 1
        if not self._tag():
            self._children()

    def _tag(self) -> bool:
        """Read up to the tag's end; tell whether it has no children."""
        attribute, source = "", self._source
        while True:
            char = source[self._at]
            if char == ">":
                self._at += 1
                return False
            if source[self._at : self._at + 2] == "/>":
                self._at += 2
                return True
            name = _NAME.match(source, self._at)
            if name:
                attribute = name[0]
                self._at = name.end()
            elif char in "'\"":
                self._string(char, "attribute", attribute)
            elif char == "{":
                self._at += 1
                self._code("attribute", attribute, "}")
            else:
                self._at += 1

    def _children(self) -> None:
        source = self._source
        while True:
            start = self._at
            while source[self._at] not in "<{":
                self._at += 1
            if source[start : self._at].strip():
                self._note(start, "text", source[start : self._at].strip())
            if source[self._at] == "{":
                self._at += 1
                self._code("shown", "", "}")
            elif source[self._at + 1] == "/":
                self._at = self._found(">") + 1
                return
            else:
                self._element()


def literals(source: str) -> Iterator[Said]:
    """Yield what stands literally in a file."""
    yield from Reader(source).read()
