"""From topics to tags: the first entry whose filter matches names the device and its tags.

A topic is worked out when it is first seen and then only looked up. Names come from topics that anybody may
publish: what can't be a name, belongs to another topic already, or would be one tag too many, is refused.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from config.base import is_name
from config.connections import MqttMessages, MqttSource, MqttTag
from config.connections.mqtt_source import PLACE
from connectors.describe import describe, device_path
from connectors.mqtt.extract import Extraction
from connectors.tags import Kind, Tag, TagTable

KIND_OF_TYPE: Final = {
    "number": Kind.FLOAT64,
    "integer": Kind.INT64,
    "text": Kind.TEXT,
    "bool": Kind.BOOL,
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


class Rules:
    """A source's entries, compiled; topics seen, remembered."""

    def __init__(self, name: str, options: MqttSource, site: str, tags: TagTable) -> None:
        self._name = name
        self._site = site
        self._tags = tags
        self._max_tags = options.max_tags
        self._entries = [(topic_pattern(each.topic), each) for each in options.messages]
        self._owners: dict[str, str] = {}
        self._of_topic: dict[str, Extraction | Refusal] = {}
        self._refused = 0

    def known_tags(self) -> list[Tag]:
        """Return the tags that need no message to be known: those named in full, and those met before."""
        found: dict[str, Tag] = {}
        shapes = list(self._shapes())
        for pattern, path, tag in shapes:
            if pattern is None:
                found[path] = self._describe(path, tag)
        for known in self._tags.known_of(self._name):
            for pattern, _, tag in shapes:
                if known.path not in found and pattern is not None and pattern.fullmatch(known.path):
                    again = self._describe(known.path, tag)
                    if again.identity == known.identity:
                        found[known.path] = again
                    break
        return list(found.values())[: self._max_tags]

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
                topic: each for topic, each in self._of_topic.items() if not isinstance(each, Refusal)
            }
            self._refused = 0
        resolved = []
        for topic in topics:
            if topic in self._of_topic:
                continue
            found = self._resolve(topic)
            if isinstance(found, Refusal):
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

    def __getitem__(self, topic: str) -> Extraction | Refusal:
        """Return how to read a topic that `learn` was given."""
        return self._of_topic[topic]

    def _resolve(self, topic: str) -> Resolved | Refusal:
        for pattern, entry in self._entries:
            match = pattern.fullmatch(topic)
            if match is not None:
                return self._name_tags(topic, entry, [part.replace("/", ".") for part in match.groups("")])
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
        tags = [self._describe(path, tag) for path, tag in zip(paths, entry.tags.values(), strict=True)]
        return Resolved(Extraction(entry), tags)

    def _is_taken(self, path: str, topic: str) -> bool:
        """Tell whether another topic, or another source, has this path: two things would be one tag."""
        number = self._tags.number(path)
        if number is not None and self._tags[number].source != self._name and self._tags.is_active(number):
            return True
        return self._owners.get(path, topic) != topic

    def _describe(self, path: str, tag: MqttTag) -> Tag:
        return describe(self._name, path, KIND_OF_TYPE[tag.type], tag)

    def _shapes(self) -> Iterator[tuple[re.Pattern[str] | None, str, MqttTag]]:
        """Yield (pattern of its path, or None when it is fixed; path; tag) of every tag of the plant file."""
        for _, entry in self._entries:
            for name, tag in entry.tags.items():
                path = f"{device_path(self._site, entry.at, entry.device)}/{name}"
                is_fixed = PLACE.search(path) is None
                yield None if is_fixed else _path_pattern(path), path, tag


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


def _path_pattern(path: str) -> re.Pattern[str]:
    # Every second piece is the number of a wildcard.
    pieces = PLACE.split(path)
    return re.compile("".join("[^/]+" if i % 2 else re.escape(each) for i, each in enumerate(pieces)))
