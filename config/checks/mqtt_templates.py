"""Templates of messages: is each allowed, and does it make a topic and a message of some values?"""

from collections.abc import Iterator
from typing import Any, Final

import orjson

from config.connections import TemplateForm
from config.connections.mqtt_forms import is_topic
from config.problems import Phrase, Problem, quote
from config.reading.document import Document, Path
from config.templating import Failed, MessageTemplate, NotATemplate, Row, compile_template, known_of_rows

_PLACE: Final = {
    "id": "1-0000000000000001-1-0", "gateway": "gw-1", "epoch": "1-0000000000000001", "seq": 1, "late": False,
    "path": "s/a/l/d", "site": "s", "area": "a", "line": "l", "device": "d",
}  # fmt: skip
_MOST: Final = 2**20
_NUMBERS: Final = (1.5, True, None)
_TEXT: Final = 'say "so"'


def check_template(form: TemplateForm, document: Document, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with a form's templates at `path`."""
    found: dict[str, MessageTemplate] = {}
    for field in ("topic", "payload"):
        try:
            found[field] = compile_template(getattr(form, field), form.each)
        except NotATemplate as error:
            reason = Phrase(error.key, {"found": quote(error.found)})
            yield document.problem("E-CF-0730", (*path, field), line=error.line, reason=reason)
    if len(found) < 2:
        return
    try:
        for known in _samples(form, _NUMBERS):
            _try_topic(found["topic"], known)
        for known in _samples(form, _NUMBERS):
            _try_payload(found["payload"], form, known)
    except _InField as error:
        yield document.problem("E-CF-0731", (*path, error.field), reason=quote(str(error)))
        return
    try:
        for known in _samples(form, (*_NUMBERS, _TEXT)):
            _try_payload(found["payload"], form, known)
    except _InField as error:
        yield document.problem("W-CF-0732", (*path, error.field), reason=quote(str(error)))


class _InField(ValueError):
    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


def _samples(form: TemplateForm, values: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    rows = [
        Row(f"tag_{i}", value, 0x80000000 if value is None else 0, "C62", "1", i, 1_764_000_000_123_456_789)
        for i, value in enumerate(values)
    ]
    # Both ways round: a template may look at the first row alone, and that may be a Bad one.
    for some in [[row] for row in rows] if form.each == "value" else [rows, rows[::-1]]:
        yield _PLACE | known_of_rows(form.each, some)


def _try_topic(template: MessageTemplate, known: dict[str, Any]) -> None:
    try:
        topic = template.render(known, _MOST)
    except Failed as error:
        raise _InField("topic", str(error)) from error
    if topic is None or not is_topic(topic):
        raise _InField("topic", f"{topic!r} is not a topic")


def _try_payload(template: MessageTemplate, form: TemplateForm, known: dict[str, Any]) -> None:
    try:
        text = template.render(known, _MOST)
        if form.json_:
            orjson.loads(text or "")
    except ValueError as error:
        raise _InField("payload", str(error)) from error
