"""What each value of a plant file is, by the model's field: a secret, a file's name, free text, or plain.

Works on the tree as it was written, also where the file has mistakes: who copies or shows a plant file must
know what stands in it before it can be used.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, BaseModel, TypeAdapter, ValidationError

from config.base import FileName, Secret
from config.plant import Plant

Path = tuple[str | int, ...]


class Sort(Enum):
    """What a written value is."""

    PLAIN = "plain"
    """A number, a choice, a duration, a name: the model allows nothing that could be a secret."""
    TEXT = "text"
    """Free text."""
    FILE = "file"
    """A file's name."""
    SECRET = "secret"  # noqa: S105  the sort, not one
    UNKNOWN = "unknown"
    """No field of this name, or not what the field takes: it may be anything."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One written value that holds no others."""

    path: Path
    value: Any
    sort: Sort
    field: str
    """Name of the model's field, empty where there is none."""
    known: int
    """How many steps of the path the model knows; the keys behind may be anything."""


_FILE_MARK: Final = next(each for each in get_args(FileName) if isinstance(each, AfterValidator))


def leaves(root: Mapping[str, Any]) -> Iterator[Leaf]:
    """Yield every value of a plant file's tree, in its order."""
    yield from _of_model(Plant, root, ())


@cache
def vocabulary() -> frozenset[str]:
    """Return every key and every fixed word a plant file may hold: nothing of these is a secret."""
    found: set[str] = set()
    seen: set[Any] = set()
    todo: list[Any] = [Plant]
    while todo:
        for kind in _choices(todo.pop()):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                if kind not in seen:
                    seen.add(kind)
                    found |= _fields(kind).keys()
                    todo += [each for _, each in _fields(kind).values()]
            elif get_origin(kind) is Literal:
                found |= {each for each in get_args(kind) if isinstance(each, str)}
            elif get_origin(kind) in (dict, tuple):
                todo += get_args(kind)
    return frozenset(found)


def _of_model(model: type[BaseModel], node: Mapping[str, Any], path: Path) -> Iterator[Leaf]:
    fields = _fields(model)
    is_sound = _is_valid(model, node)
    if not node:
        yield Leaf(path, {}, Sort.PLAIN, "", len(path))
    for key, value in node.items():
        field = fields.get(key)
        if field is None:
            yield from _all(value, (*path, key), len(path))
        else:
            yield from _of(field[1], value, (*path, key), field[0], is_sound=is_sound)


def _of(kind: Any, value: Any, path: Path, field: str, *, is_sound: bool) -> Iterator[Leaf]:
    inner, marks = _stripped(kind)
    if isinstance(value, Mapping):
        model = _model_for(inner, value)
        entry = _entry(inner, dict)
        if model is not None:
            yield from _of_model(model, value, path)
        elif entry is not None:
            for key, each in value.items():
                yield from _of(entry, each, (*path, key), field, is_sound=is_sound)
        else:
            yield from _all(value, path, len(path))
    elif isinstance(value, list | tuple):
        entry = _entry(inner, tuple)
        for i, each in enumerate(value):
            if entry is None:
                yield from _all(each, (*path, i), len(path))
            else:
                yield from _of(entry, each, (*path, i), field, is_sound=is_sound)
    else:
        sort = _sort(kind, inner, marks, value, is_sound=is_sound)
        yield Leaf(path, value, sort, field, len(path))


def _all(value: Any, path: Path, known: int) -> Iterator[Leaf]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _all(each, (*path, key), known)
    elif isinstance(value, list | tuple):
        for i, each in enumerate(value):
            yield from _all(each, (*path, i), known)
    else:
        yield Leaf(path, value, Sort.UNKNOWN, "", known)


def _sort(kind: Any, inner: Any, marks: tuple[Any, ...], value: Any, *, is_sound: bool) -> Sort:
    choices = _choices(inner)
    if Secret in choices:
        return Sort.SECRET
    if _FILE_MARK in marks or any(_FILE_MARK in _stripped(each)[1] for each in _alternatives(inner)):
        return Sort.FILE
    if value is None or isinstance(value, bool | int | float):
        return Sort.PLAIN
    if not is_sound and not _is_valid(kind, value):
        return Sort.UNKNOWN
    # A restricted text (a name, a duration, a choice) has a validator or is no str at all.
    return Sort.TEXT if str in choices and not _is_restricted(inner, marks) else Sort.PLAIN


def _is_restricted(inner: Any, marks: tuple[Any, ...]) -> bool:
    marks_of_all = [marks, *(_stripped(each)[1] for each in _alternatives(inner))]
    return any(type(mark).__name__ == "BeforeValidator" for marks in marks_of_all for mark in marks)


def _is_valid(kind: Any, value: Any) -> bool:
    try:
        _adapter(kind).validate_python(value, context={"folder": None}, by_alias=True, by_name=False)
    except ValidationError:
        return False
    return True


_ADAPTERS: Final[dict[int, tuple[Any, TypeAdapter[Any]]]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    # By identity, and kept with its type: annotations can hold what has no hash.
    if id(kind) not in _ADAPTERS:
        _ADAPTERS[id(kind)] = kind, TypeAdapter(kind)
    return _ADAPTERS[id(kind)][1]


@cache
def _fields(model: type[BaseModel]) -> dict[str, tuple[str, Any]]:
    """Return each key of the file with its field's name and whole annotation."""
    hints = get_type_hints(model, include_extras=True)
    return {field.alias or name: (name, hints[name]) for name, field in model.model_fields.items()}


def _stripped(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(kind) is Annotated:
        inner, *marks = get_args(kind)
        deeper, more = _stripped(inner)
        return deeper, (*more, *marks)
    return kind, ()


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _choices(kind: Any) -> list[Any]:
    """Return the types a value may have, unions and annotations taken apart."""
    found = []
    for each in _alternatives(kind):
        inner, _ = _stripped(each)
        if inner is kind:
            found.append(inner)
        elif inner is not NoneType:
            found += _choices(inner)
    return found


def _entry(kind: Any, of: type) -> Any:
    for each in _choices(kind):
        if get_origin(each) is of:
            return get_args(each)[1 if of is dict else 0]
    return None


def _model_for(kind: Any, node: Mapping[str, Any]) -> type[BaseModel] | None:
    """Return the model a mapping is meant for: by its kind, else the one that knows most of its keys."""
    models = [each for each in _choices(kind) if isinstance(each, type) and issubclass(each, BaseModel)]
    if len(models) > 1 and "kind" in node:
        models = [each for each in models if node["kind"] in _kinds(each)]
    return max(models, key=lambda model: len(_fields(model).keys() & node.keys()), default=None)


def _kinds(model: type[BaseModel]) -> tuple[Any, ...]:
    kind = _fields(model).get("kind")
    return get_args(kind[1]) if kind is not None and get_origin(kind[1]) is Literal else ()
