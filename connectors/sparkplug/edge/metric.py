"""One metric by protobuf's own objects: its value, its quality, its properties."""

from collections.abc import Sequence
from typing import Any, Final

from connectors.quality import BAD, UNCERTAIN
from connectors.sparkplug.datatypes import DataType
from connectors.sparkplug.schema import Payload
from connectors.tags import Kind

DATATYPE_OF: Final = {
    Kind.BOOL: DataType.BOOLEAN,
    Kind.INT32: DataType.INT64,
    Kind.FLOAT64: DataType.DOUBLE,
    Kind.INT64: DataType.INT64,
    Kind.UINT64: DataType.UINT64,
    Kind.TEXT: DataType.STRING,
}
"""An integer of 32 bits may be signed or not, which its kind leaves open."""
_STALE: Final = 500
_FIELD_OF: Final = {
    DataType.STRING: "string_value",
    DataType.DOUBLE: "double_value",
    DataType.BOOLEAN: "boolean_value",
    DataType.INT32: "int_value",
    DataType.UINT32: "int_value",
}

Row = tuple[int, int, Any, int, bool]
"""Alias, time in ms, value, quality, whether it is history."""


def encoded(kind: Kind, rows: Sequence[Row]) -> bytes:
    """Return metrics of one kind one behind the other: 1 to 2 µs each, 5 µs where one is not Good."""
    said = Payload()
    add = said.metrics.add
    for alias, ms, value, quality, is_old in rows:
        metric = add(alias=alias, timestamp=ms)
        if is_old:
            metric.is_historical = True
        tell(metric, kind, value, quality)
    data: bytes = said.SerializeToString()
    return data


def tell(metric: Any, kind: Kind, value: Any, quality: int) -> None:
    """Write value and quality; the value of a Bad row means nothing and is null."""
    if quality >= UNCERTAIN:
        for name, (datatype, told) in quality_properties(quality).items():
            add_property(metric.properties, name, datatype, told)
    if quality >= BAD:
        metric.is_null = True
        return
    match kind:
        case Kind.FLOAT64:
            metric.double_value = value
        case Kind.BOOL:
            metric.boolean_value = value != 0
        case Kind.TEXT:
            # A lone surrogate is no text to anybody: a question mark stands for it.
            metric.string_value = value.encode("utf-8", "replace").decode()
        case Kind.INT32 | Kind.INT64 | Kind.UINT64:
            metric.long_value = int(value) & 0xFFFF_FFFF_FFFF_FFFF


def quality_properties(quality: int) -> dict[str, tuple[DataType, int]]:
    """Return what is told of a quality that is not Good: by name, data type and value."""
    said = 0 if quality >= BAD else _STALE
    return {"Quality": (DataType.INT32, said), "StatusCode": (DataType.UINT32, quality)}


def add_property(properties: Any, name: str, datatype: DataType, value: Any) -> None:
    """Write one property."""
    properties.keys.append(name)
    properties.values.add(type=int(datatype), **{_FIELD_OF[datatype]: value})
