"""From pydantic's findings to problems a person can act on, and to what of the file is still usable.

Pydantic names every mistake of form in one pass. What it can't do is check the rest: so the smallest things
that hold a mistake (a tag, a device, a sink) are left out and the remainder is validated again, for the
checks of meaning to run on.
"""

import re
from collections.abc import Iterable
from pathlib import Path as Folder
from typing import Any, Final, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from config.base import SecretText, format_duration, format_size, parse_duration, parse_size
from config.problems import Phrase, Problem, found, quote
from config.reading import advice
from config.reading.document import MOST_MISTAKES, Document, Mapping, Path
from config.reading.references import UNRESOLVED
from config.reading.yaml_tree import plain_value
from config.schema import is_required, known_keys, known_kinds

M = TypeVar("M", bound=BaseModel)

_HOLDS_ENTRIES: Final = ("sources", "devices", "tags", "sinks", "derived")
_STAND_INS: Final = {"gateway": {"id": "gateway", "site": "site"}}
"""What takes the place of a section that can't be left out."""
_ROUNDS: Final = 4
"""Leaving out a tag may empty its device, that its source, that the plant."""
_WANTS_NO_TEXT: Final = ("int_type", "int_from_float", "float_type", "bool_type", "number")
_QUOTED: Final = re.compile(r"'([^']*)'")
_NUMBER: Final = re.compile(r"[0-9]+")

_CODES: Final = {
    "missing": "E-CF-0101",
    "extra_forbidden": "E-CF-0102",
    "int_type": "E-CF-0104",
    "int_from_float": "E-CF-0104",
    "number": "E-CF-0105",
    "finite": "E-CF-0106",
    "string_type": "E-CF-0107",
    "bool_type": "E-CF-0108",
    "literal_error": "E-CF-0109",
    "union_tag_invalid": "E-CF-0110",
    "union_tag_not_found": "E-CF-0111",
    "greater_than_equal": "E-CF-0112",
    "less_than_equal": "E-CF-0113",
    "string_too_short": "E-CF-0114",
    "string_too_long": "E-CF-0115",
    "string_pattern_mismatch": "E-CF-0116",
    "dict_type": "E-CF-0117",
    "model_type": "E-CF-0117",
    "model_attributes_type": "E-CF-0117",
    "tuple_type": "E-CF-0118",
    "list_type": "E-CF-0118",
    "too_short": "E-CF-0119",
    "duration": "E-CF-0120",
    "size": "E-CF-0121",
    "host": "E-CF-0127",
    "network": "E-CF-0128",
    "device_path": "E-CF-0791",
    "platform_id": "E-CF-0792",
    "device_columns": "E-CF-0793",
    "device_row": "E-CF-0794",
    "sheet": "E-CF-0797",
    "name": "E-CF-0122",
    "unit": "E-CF-0123",
    "deadband": "E-CF-0124",
    "time_zone": "E-CF-0125",
    "json_path": "E-CF-0901",
    "topic_filter": "E-CF-0902",
    "topic": "E-CF-0924",
    "name_pattern": "E-CF-0903",
    "sparkplug_id": "E-CF-0904",
    "placed_name": "E-CF-0905",
    "sparkplug_device": "E-CF-0906",
    "sparkplug_own_id": "E-CF-0907",
    "secret_literal": "E-CF-0206",
    "endpoint": "E-CF-0810",
    "node": "E-CF-0811",
    "node_index": "E-CF-0812",
    "browse_glob": "E-CF-0818",
    "greater_than": "E-CF-1400",
    "identifier": "E-CF-1314",
    "check_digit": "E-CF-1315",
    "date_text": "E-CF-1320",
    "moment": "E-CF-1321",
    "time_of_day": "E-CF-1322",
    "above_zero": "E-CF-1400",
    "digits": "E-CF-1406",
    "date": "E-CF-1401",
    "days": "E-CF-1429",
    "month": "E-CF-1402",
    "hours": "E-CF-1403",
    "webhook_url": "E-CF-1901",
}
_OTHER: Final = "E-CF-0199"
_EMPTY: Final = "E-CF-0103"
_TRADE_ADDRESS: Final = "E-CF-0126"
_ADVICE: Final = {
    "E-CF-0104": advice.for_number,
    "E-CF-0105": advice.for_number,
    "E-CF-0107": advice.for_text,
    "E-CF-0108": advice.for_truth,
    "E-CF-0120": advice.for_duration,
    "E-CF-0121": advice.for_size,
    "E-CF-0123": advice.for_unit,
    "E-CF-0125": advice.for_zone,
}


