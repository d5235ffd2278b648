"""From topics to tags: the first entry whose filter matches names the device and its tags.

A topic is worked out when it is first seen and then only looked up. Names come from topics that anybody may
publish: what can't be a name, belongs to another topic already, or would be one tag too many, is refused.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from config.base import is_name
from config.connections import MqttMessages, MqttSource, MqttTag
from config.connections.mqtt_source import PLACE, json_steps
from config.glob import ANYTHING, Glob, glob_pattern
from config.tags import Limits
from config.units import find_unit
from connectors.describe import describe, device_path, read_as, told_in, unit_before
from connectors.mqtt.extract import Extraction
from connectors.mqtt.places import MISSING, follow
from connectors.tags import Kind, Tag, TagTable

KIND_OF_TYPE: Final = {
    "number": Kind.FLOAT64,
    "integer": Kind.INT64,
    "text": Kind.TEXT,
    "bool": Kind.BOOL,
}
_TYPE_OF_KIND: Final = {
    Kind.FLOAT64: "number",
    Kind.INT32: "number",
    Kind.INT64: "integer",
    Kind.UINT64: "integer",
    Kind.TEXT: "text",
    Kind.BOOL: "bool",
}
_PLAIN: Final[dict[str, Any]] = {
    "scale": 1.0,
    "offset": 0.0,
    "deliver_as": None,
    "limits": Limits(),
    "deadband": None,
}
_REMEMBERED: Final = 10_000
"""Refused topics whose answer is kept."""


@dataclass(slots=True)
class Refusal:
    """A topic that yields nothing, and why; `reason` names the counter."""

    reason: str


@dataclass(slots=True)
class Resolved:
    """A topic's tags, not numbered yet, and how its messages are read."""

    extraction: Extraction
    tags: list[Tag] = field(default_factory=list)


@dataclass(slots=True)
class Told:
    """A topic whose messages say what its tags are."""

    entry: MqttMessages
    parts: list[str]
    """What its wildcards matched."""
    reader: Extraction
    """Reads a message as it stands; its rows are another's affair."""
    unit: object = None
    """What the newest message called its unit."""
    extraction: Extraction | None = None
    """How messages with this unit are read; None before the first value."""
    is_whole: bool = False
    """Whether every tag has had a value."""


