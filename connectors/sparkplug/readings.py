"""From payloads to rows: what a birth names, and what data say of it.

Data are read by the table of the birth before them. A value that is there but is not what its birth said is a
Bad row; one the node calls null is Bad; of an array that became shorter the rest is Bad.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from connectors.broker.rows import Rows
from connectors.quality import (
    BAD,
    BAD_INVALID_TIMESTAMP,
    BAD_NO_DATA,
    BAD_OUT_OF_RANGE,
    BAD_TYPE_MISMATCH,
    GOOD,
)
from connectors.sparkplug.counts import Statistics
from connectors.sparkplug.datatypes import ELEMENT_OF, KIND_OF, MS, READERS, DataType
from connectors.sparkplug.flatten import Leaf, is_many, leaves
from connectors.sparkplug.naming import Known, Naming, Wanted, is_reading
from connectors.sparkplug.payload import properties, quality_of
from connectors.tags import Part

_LATEST_MS: Final = (1 << 63) // MS
_EXACT: Final = 2**53
"""Integers beyond this don't fit a float64."""
_TAKEN: Final = frozenset(KIND_OF) | frozenset(ELEMENT_OF) | {DataType.DATASET, DataType.TEMPLATE}
_PROPERTY_OF_UNIT: Final = "engUnit"

Who = tuple[str, str, str]
"""Group, node, and device or nothing."""


@dataclass(slots=True)
class Table:
    """What the last birth of one device, or of a node itself, said."""

    who: Who
    is_wanted: bool = True
    """False: an entry wants nothing of it, and it is heard for its place in the sequence only."""
    names: dict[str, int] = field(default_factory=dict)
    """The data type of each metric."""
    aliases: dict[int, str] = field(default_factory=dict)
    values: dict[str, Known | None] = field(default_factory=dict)
    """Single values by name; None for those that are no tags."""
    parts: dict[str, set[str]] = field(default_factory=dict)
    """The values an array or data set had at most."""
    plain: dict[int, Known] = field(default_factory=dict)
    """Single values by alias: what nearly all data are."""

    def find(self, metric: Any) -> str | None:
        """Return the name of a metric in data, None when no birth has named it."""
        name: str = metric.name
        if not metric.HasField("alias"):
            return name if name in self.names else None
        meant = self.aliases.get(metric.alias)
        if name:
            return name if meant in (name, "") and name in self.names else None
        return meant or None

    def agreed(self, other: "Table") -> "Table":
        """Return this table without the aliases and names that meant something else in the other."""
        names = {name: kind for name, kind in self.names.items() if other.names.get(name) == kind}
        aliases = {
            alias: name
            for alias, name in self.aliases.items()
            if name in names and other.aliases.get(alias) == name
        }
        agreed = Table(self.who, self.is_wanted, names, aliases, self.values, self.parts)
        agreed.pick_plain()
        return agreed

    def pick_plain(self) -> None:
        """Work out `plain`."""
        for alias, name in self.aliases.items():
            known = self.values.get(name)
            if known is not None and self.names[name] == known.datatype and not known.as_float:
                self.plain[alias] = known

    def known(self) -> dict[str, Known]:
        """Return the values that are tags."""
        return {name: each for name, each in self.values.items() if each is not None}


class _About(NamedTuple):
    """What a value stands in."""

    said: Any
    """The message."""
    arrived: int
    metric: Any
    """The metric of the message, of which the value may be a part."""
    born: int
    """The data type the metric was born with."""


