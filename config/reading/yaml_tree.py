"""YAML, less what a plant file has no use for, with the place of every key and value.

The parser is PyYAML's (in C where it is compiled in), used for its events only. What can make a small file
large or mean something else than it says is refused: aliases and anchors, explicit tags, merge keys,
several documents, duplicate keys, tabs for indentation, anything but UTF-8, more than 2 MB, more than 32
levels. The tree grows from its root, so that it can be looked at before the end. Plain words mean what YAML
1.2's core schema says: only ``true`` and ``false`` are truth values, so ``no`` and ``on`` are text; ``1:30``
is text; ``010`` is text too, because readers disagree about it.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice, pairwise
from typing import Any, Final

import yaml

from config.problems import Phrase, Problem, quote
from config.reading.document import Document, Listing, Mapping, Path, Place, dotted

LARGEST_FILE: Final = 2_000_000
DEEPEST: Final = 32
MOST_PROBLEMS: Final = 100
"""A file with more mistakes in its form than this is not a plant file."""
LOOK_AT: Final = frozenset({2_000, 8_000, 32_000})
"""Events after which a look is taken; what looks well then may cost what a plant of its size costs."""

_PARSER: Final = yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader
_INDENTING_TAB: Final = re.compile(r"^[ ]*\t[ \t]*[^\s#]", re.MULTILINE)
_FULL_WIDTH: Final = re.compile(
    r"^[ ]*(?:- +)*[\w{}.-]{1,99}(：)|[{,，]\s*[\w{}.-]{1,99}(：)"
    r"|[:：{\[,，]\s*([“‘])|[\w”’\"'}\]](，)\s*[\w“\"'{]"
)
"""Punctuation of a Chinese keyboard where YAML wants its own; looked for only in what is no YAML."""
_FULL_WIDTH_NAMES: Final = {
    "：": "syntax.wide_colon",
    "，": "syntax.wide_comma",
    "“": "syntax.wide_quote",
    "‘": "syntax.wide_quote",
    "\u3000": "syntax.wide_space",
}
_INDENTING_SPACE: Final = re.compile(r"^[ ]*(\u3000)", re.MULTILINE)
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,39})")
_OTHER_BASE: Final = re.compile(r"0x[0-9a-fA-F]{1,32}|0o[0-7]{1,32}")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_NUMBER_BEGINS: Final = frozenset("+-.0123456789")
_YAML_TAG: Final = "tag:yaml.org,2002:"
_SYNTAX: Final = {
    "mapping values are not allowed in this context": "syntax.colon",
    "mapping values are not allowed here": "syntax.colon",
    "could not find expected ':'": "syntax.no_colon",
    "did not find expected key": "syntax.indent",
    "did not find expected '-' indicator": "syntax.indent",
    "did not find expected ',' or ']'": "syntax.list",
    "did not find expected ',' or '}'": "syntax.mapping",
    "found unexpected end of stream": "syntax.quote",
    "found character that cannot start any token": "syntax.character",
    "found unknown escape character": "syntax.escape",
    "found a tab character that violates indentation": "syntax.tab",
}


class OtherBase(int):
    """A number written in hexadecimal or octal: nobody writes it so who counts registers from 40001."""

    __slots__ = ()


Look = Callable[[Document, Path, int], list[Problem]]
"""Called with what was read so far, where it ended and how many entries it has; what it returns ends it."""


class _Stop(Exception):
    """What follows can't be read sensibly."""


def read_document(data: bytes, name: str, look: Look | None = None) -> tuple[Document | None, list[Problem]]:
    """Read a file's bytes; return its document if it has the form of one, and what is wrong with its form.

    Where a look found it not worth reading on, there are the look's problems.
    """
    text = _decode(data, name)
    if isinstance(text, Problem):
        return None, [text]
    builder = _Builder(name, look)
    try:
        builder.build(yaml.parse(text, Loader=_PARSER))
    except _Stop:
        pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        detail = Phrase(_SYNTAX.get(error.problem or "", "syntax.other"))
        if not (wide := _full_width(text, name, line)):
            builder.add("E-CF-0010", line, column, detail=detail)
        builder.problems += wide
    except yaml.YAMLError:
        builder.add("E-CF-0010", 1, 1, detail=Phrase("syntax.other"))
    if not builder.problems and not isinstance(builder.root, Mapping):
        builder.problems += _full_width(text, name)
    if not builder.problems and not isinstance(builder.root, Mapping):
        builder.add("E-CF-0003" if builder.root is None else "E-CF-0004", 1, 1)
    if builder.problems or not isinstance(builder.root, Mapping):
        return None, builder.problems
    return Document(name, builder.root), []


