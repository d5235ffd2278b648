"""From one encoded value to single values with names: arrays, matrices, structures, and what is in them.

    [1.5, 2.5]                      _0 = 1.5   _1 = 2.5
    [[1, 2], [3, 4]]                _0_0 = 1   _0_1 = 2   _1_0 = 3   _1_1 = 4
    {speed, axes: [{position}]}     .speed   .axes_0.position
    Running, of an enumeration      the number, and with its text: .text = "Running"

The value was stepped over before, so every length lies within its bytes; what structures hold inside is read
here for the first time. Whatever a server sends, no more than `most` values are made, and no more than a few
times as many elements looked at. Something that can't be read is one Bad value in its place, and the rest is
there, if only it can be stepped over.
"""

import base64
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import prod
from struct import Struct, error
from typing import Any, Final, Literal, NamedTuple

from connectors.opcua import skip
from connectors.opcua.rows import Malformed
from connectors.opcua.skip import INT32
from connectors.opcua.times import time_ns
from connectors.opcua.types.model import (
    EXTENSION,
    VARIANT,
    Enumeration,
    Field,
    Form,
    NodeKey,
    Structure,
    Types,
    name_of,
    read_key,
)
from connectors.quality import BAD_DATA_TYPE_ID_UNKNOWN, BAD_DECODING_ERROR, BAD_NOT_SUPPORTED, UNCERTAIN

TEXT: Final = 12
_ARRAY, _MATRIX, _BUILTIN = 0x80, 0x40, 0x3F
_DEEPEST: Final = 16
"""Structures within structures, and dimensions of a matrix."""
_LOOKED_AT: Final = 8
"""Elements looked at for each value that is made."""
_UINT32: Final = Struct("<I")
_INT64: Final = Struct("<q")
_FIXED: Final = {
    1: Struct("<?"), 2: Struct("<b"), 3: Struct("<B"), 4: Struct("<h"), 5: Struct("<H"), 6: Struct("<i"),
    7: Struct("<I"), 8: Struct("<q"), 9: Struct("<Q"), 10: Struct("<f"), 11: Struct("<d"), 19: Struct("<I"),
}  # fmt: skip
_DATE_TIME: Final = 13
_REPLACED: Final = "\ufffd"
"""Stands for what was not UTF-8."""

Enums = Literal["number", "text", "both"]


class Leaf(NamedTuple):
    """One single value of a larger one."""

    suffix: str
    """What it is called behind the tag's name."""
    builtin: int
    """What it is: id of a built-in type; what is kept as text is a String."""
    value: Any
    """A number, truth value or text; ns UTC of a DateTime; None if it is Bad."""
    status: int = 0


@dataclass(slots=True)
class Flat:
    """What became of a value."""

    leaves: list[Leaf] = field(default_factory=list)
    is_cut: bool = False
    """It has more values than may be kept."""
    unknown: set[NodeKey] = field(default_factory=set)
    """Encodings of structures the server may explain."""


class _Unexplained(Malformed):
    """A structure within another has no definition."""


class _Enough(Exception):
    """As many values as may be kept are there."""


def flatten(
    raw: bytes, types: Types, *, most: int, enums: Enums, enumeration: Enumeration | None = None
) -> Flat:
    """Return the single values of an encoded Variant, at most `most`; never raises for what is in it."""
    reader = _Reader(raw, types, most, enums)
    try:
        reader.variant(0, "", enumeration, 0)
    except _Enough:
        reader.flat.is_cut = True
    except (LookupError, error, Malformed):
        reader.flat.leaves.append(Leaf("", 0, None, BAD_DECODING_ERROR))
    return reader.flat


def single(builtin: int, value: Any, enums: Enums, enumeration: Enumeration | None) -> Flat:
    """Return the single values of one number, truth value or text."""
    if enumeration is None or enums == "number":
        return Flat([Leaf("", builtin, value)])
    return Flat(list(_enumerated("", builtin, int(value), enums, enumeration)))


