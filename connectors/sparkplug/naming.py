"""From ids and metric names, which anybody may publish, to tags.

What can't stand in a name becomes ``_`` and a slash a dot, so two names may become one tag: then the first
keeps it for as long as the gateway runs, and the other is refused. A tag is what the first entry and the
first glob that match say of it; where those name no unit, the unit is what the birth calls `engUnit`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from config.base import LONGEST_NAME, NAME_CHARACTERS, is_name
from config.connections import SparkplugNodes, SparkplugSource, SparkplugTag
from config.connections.sparkplug import PLACE
from config.glob import ANYTHING, Glob, glob_pattern
from config.units import find_unit
from connectors.describe import describe, device_path, is_scaled, told_in
from connectors.sparkplug.counts import Statistics
from connectors.sparkplug.datatypes import kind_of
from connectors.tags import PART_OF_KIND, Kind, Part, Tag, TagTable

_CONTROL: Final = ("Node Control/", "Device Control/")
"""Metrics that are there to be written to; not readings."""
_FOREIGN: Final = re.compile(f"(?!{NAME_CHARACTERS}).", re.DOTALL)

Origin = tuple[str, str, str, str]
"""Group, node, device and name of what a tag stands for."""


class Wanted(NamedTuple):
    """A value of a birth that may become a tag."""

    name: str
    datatype: int
    unit: str
    """As the node calls it; empty where it does not say."""


@dataclass(frozen=True, slots=True)
class Known:
    """A value that has become a tag."""

    number: int
    datatype: int
    part: Part
    as_float: bool
    """An integer of 64 bits that is scaled and so becomes a float64."""


class Naming:
    """A source's entries, compiled; what is named, remembered."""

    def __init__(
        self,
        source: str,
        options: SparkplugSource,
        *,
        site: str,
        tags: TagTable,
        statistics: Statistics,
        owners: dict[str, Origin],
    ) -> None:
        self._source = source
        self._site = site
        self._tags = tags
        self._max_tags = options.max_tags
        self._entries = options.nodes
        self._statistics = statistics
        self._owners = owners
        """Whose each path is; outlives the session."""
        self._paths: set[str] = set()

    def announce_known(self) -> None:
        """Announce what earlier births made, as far as an entry still wants it, and retire the rest."""
        patterns = [_path_pattern(self._site, entry) for entry in self._entries]
        known = [
            tag
            for tag in {tag.path: tag for tag in self._tags.known_of(self._source)}.values()
            if any(pattern.fullmatch(tag.device) for pattern in patterns)
        ][: self._max_tags]
        self._tags.keep_only(self._source, self._tags.announce(known))
        self._paths = {tag.path for tag in known}

    def wants(self, group: str, node: str, device: str) -> bool:
        """Tell whether an entry wants this device, or the node where `device` is empty."""
        return self._entry(group, node, device) is not None

    def enlist(self, who: tuple[str, str, str], wanted: Sequence[Wanted]) -> list[Known | None]:
        """Announce values of one device; None for those that become no tag, each counted."""
        entry = self._entry(*who)
        if entry is None:
            return [None] * len(wanted)
        at, device = _filled(entry.at, who), _filled(entry.name, who)
        levels = [*at.split("/"), device]
        if len(levels) != 3 or not all(is_name(each) and not each.startswith("_") for each in levels):
            self._statistics.unnameable += len(wanted)
            return [None] * len(wanted)
        place = device_path(self._site, at, device)
        tags = [self._tag(entry, place, who, each) for each in wanted]
        numbers = iter(self._tags.announce([tag for tag in tags if tag is not None]).tolist())
        return [
            None if tag is None else _known(next(numbers), tag, each)
            for tag, each in zip(tags, wanted, strict=True)
        ]

    def _entry(self, group: str, node: str, device: str) -> SparkplugNodes | None:
        for entry in self._entries:
            if entry.group in ("+", group) and entry.node in ("+", node) and entry.device in ("+", device):
                return entry
        return None

    def _tag(
        self, entry: SparkplugNodes, place: str, who: tuple[str, str, str], wanted: Wanted
    ) -> Tag | None:
        options = _options(entry, wanted.name)
        kind = kind_of(wanted.datatype)
        if options is None or kind is None:
            return None
        name = tag_name(wanted.name)
        path = f"{place}/{name}"
        if not is_name(name) or name.startswith("_"):
            self._statistics.unnameable += 1
            return None
        if self._is_taken(path, (*who, wanted.name)):
            self._statistics.clashing += 1
            return None
        if path not in self._paths and len(self._paths) >= self._max_tags:
            self._statistics.over_limit += 1
            return None
        self._paths.add(path)
        self._owners[path] = (*who, wanted.name)
        unit = find_unit(wanted.unit) if wanted.unit and "unit" not in options.model_fields_set else None
        if unit is not None:
            options = told_in(options, unit)
        if kind is not Kind.TEXT and is_scaled(options):
            kind = Kind.FLOAT64
        return describe(self._source, path, kind, options)

    def _is_taken(self, path: str, origin: Origin) -> bool:
        number = self._tags.number(path)
        if number is not None and self._tags[number].source != self._source and self._tags.is_active(number):
            return True
        return self._owners.get(path, origin) != origin


def is_reading(name: str) -> bool:
    """Tell whether a metric is something to read."""
    return bool(name) and name != "bdSeq" and not name.startswith(_CONTROL)


def tag_name(name: str) -> str:
    """Return what a metric is called as a tag, in more than `LONGEST_NAME` characters perhaps."""
    return _FOREIGN.sub("_", name.replace("/", "."))[: LONGEST_NAME + 1]


def _options(entry: SparkplugNodes, name: str) -> SparkplugTag | None:
    for glob, options in entry.tags.items():
        if glob_pattern(glob).fullmatch(name):
            return options
    return None


def _known(number: int, tag: Tag, wanted: Wanted) -> Known:
    as_float = tag.kind is Kind.FLOAT64 and kind_of(wanted.datatype) in (Kind.INT64, Kind.UINT64)
    return Known(number, wanted.datatype, PART_OF_KIND[tag.kind], as_float)


def _filled(text: str, who: tuple[str, str, str]) -> str:
    ids = dict(zip(("group", "node", "device"), (who[0], who[1], who[2] or who[1]), strict=True))
    return PLACE.sub(lambda match: tag_name(ids[match[1]]), text)


def _path_pattern(site: str, entry: SparkplugNodes) -> Glob:
    pieces = PLACE.split(f"{entry.at}/{entry.name}")
    ids: dict[str, Any] = {"group": entry.group, "node": entry.node, "device": entry.device}
    return glob_pattern(f"{site}/{''.join(_pieces(pieces, ids))}")


def _pieces(pieces: list[str], ids: dict[str, str]) -> Iterator[str]:
    for i, piece in enumerate(pieces):
        if i % 2 == 0:
            yield piece
        elif ids[piece] == "+" or piece == "device":
            yield ANYTHING
        else:
            yield tag_name(ids[piece])