def read_one_entry(data: bytes, key: str) -> Any:
    """Return what a broken file says under a key of its root, up to the first mistake from there on."""
    text = _CONTROL.sub("", data[:LARGEST_FILE].decode("utf-8-sig", "replace"))
    begin = re.search(rf"^{re.escape(key)}[ ]*:", text, re.MULTILINE)
    builder = _Builder("", None)
    with suppress(_Stop, yaml.YAMLError):
        builder.build(yaml.parse(text[begin.start() if begin else 0 :], Loader=_PARSER))
    return builder.root.get(key) if isinstance(builder.root, Mapping) else None


def _full_width(text: str, name: str, last_line: int | None = None) -> list[Problem]:
    """Return the full-width punctuation that may be why the text, up to a line, is no YAML."""
    if not any(each in text for each in _FULL_WIDTH_NAMES):
        return []
    found = (
        (number, match)
        for number, line in enumerate(text.split("\n")[:last_line], 1)
        for match in _FULL_WIDTH.finditer(line.partition(" #")[0])
    )
    problems = []
    for number, match in islice(found, MOST_PROBLEMS):
        group = match.lastindex or 0
        what = Phrase(_FULL_WIDTH_NAMES[match[group]])
        problems.append(Problem("E-CF-0018", name, number, match.start(group) + 1, "", {"what": what}))
    return problems