class Validated(NamedTuple, Generic[M]):
    """What came of validating a document."""

    model: M | None
    """None when nothing usable is left."""
    problems: list[Problem]
    is_whole: bool
    """False when entries with mistakes were left out of the model."""


def validate(document: Document, model: type[M], folder: Folder | None = None) -> Validated[M]:
    """Validate a document; when it has mistakes, name them all and validate what remains without them.

    File names in it are taken to be relative to `folder`.
    """
    result, errors = attempt(model, document.root, folder)
    if errors and _read_references(document, errors):
        result, errors = attempt(model, document.root, folder)
    found = (problem_of(document, model, error) for error in errors[:MOST_MISTAKES])
    problems = [problem for problem in found if problem]
    if len(errors) > MOST_MISTAKES:
        return Validated(None, problems, is_whole=False)
    is_whole = not errors
    data: dict[str, Any] = document.root
    for _ in range(_ROUNDS):
        if not errors:
            break
        data = _without(data, {_smallest(document, error) for error in errors})
        result, errors = attempt(model, data, folder)
    return Validated(result, problems, is_whole)


def attempt(
    model: type[M], data: dict[str, Any], folder: Folder | None
) -> tuple[M | None, list[ErrorDetails]]:
    """Return the model, or what pydantic finds."""
    try:
        return model.model_validate(data, context={"folder": folder}, by_alias=True, by_name=False), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def _read_references(document: Document, errors: Iterable[ErrorDetails]) -> bool:
    """Read as numbers and truth values what references brought as text; tell whether any was."""
    changed = False
    for error in errors:
        path = path_of(document, error)
        text = document.value(path)
        if error["type"] in _WANTS_NO_TEXT and isinstance(text, SecretText) and text:
            value = plain_value(str(text))
            if isinstance(value, bool | int | float):
                document.value(path[:-1])[path[-1]] = value
                changed = True
    return changed


def path_of(document: Document, error: ErrorDetails) -> tuple[str | int, ...]:
    """Return the path in the file of a place pydantic names: without the choices its unions add."""
    path: list[str | int] = []
    node: Any = document.root
    steps = [step for step in error["loc"] if step != "[key]"]
    for i, step in enumerate(steps):
        has_kinds = len(path) == 2 or path[2:] == ["format"]
        is_choice = has_kinds and i + 1 < len(steps) and isinstance(node, Mapping)
        if is_choice and node.get("kind") == step:
            continue
        path.append(step)
        node = document.value(path)
    return tuple(path)


def problem_of(document: Document, model: type[BaseModel], error: ErrorDetails) -> Problem | None:
    """Return the mistake in a person's words; None when it is told elsewhere."""
    path = path_of(document, error)
    value = document.value(path)
    kind = error["type"]
    if value is UNRESOLVED or (kind == "too_short" and isinstance(value, dict | list) and value):
        return None  # told already: by the reference, by the entries' own mistakes
    field = str(path[-1]) if path else ""
    code = _CODES.get(kind, _OTHER)
    if kind in ("extra_forbidden", "missing"):
        names = advice.near(field, known_keys(model, error["loc"][:-1]))
        said = names if kind == "extra_forbidden" else advice.NOTHING
        return document.problem(
            code, path, at_key=True, field=quote(field), hint=_hint(document, path), advice=said
        )
    if kind in ("name", "name_pattern", "days", "month", "device_path") and error["loc"][-1] == "[key]":
        return document.problem(code, path, at_key=True, found=found(field))
    if value is None and kind != "union_tag_not_found":
        choice = advice.NOTHING if is_required(model, error["loc"]) else Phrase("advice.or_delete")
        return document.problem(
            _EMPTY, path, at_key=True, field=quote(field), advice=choice, hint=_hint(document, path)
        )
    return _problem_of_value(document, model, path, error)


