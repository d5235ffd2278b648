"""From a metric to single values: arrays, data sets and templates come apart by one rule.

    Motor          Double             → Motor
    Motor          Int16Array [5, 6]  → Motor_0, Motor_1
    Motor          Template           → Motor/Speed, Motor/Drive/Torque …  its members; a definition is none
    Batches        DataSet, 2 rows    → Batches/weight_0, Batches/weight_1, Batches/id_0 …

Pure. What is too large, too deep, or not what its type says, yields nothing; a value it had is Bad then.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from connectors.quality import BAD_NO_DATA
from connectors.sparkplug.datatypes import ELEMENT_OF, KIND_OF, DataType, read, read_array

MOST_VALUES: Final = 1_000
"""Elements of an array, cells of a data set."""
DEEPEST: Final = 8
"""Templates in each other."""


class Leaf(NamedTuple):
    """One value; `quality` is its own, Good where nothing is wrong with it."""

    name: str
    datatype: int
    """Of a single value."""
    value: Any
    quality: int
    metric: Any
    """The metric it lies in, for its time."""


Known = Callable[[str], int | None]
"""The data type of a name, as a birth said it: data may leave it out."""


def leaves(metric: Any, name: str, datatype: int, known: Known, depth: int = 0) -> Iterator[Leaf]:
    """Yield a metric's values; one whose type is none we keep yields nothing."""
    if datatype in KIND_OF:
        value, quality = (0, BAD_NO_DATA) if metric.is_null else read(metric, datatype)
        yield Leaf(name, datatype, value, quality, metric)
    elif datatype in ELEMENT_OF:
        yield from _elements(metric, name, datatype)
    elif datatype == DataType.DATASET:
        yield from _cells(metric, name)
    elif datatype == DataType.TEMPLATE and depth < DEEPEST and metric.HasField("template_value"):
        template = metric.template_value
        if template.is_definition:
            return
        for member in template.metrics:
            inner = f"{name}/{member.name}"
            of_member = member.datatype or known(inner)
            if of_member:
                yield from leaves(member, inner, of_member, known, depth + 1)


def is_many(datatype: int) -> bool:
    """Tell whether one value of this type says all there is: what it no longer has is gone."""
    return datatype in ELEMENT_OF or datatype == DataType.DATASET


def _elements(metric: Any, name: str, datatype: int) -> Iterator[Leaf]:
    if metric.is_null or metric.WhichOneof("value") != "bytes_value":
        return
    single = ELEMENT_OF[DataType(datatype)]
    for i, (value, quality) in enumerate(read_array(metric.bytes_value, datatype, MOST_VALUES) or ()):
        yield Leaf(f"{name}_{i}", single, value, quality, metric)


def _cells(metric: Any, name: str) -> Iterator[Leaf]:
    if metric.is_null or metric.WhichOneof("value") != "dataset_value":
        return
    said = metric.dataset_value
    columns = list(zip(said.columns, said.types, strict=False))
    if len(said.columns) != len(said.types) or len(columns) * len(said.rows) > MOST_VALUES:
        return
    for i, row in enumerate(said.rows):
        if len(row.elements) != len(columns):
            continue
        for cell, (column, datatype) in zip(row.elements, columns, strict=True):
            if datatype in KIND_OF:
                value, quality = read(cell, datatype)
                yield Leaf(f"{name}/{column}_{i}", datatype, value, quality, metric)