def plain_value(text: str) -> Any:
    """Return what a word without quotes means: null, true, false, an integer, a float, or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _NUMBER_BEGINS:
        if _INTEGER.fullmatch(text):
            return int(text)
        if _OTHER_BASE.fullmatch(text):
            return OtherBase(text, 0)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


def _decode(data: bytes, name: str) -> str | Problem:
    if len(data) > LARGEST_FILE:
        return Problem("E-CF-0005", name, 1, 1, "", {"limit": f"{LARGEST_FILE:,}"})
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return Problem("E-CF-0006", name, 1, 1, "", {"detail": Phrase("encoding.utf16")})
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", errors="replace")
        detail = Phrase("encoding.gbk" if _is_gbk(data) else "encoding.unknown")
        return Problem("E-CF-0006", name, *_position(before, len(before)), "", {"detail": detail})
    control = _CONTROL.search(text)
    if control:
        shown = quote(control[0])
        return Problem("E-CF-0007", name, *_position(text, control.start()), "", {"character": shown})
    return _indentation(text, name) or text


def _indentation(text: str, name: str) -> Problem | None:
    """Return the first indentation by something else than spaces."""
    space = _INDENTING_SPACE.search(text) if "\u3000" in text else None
    if space:
        where = _position(text, space.start(1))
        return Problem("E-CF-0018", name, *where, "", {"what": Phrase(_FULL_WIDTH_NAMES[space[1]])})
    tab = _INDENTING_TAB.search(text) if "\t" in text else None
    if tab:
        return Problem("E-CF-0008", name, *_position(text, text.index("\t", tab.start())), "")
    return None


def _is_gbk(data: bytes) -> bool:
    try:
        data.decode("gb18030")
    except UnicodeDecodeError:
        return False
    return True


def _position(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


class _Builder:
    """Builds the tree from events and gathers what is wrong with the form."""

    def __init__(self, name: str, look: Look | None) -> None:
        self.root: Any = None
        self.problems: list[Problem] = []
        self._name = name
        self._look = look
        self._open: list[tuple[Mapping | Listing, str | None]] = []
        """The containers around the current event, each with the key it was entered under."""
        self._key: tuple[str, int, int] | None = None
        """The key whose value comes next."""

    def add(self, code: str, line: int, column: int, **args: object) -> None:
        """Note a problem; stop when there are too many."""
        path = dotted([key for _, key in self._open if key is not None])
        self.problems.append(Problem(code, self._name, line, column, path, args))
        if len(self.problems) >= MOST_PROBLEMS:
            raise _Stop

    def build(self, events: Iterator[Any]) -> None:
        """Take in all events of one document."""
        documents = 0
        for entries, event in enumerate(events):
            line, column = event.start_mark.line + 1, event.start_mark.column + 1
            match event:
                case yaml.ScalarEvent():
                    self._scalar(event, line, column)
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self._begin(event, line, column)
                case yaml.CollectionEndEvent():
                    self._open.pop()
                case yaml.AliasEvent():
                    self.add("E-CF-0011", line, column, name=quote(event.anchor or ""))
                    self._scalar(None, line, column)
                case yaml.DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        self.add("E-CF-0009", line, column)
                        raise _Stop
            if entries in LOOK_AT:
                self._be_looked_at(entries, line, column)

    def _be_looked_at(self, entries: int, line: int, column: int) -> None:
        if self._look is None or not isinstance(self.root, Mapping):
            return
        opened: list[str | int] = []
        for (parent, _), (_, key) in pairwise(self._open):
            opened.append(len(parent) - 1 if key is None else key)
        if told := self._look(Document(self._name, self.root), opened, entries):
            self.problems += told
            self.add("E-CF-0019", line, column)
            raise _Stop

    def _scalar(self, event: yaml.ScalarEvent | None, line: int, column: int) -> None:
        text = "" if event is None else event.value
        if event is not None and (event.tag is not None or event.anchor is not None):
            self._refuse(event, line, column)
        is_plain = event is None or not event.style
        if self._wants_key():
            self._take_key(text, line, column, is_plain=is_plain)
            return
        place, key = self._next_place(line, column)
        self._enter(plain_value(text) if is_plain else text, place, key)

    def _begin(self, event: Any, line: int, column: int) -> None:
        if event.tag is not None or event.anchor is not None:
            self._refuse(event, line, column)
        if self._wants_key():
            self.add("E-CF-0014", line, column)
            raise _Stop
        if len(self._open) >= DEEPEST:
            self.add("E-CF-0013", line, column, deepest=DEEPEST)
            raise _Stop
        container = Mapping() if isinstance(event, yaml.MappingStartEvent) else Listing()
        place, key = self._next_place(line, column)
        self._enter(container, place, key)
        self._open.append((container, key))
        if not isinstance(self.root, Mapping):
            raise _Stop

    def _wants_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1][0], Mapping) and self._key is None

    def _take_key(self, text: str, line: int, column: int, *, is_plain: bool) -> None:
        mapping = self._open[-1][0]
        if is_plain and text == "<<":
            self.add("E-CF-0015", line, column)
        elif is_plain and not isinstance(plain_value(text), str):
            self.add("E-CF-0016", line, column, key=quote(text))
        if isinstance(mapping, Mapping) and text in mapping.places:
            self.add("E-CF-0017", line, column, key=quote(text), first=mapping.places[text].key_line)
        self._key = (text, line, column)

    def _next_place(self, line: int, column: int) -> tuple[Place, str | None]:
        if self._key is None:
            return Place(line, column, line, column), None
        key, key_line, key_column = self._key
        self._key = None
        return Place(key_line, key_column, line, column), key

    def _enter(self, value: Any, place: Place, key: str | None) -> None:
        if not self._open:
            self.root = value
            return
        container = self._open[-1][0]
        if isinstance(container, Listing):
            container.append(value)
            container.places.append(place)
        elif key is not None:
            container[key] = value
            container.places.setdefault(key, place)

    def _refuse(self, event: Any, line: int, column: int) -> None:
        if event.anchor is not None:
            self.add("E-CF-0011", line, column, name=quote(event.anchor))
        if event.tag is not None:
            self.add("E-CF-0012", line, column, tag=quote(event.tag.replace(_YAML_TAG, "!!")))
