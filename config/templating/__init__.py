"""Templates a plant file may hold for topics and messages: Jinja's notation, of which little is allowed.

What is allowed is a list: names we hand in, their fields, comparisons, arithmetic, a few filters, `if`, and
one `for` over `rows` or `values`, not inside another. There is no call, no assignment, no attribute of an
object, nothing that repeats a text. So a message costs at most nodes × rows, however the template is written,
and what is not on the list is refused when the plant file is read. Beneath that lies Jinja's immutable
sandbox, with the same lists at run time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from jinja2.exceptions import TemplateError

from config.templating.judge import Judge, NotATemplate
from config.templating.names import NAMES, Row, Values, known_of_rows
from config.templating.sandbox import environment

__all__ = [
    "NAMES",
    "Failed",
    "MessageTemplate",
    "NotATemplate",
    "Row",
    "Values",
    "compile_template",
    "known_of_rows",
]


class Failed(ValueError):
    """A template makes nothing of these values; the text says why."""


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    """A template that was found harmless."""

    uses: frozenset[str]
    """Every name and field it reads."""
    nodes: int
    _render: Callable[[dict[str, Any]], Iterator[str]]

    def render(self, known: dict[str, Any], most: int) -> str | None:
        """Return the text; None when it is more than `most` bytes long.

        Raises:
            Failed: the template can't make anything of these values.
        """
        pieces: list[str] = []
        size = 0
        try:
            for piece in self._render(known):
                pieces.append(piece)
                size += len(piece)
                if size > most:
                    return None
        except (TemplateError, ArithmeticError, TypeError, ValueError) as error:
            raise Failed(str(error)) from error
        text = "".join(pieces)
        return text if text.isascii() or len(text.encode("utf-8", "replace")) <= most else None


def compile_template(source: str, each: str) -> MessageTemplate:
    """Return the template whose message carries a ``device``, a ``time`` or a ``value``.

    Raises:
        NotATemplate: it is malformed, or does what is not allowed.
    """
    sandbox = environment()
    try:
        tree = sandbox.parse(source)
    except (TemplateError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None) or 1
        raise NotATemplate("template.syntax", line, str(error)) from error
    judge = Judge(NAMES[each])
    judge.judge(tree, 0)
    template = sandbox.from_string(source)
    root = template.root_render_func
    return MessageTemplate(
        frozenset(judge.uses), judge.count, lambda known: root(template.new_context(known))
    )