def _problem_of_value(document: Document, model: type[BaseModel], path: Path, error: ErrorDetails) -> Problem:
    code = _CODES.get(error["type"], _OTHER)
    value, ctx = document.value(path), error.get("ctx", {})
    args: dict[str, object] = {
        **ctx,
        "found": found(value),
        "hint": _hint(document, path),
        "advice": advice.NOTHING,
    }
    is_shown = not isinstance(value, str) or type(value) is str
    if code == "E-CF-0104" and path[-1] == "address" and isinstance(value, str) and _is_trade_address(value):
        return document.problem_with(_TRADE_ADDRESS, path, args)
    if code in _ADVICE and is_shown:
        args["advice"] = _ADVICE[code](value)
    match code:
        case "E-CF-0109":
            choices = _QUOTED.findall(ctx["expected"]) or _NUMBER.findall(ctx["expected"])
            if path[-1] == "kind":
                code = "E-CF-0110"
            args |= {
                "choices": choices,
                "advice": advice.meant(value, choices) if is_shown else advice.NOTHING,
            }
        case "E-CF-0110":
            path, choices = (*path, "kind"), _QUOTED.findall(ctx["expected_tags"])
            value = document.value(path)
            args |= {"found": found(value), "choices": choices, "advice": advice.meant(value, choices)}
        case "E-CF-0111" if isinstance(value, dict):
            path = (*path, "kind")
            args["choices"] = known_kinds(model, error["loc"])
        case "E-CF-0111":
            code = "E-CF-0117"
        case "E-CF-0112" | "E-CF-0113":
            limit = ctx["ge"] if code == "E-CF-0112" else ctx["le"]
            args["limit"] = _as_written(value, limit)
        case "E-CF-0115" | "E-CF-1315":
            args |= {"limit": ctx.get("max_length"), "digit": ctx.get("digit")}
    return document.problem_with(code, path, args)


def _hint(document: Document, path: Path) -> Phrase:
    """Return what is known of the field; an address is another thing in each kind of connection."""
    kind = document.value((*path[:2], "kind")) if path[:1] == ("sources",) else None
    return advice.hint(str(path[-1]) if path else "", kind)


def _is_trade_address(text: str) -> bool:
    return re.fullmatch(r"[0134][xX][0-9]+", text) is not None


def _as_written(value: object, limit: int) -> str:
    """Return a limit in the words of the value that breaks it."""
    for parse, form in ((parse_duration, format_duration), (parse_size, format_size)):
        try:
            parse(value)
        except ValueError:
            continue
        return form(limit)
    return f"{limit}"


def _smallest(document: Document, error: ErrorDetails) -> tuple[str | int, ...]:
    """Return the path of the smallest thing that can be left out together with the mistake."""
    path = path_of(document, error)
    if error["type"] == "extra_forbidden":
        return path
    for level in (4, 2, 0):
        if len(path) > level + 1 and path[level] in _HOLDS_ENTRIES:
            return path[: level + 2]
    return path[:1]


def _without(data: dict[str, Any], paths: set[tuple[str | int, ...]]) -> dict[str, Any]:
    here = {path[0] for path in paths if len(path) == 1}
    below: dict[str | int, set[tuple[str | int, ...]]] = {}
    for path in paths:
        if len(path) > 1 and path[0] not in here:
            below.setdefault(path[0], set()).add(path[1:])
    kept: dict[str, Any] = {key: value for key, value in data.items() if key not in here}
    for key, deeper in below.items():
        if isinstance(kept.get(str(key)), dict):
            kept[str(key)] = _without(kept[str(key)], deeper)
        else:
            kept.pop(str(key), None)
    return kept | {key: stand_in for key, stand_in in _STAND_INS.items() if key in here}