class _Reader:
    def __init__(self, body: bytes, types: Types, most: int, enums: Enums) -> None:
        self._body, self._types, self._most, self._enums = body, types, most, enums
        self._looks = _LOOKED_AT * (most + 1)
        self.flat = Flat()

    def variant(self, at: int, suffix: str, enumeration: Enumeration | None, depth: int) -> int:
        """Take in a Variant; return where it ends."""
        first = self._body[at]
        # The outermost was stepped over before: not once more, it may have millions of elements.
        end = skip.variant(self._body, at) if depth else len(self._body)
        builtin = first & _BUILTIN
        at += 1
        if not first & _ARRAY:
            if builtin:
                self._single(at, builtin, suffix, enumeration, depth)
            return end
        sizes: tuple[int, ...] = (skip.length(self._body, at, 1),)
        if first & _MATRIX:
            behind, _ = skip.elements(self._body, at, builtin)
            (dimensions,) = INT32.unpack_from(self._body, behind)
            sizes = Struct(f"<{max(dimensions, 0)}i").unpack_from(self._body, behind + 4)
        at += 4
        for name in _names(suffix, sizes):
            at = self._single(at, builtin, name, enumeration, depth)
        return end

    def _look(self) -> None:
        self._looks -= 1
        if self._looks < 0:
            raise _Enough

    def _add(self, suffix: str, builtin: int, value: Any, status: int = 0) -> None:
        if len(self.flat.leaves) >= self._most:
            raise _Enough
        self.flat.leaves.append(Leaf(suffix, builtin, value, status))

    def _single(self, at: int, builtin: int, suffix: str, enumeration: Enumeration | None, depth: int) -> int:
        """Take in one value that is no array; return where it ends."""
        self._look()
        fixed = _FIXED.get(builtin)
        if fixed is not None:
            (value,) = fixed.unpack_from(self._body, at)
            if enumeration is None or self._enums == "number":
                self._add(suffix, builtin, value)
            else:
                for leaf in _enumerated(suffix, builtin, value, self._enums, enumeration):
                    self._add(*leaf)
            return at + fixed.size
        if builtin == EXTENSION:
            return self._extension(at, suffix, depth)
        if builtin == VARIANT:
            return self.variant(at, suffix, None, depth + 1)
        text = _TEXTS.get(builtin)
        if text is not None:
            value, at = text(self._body, at, self._types.namespaces)
            self._add(suffix, TEXT, value, UNCERTAIN if _REPLACED in value else 0)
            return at
        if builtin == _DATE_TIME:
            (ticks,) = _INT64.unpack_from(self._body, at)
            self._add(suffix, builtin, time_ns(ticks))
            return at + 8
        end = skip.scalar(self._body, at, builtin)
        self._add(suffix, builtin, None, BAD_NOT_SUPPORTED)
        return end

    def _extension(self, at: int, suffix: str, depth: int) -> int:
        encoding, at = read_key(self._body, at)
        form = self._body[at]
        if form == 0:
            return at + 1
        end = skip.string(self._body, at + 1)
        structure = self._types.of_encoding(encoding)
        if form != 1:
            self._add(suffix, EXTENSION, None, BAD_NOT_SUPPORTED)
        elif structure is None:
            if encoding not in self._types.unknowable:
                self.flat.unknown.add(encoding)
            self._add(suffix, EXTENSION, None, BAD_DATA_TYPE_ID_UNKNOWN)
        else:
            before = len(self.flat.leaves)
            try:
                self._structure(at + 5, structure, suffix, depth, end)
            except (LookupError, error, Malformed) as reason:
                del self.flat.leaves[before:]  # what was read of it may be nonsense
                unexplained = isinstance(reason, _Unexplained)
                status = BAD_DATA_TYPE_ID_UNKNOWN if unexplained else BAD_DECODING_ERROR
                self._add(suffix, EXTENSION, None, status)
        return end

    def _structure(
        self, at: int, structure: Structure, suffix: str, depth: int, end: int | None = None
    ) -> int:
        """Take in the fields of a structure, which ends at `end` if that is known; return where it ends."""
        if depth > _DEEPEST:
            raise Malformed("structures too deep in each other")
        self._look()
        chosen: Iterator[Field] = iter(structure.fields)
        if structure.form is Form.OPTIONAL:
            (mask,) = _UINT32.unpack_from(self._body, at)
            chosen, at = _present(structure.fields, mask), at + 4
        elif structure.form is Form.UNION:
            (which,) = _UINT32.unpack_from(self._body, at)
            if which > len(structure.fields):
                raise Malformed(f"field {which} of a union of {len(structure.fields)}")
            chosen, at = iter(structure.fields[which - 1 : which] if which else ()), at + 4
        for each in chosen:
            at = self._field(at, each, f"{suffix}.{each.name}", depth)
        if end not in {None, at}:
            raise Malformed("a structure not as long as it says")
        return at

    def _field(self, at: int, each: Field, suffix: str, depth: int) -> int:
        if not each.dimensions:
            return self._value(at, each, suffix, depth)
        sizes: tuple[int, ...] = (skip.length(self._body, at, 1),)
        at += 4
        if each.dimensions > 1:
            dimensions = sizes[0]
            sizes = Struct(f"<{dimensions}i").unpack_from(self._body, at)
            at += 4 * dimensions
            if any(size < 0 for size in sizes) or prod(sizes) > len(self._body) - at:
                raise Malformed(f"dimensions {sizes[:8]}")
        for name in _names(suffix, sizes):
            at = self._value(at, each, name, depth)
        return at

    def _value(self, at: int, each: Field, suffix: str, depth: int) -> int:
        if each.structure is None:
            return self._single(at, each.builtin, suffix, each.enumeration, depth + 1)
        structure = self._types.structures.get(each.structure)
        if structure is None:
            raise _Unexplained
        return self._structure(at, structure, suffix, depth + 1)