class Readings:
    """Rows of one session, live ones and those a node had kept."""

    def __init__(self, naming: Naming, statistics: Statistics) -> None:
        self.live = Rows()
        self.history = Rows()
        self._naming = naming
        self._statistics = statistics

    def wants(self, who: Who) -> bool:
        """Tell whether anything of this device is wanted."""
        return self._naming.wants(*who)

    def table(self, who: Who, birth: Any) -> Table:
        """Return what a birth says, its values announced."""
        found, wanted = Table(who, self.wants(who)), dict[str, Wanted]()
        if not found.is_wanted:
            return found
        for metric in birth.metrics:
            name, datatype = metric.name, metric.datatype
            if not name or name in found.names:
                continue
            found.names[name] = datatype
            if metric.HasField("alias"):
                # What two metrics share names neither.
                found.aliases[metric.alias] = "" if metric.alias in found.aliases else name
            if not is_reading(name):
                continue
            if datatype not in _TAKEN:
                self._statistics.unsupported += 1
                continue
            self._add(found, metric, name, datatype, wanted)
        self._enlist(found, wanted)
        found.pick_plain()
        return found

    def tell(self, table: Table, said: Any, arrived: int) -> bool:
        """Add the rows of a message; False when it has a metric that no birth has named."""
        is_whole = True
        if not table.is_wanted:
            return is_whole
        plain, live = table.plain, self.live
        for metric in said.metrics:
            known = plain.get(metric.alias)
            if known is not None and self._is_plain(metric, known):
                # Some 3 µs a value where the way below takes 10.
                field = metric.WhichOneof("value")
                value, quality = READERS[known.datatype](field, getattr(metric, field) if field else None)
                stamp = metric.timestamp or said.timestamp
                if 0 < stamp < _LATEST_MS:
                    live.part(known.part).append(known.number, value, stamp * MS, quality)
                    continue
            name = table.find(metric)
            if name is None:
                self._statistics.unknown_aliases += 1
                is_whole = False
                continue
            datatype = table.names[name]
            if datatype in KIND_OF:
                known = table.values.get(name)
                if known is not None:
                    (leaf,) = leaves(metric, name, datatype, table.names.get)
                    self._row(known, leaf, _About(said, arrived, metric, datatype))
            elif datatype in _TAKEN and is_reading(name):
                self._tell_parts(table, name, _About(said, arrived, metric, datatype))
        return is_whole

    def gone(self, known: Iterable[Known], time: int, quality: int) -> None:
        """Say that these have no value from a time on."""
        for each in known:
            self.live.part(each.part).append(each.number, "" if each.part is Part.TEXT else 0, time, quality)

    def _is_plain(self, metric: Any, known: Known) -> bool:
        """Tell whether a metric says no more than a value and its time."""
        return not (
            metric.name
            or metric.is_null
            or metric.is_historical
            or metric.datatype not in (0, known.datatype)
            or metric.HasField("properties")
            or not metric.HasField("alias")
        )

    def _add(
        self, table: Table, metric: Any, name: str, datatype: int, wanted: dict[str, Wanted]
    ) -> list[Leaf]:
        found = list(leaves(metric, name, datatype, self._type_in(table)))
        unit = properties(metric).get(_PROPERTY_OF_UNIT)
        for leaf in found:
            if leaf.name not in table.values and leaf.name not in wanted:
                own = unit if leaf.metric is metric else properties(leaf.metric).get(_PROPERTY_OF_UNIT)
                text = own if isinstance(own, str) else ""
                wanted[leaf.name] = Wanted(leaf.name, leaf.datatype, text)
        if is_many(datatype):
            table.parts.setdefault(name, set()).update(leaf.name for leaf in found)
        return found

    def _enlist(self, table: Table, wanted: dict[str, Wanted]) -> None:
        if wanted:
            known = self._naming.enlist(table.who, list(wanted.values()))
            table.values.update(zip(wanted, known, strict=True))

    def _type_in(self, table: Table) -> Callable[[str], int | None]:
        def known(name: str) -> int | None:
            value = table.values.get(name)
            return None if value is None else value.datatype

        return known

    def _tell_parts(self, table: Table, name: str, about: "_About") -> None:
        wanted: dict[str, Wanted] = {}
        found = self._add(table, about.metric, name, about.born, wanted)
        self._enlist(table, wanted)
        for leaf in found:
            known = table.values.get(leaf.name)
            if known is not None:
                self._row(known, leaf, about)
        for missing in table.parts.get(name, set()) - {leaf.name for leaf in found}:
            known = table.values.get(missing)
            if known is not None:
                value = "" if known.part is Part.TEXT else 0
                self._row(known, Leaf(missing, known.datatype, value, BAD_NO_DATA, about.metric), about)

    def _row(self, known: Known, leaf: Leaf, about: "_About") -> None:
        metric, value, quality, outer = leaf.metric, leaf.value, leaf.quality, about.metric
        if leaf.datatype != known.datatype or outer.datatype not in (0, about.born):
            quality = BAD_TYPE_MISMATCH
        elif known.as_float:
            value, quality = _as_float(value, known.datatype, quality)
        if quality < BAD:
            told = properties(metric) or properties(outer)
            quality = max(quality, quality_of(told)) if told else quality
        stamp = metric.timestamp or outer.timestamp or about.said.timestamp
        time = stamp * MS if stamp else about.arrived
        if stamp >= _LATEST_MS:
            time, quality = about.arrived, BAD_INVALID_TIMESTAMP
        is_historical = metric.is_historical or outer.is_historical
        self._statistics.historical += is_historical
        rows = self.history if is_historical else self.live
        if quality >= BAD:
            value = "" if known.part is Part.TEXT else 0
        rows.part(known.part).append(known.number, value, time, quality)


def _as_float(value: int, datatype: int, quality: int) -> tuple[float, int]:
    if datatype == DataType.UINT64 and value < 0:
        value += 1 << 64
    return (
        (float(value), quality)
        if abs(value) <= _EXACT
        else (0.0, BAD_OUT_OF_RANGE if quality == GOOD else quality)
    )