class Rules:
    """A source's entries, compiled; topics seen, remembered."""

    def __init__(self, name: str, options: MqttSource, site: str, tags: TagTable) -> None:
        self._name = name
        self._options = options
        self._site = site
        self._tags = tags
        self._max_tags = options.max_tags
        self._entries = [(topic_pattern(each.topic), each) for each in options.messages]
        self._owners: dict[str, str] = {}
        self._of_topic: dict[str, Extraction | Refusal | Told] = {}
        self._refused = 0

    def known_tags(self) -> list[Tag]:
        """Return the tags that need no message to be known: those named in full, and those met before."""
        found: dict[str, Tag] = {}
        shapes = list(self._shapes())
        for pattern, path, tag, topic in shapes:
            if pattern is None:
                found[path] = self._describe(path, tag, topic)
        told = {id(tag) for entry in self._options.messages if entry.is_told for tag in entry.tags.values()}
        for known in self._tags.known_of(self._name):
            for pattern, _, tag, topic in shapes:
                if known.path not in found and pattern is not None and pattern.fullmatch(known.path):
                    again = self._newest(known) if id(tag) in told else self._describe(known.path, tag, topic)
                    if again.identity == known.identity:
                        found[known.path] = again
                    break
        return list(found.values())[: self._max_tags]

    def _newest(self, known: Tag) -> Tag:
        """Return what the path of a tag was last, where messages say what it is."""
        number = self._tags.number(known.path)
        return known if number is None else self._tags[number]

    def announce_known(self) -> None:
        """Announce them and retire the others of this source."""
        known = self.known_tags()
        self._tags.keep_only(self._name, self._tags.announce(known))
        self._paths = {tag.path for tag in known}

    def learn(self, topics: Sequence[str]) -> None:
        """Work out topics not seen before, and announce their tags all at once."""
        if self._refused >= _REMEMBERED:
            # Topics without end must not fill the memory; those in use are soon worked out again.
            self._of_topic = {
                topic: each
                for topic, each in self._of_topic.items()
                if not isinstance(each, Refusal) and not (isinstance(each, Told) and each.extraction is None)
            }
            self._refused = 0
        resolved = []
        for topic in topics:
            if topic in self._of_topic:
                continue
            found = self._resolve(topic)
            if not isinstance(found, Resolved):
                self._refused += 1
                self._of_topic[topic] = found
            else:
                self._of_topic[topic] = found.extraction
                resolved.append(found)
        if resolved:
            numbers = self._tags.announce([tag for each in resolved for tag in each.tags]).tolist()
            for each in resolved:
                each.extraction.number(numbers[: len(each.tags)])
                del numbers[: len(each.tags)]

    def __getitem__(self, topic: str) -> Extraction | Refusal | Told:
        """Return how to read a topic that `learn` was given."""
        return self._of_topic[topic]

    def fit(self, topic: str, told: Told, said: Any) -> Extraction | Refusal | None:
        """Return how to read a message that says what its tags are; None when it has no value yet."""
        unit = told.unit if told.entry.unit is None else follow(said, json_steps(told.entry.unit))
        if unit is MISSING:
            unit = told.unit
        if told.extraction is not None and told.is_whole and unit == told.unit:
            return told.extraction
        entry = self._fitted(told, unit, said)
        if not entry.tags:
            return None
        found = self._name_tags(topic, entry, told.parts)
        if isinstance(found, Refusal):
            self._refused += 1
            self._of_topic[topic] = found
            return found
        found.extraction.number(self._tags.announce(found.tags).tolist())
        if told.extraction is not None:
            found.extraction.ids = told.extraction.ids
        told.unit, told.extraction = unit, found.extraction
        told.is_whole = len(entry.tags) == len(told.entry.tags)
        return found.extraction

    def _fitted(self, told: Told, unit: object, said: Any) -> MqttMessages:
        """Return the entry with what this message says of its tags; tags without a value are left out."""
        tags = {}
        for name, tag in told.entry.tags.items():
            before = self._before(told, name)
            if unit is None and before is not None and told.entry.unit:
                known = unit_before(tag, before)
            else:
                known = find_unit(unit) if isinstance(unit, str) else None
            kind: str | None = tag.type
            if kind == "any":
                value = said if tag.path is None else follow(said, json_steps(tag.path))
                kind = _TYPE_OF_KIND[before.kind] if before is not None else _type_of(value)
            if kind is not None:
                # What `any` turned out to be can't be scaled where it is no number.
                of_type = tag.model_copy(update={"type": kind} | (_PLAIN if kind in ("text", "bool") else {}))
                tags[name] = of_type if known is None else told_in(of_type, known)
        return told.entry.model_copy(update={"tags": tags})

    def _before(self, told: Told, name: str) -> Tag | None:
        """Return what a tag of such a topic was the last time, in an earlier run perhaps."""
        at, device = _filled(told.entry.at, told.parts), _filled(told.entry.device, told.parts)
        number = self._tags.number(f"{device_path(self._site, at, device)}/{_filled(name, told.parts)}")
        tag = None if number is None else self._tags[number]
        return tag if tag is not None and tag.source == self._name else None

    def _resolve(self, topic: str) -> Resolved | Refusal | Told:
        for pattern, entry in self._entries:
            match = pattern.fullmatch(topic)
            if match is not None:
                parts = [part.replace("/", ".") for part in match.groups("")]
                return _told(entry, parts) if entry.is_told else self._name_tags(topic, entry, parts)
        return Refusal("unmatched")

    def _name_tags(self, topic: str, entry: MqttMessages, parts: list[str]) -> Resolved | Refusal:
        at, device = _filled(entry.at, parts), _filled(entry.device, parts)
        names = [_filled(name, parts) for name in entry.tags]
        levels = [*at.split("/"), device, *names]
        if at.count("/") != 1 or not all(is_name(each) and not each.startswith("_") for each in levels):
            return Refusal("unnameable")
        paths = [f"{device_path(self._site, at, device)}/{name}" for name in names]
        if any(self._is_taken(path, topic) for path in paths) or len(set(paths)) < len(paths):
            return Refusal("clashing")
        new = set(paths) - self._paths
        if len(self._paths) + len(new) > self._max_tags:
            return Refusal("over_limit")
        self._paths |= new
        self._owners.update(dict.fromkeys(paths, topic))
        tags = [
            self._describe(path, tag, entry.topic)
            for path, tag in zip(paths, entry.tags.values(), strict=True)
        ]
        return Resolved(Extraction(entry), tags)

    def _is_taken(self, path: str, topic: str) -> bool:
        """Tell whether another topic, or another source, has this path: two things would be one tag."""
        number = self._tags.number(path)
        if number is not None and self._tags[number].source != self._name and self._tags.is_active(number):
            return True
        return self._owners.get(path, topic) != topic

    def _describe(self, path: str, tag: MqttTag, topic: str) -> Tag:
        # Of a filter with wildcards what they match is in the path.
        asked = None if "+" in topic or "#" in topic else topic
        return describe(self._name, path, KIND_OF_TYPE[tag.type], tag, read_as=read_as(asked, tag.path))

    def _shapes(self) -> Iterator[tuple[Glob | None, str, MqttTag, str]]:
        """Yield (pattern of its path, or None if fixed; path; tag; topic) of every tag of the plant file."""
        for _, entry in self._entries:
            for name, tag in entry.tags.items():
                path = f"{device_path(self._site, entry.at, entry.device)}/{name}"
                is_fixed = PLACE.search(path) is None
                yield None if is_fixed else _path_pattern(path), path, tag, entry.topic


def _type_of(value: Any) -> str | None:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else None


def _told(entry: MqttMessages, parts: list[str]) -> Told:
    tags = {
        name: tag if tag.type != "any" else tag.model_copy(update={"type": "number"})
        for name, tag in entry.tags.items()
    }
    return Told(entry, parts, Extraction(entry.model_copy(update={"tags": tags})))


def topic_pattern(topic_filter: str) -> re.Pattern[str]:
    """Compile a filter; a group for each wildcard (MQTT 5, 4.7: ``a/#`` matches ``a`` too)."""
    *before, last = topic_filter.split("/")
    levels = ["([^/]*)" if each == "+" else re.escape(each) for each in before]
    if last == "#":
        text = "/".join(levels) + "(?:/(.*))?" if levels else "(.*)"
    else:
        text = "/".join([*levels, "([^/]*)" if last == "+" else re.escape(last)])
    # A wildcard at the beginning does not match the broker's own topics.
    return re.compile("(?!\\$)" + text if topic_filter[0] in "+#" else text, re.DOTALL)


def _filled(text: str, parts: list[str]) -> str:
    return PLACE.sub(lambda match: parts[int(match[1]) - 1], text)


def _path_pattern(path: str) -> Glob:
    # Every second piece is the number of a wildcard.
    pieces = PLACE.split(path)
    return glob_pattern("".join(ANYTHING if i % 2 else each for i, each in enumerate(pieces)))