def _enumerated(
    suffix: str, builtin: int, value: int, enums: Enums, enumeration: Enumeration
) -> Iterator[Leaf]:
    name = enumeration.names.get(value, str(value))
    if enums == "both":
        yield Leaf(suffix, builtin, value)
        yield Leaf(f"{suffix}.text", TEXT, name)
    else:
        yield Leaf(suffix, TEXT, name)


def _names(suffix: str, sizes: tuple[int, ...]) -> Iterator[str]:
    if len(sizes) > _DEEPEST:
        raise Malformed(f"{len(sizes)} dimensions")
    if len(sizes) == 1:
        yield from (f"{suffix}_{i}" for i in range(sizes[0]))
        return
    for i in range(sizes[0] if sizes else 0):
        yield from _names(f"{suffix}_{i}", sizes[1:])


def _present(fields: tuple[Field, ...], mask: int) -> Iterator[Field]:
    bit = 1
    for each in fields:
        if not each.is_optional:
            yield each
            continue
        if mask & bit:
            yield each
        bit <<= 1


def _string(body: bytes, at: int, _: list[str]) -> tuple[str, int]:
    end = skip.string(body, at)
    return body[at + 4 : end].decode(errors="replace"), end


def _bytes(body: bytes, at: int, _: list[str]) -> tuple[str, int]:
    end = skip.string(body, at)
    return base64.b64encode(body[at + 4 : end]).decode(), end


def _guid(body: bytes, at: int, _: list[str]) -> tuple[str, int]:
    if len(body) < at + 16:
        raise Malformed("half a Guid")
    return str(uuid.UUID(bytes_le=body[at : at + 16])), at + 16


def _node(body: bytes, at: int, namespaces: list[str]) -> tuple[str, int]:
    key, end = read_key(body, at)
    return str(name_of(key, namespaces)), end


def _qualified(body: bytes, at: int, namespaces: list[str]) -> tuple[str, int]:
    return _string(body, at + 2, namespaces)


def _localized(body: bytes, at: int, namespaces: list[str]) -> tuple[str, int]:
    end = skip.localized_text(body, at)
    mask = body[at]
    at = skip.string(body, at + 1) if mask & 1 else at + 1
    return (_string(body, at, namespaces)[0] if mask & 2 else ""), end


_TEXTS: Final[dict[int, Callable[[bytes, int, list[str]], tuple[str, int]]]] = {
    12: _string, 14: _guid, 15: _bytes, 16: _string, 17: _node, 18: _node, 20: _qualified, 21: _localized,
}  # fmt: skip
