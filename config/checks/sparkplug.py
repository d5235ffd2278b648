"""Sparkplug: do hosts or edge nodes share an id, do names tell apart what differs, does data come back?"""

from collections.abc import Iterator

from config.checks.mqtt_loops import broker_of
from config.connections import SparkplugNodes, SparkplugSink, SparkplugSource
from config.connections.sparkplug import PLACE
from config.connections.sparkplug_edge import device_id
from config.glob import glob_pattern
from config.plant import Plant
from config.problems import Problem, quote
from config.reading.document import Document, Path


def check_sparkplug(plant: Plant, document: Document) -> Iterator[Problem]:
    """Yield hosts or nodes with one id, data that come back, names that can't be made or are not unique."""
    yield from _hosts(plant, document)
    nodes: dict[tuple[str, int, str, str], str] = {}
    for name, options in plant.sinks.items():
        if isinstance(options, SparkplugSink):
            path: Path = ("sinks", name)
            node = options.node or plant.gateway.id
            words = {"group": quote(options.group), "node": quote(node)}
            first = nodes.setdefault((*broker_of(options), options.group, node), name)
            if first != name:
                yield document.problem("E-CF-0921", path, at_key=True, first=first, **words)
            for source in _readers(plant, options, node):
                yield document.problem("E-CF-0923", path, at_key=True, source=source, **words)
            yield from _devices(plant, options, document, path)


def _readers(plant: Plant, sink: SparkplugSink, node: str) -> Iterator[str]:
    """Yield the sources that read this edge node."""
    for name, source in plant.sources.items():
        if isinstance(source, SparkplugSource) and broker_of(source) == broker_of(sink):
            for entry in source.nodes:
                if entry.group in ("+", sink.group) and entry.node in ("+", node):
                    yield name
                    break


def _devices(plant: Plant, sink: SparkplugSink, document: Document, path: Path) -> Iterator[Problem]:
    paths = [
        f"{plant.gateway.site}/{device.at}/{name}"
        for source in plant.sources.values()
        for name, device in source.devices.items()
    ]
    paths += [f"{plant.gateway.site}/{place.at}/{name}" for name, place in plant.derived.items()]
    ids: dict[str, str] = {}
    for each in paths:
        found = device_id(sink.device, each)
        first = ids.setdefault(found, each)
        if first != each:
            words = {"first": first, "second": each, "id": quote(found)}
            yield document.problem_with("W-CF-0922", (*path, "device"), words)
            return


def _hosts(plant: Plant, document: Document) -> Iterator[Problem]:
    hosts: dict[tuple[str, int, str], str] = {}
    for name, options in plant.sources.items():
        if not isinstance(options, SparkplugSource):
            continue
        host_id = options.host_id or plant.gateway.id
        first = hosts.setdefault((*broker_of(options), host_id), name)
        if first != name:
            path: Path = ("sources", name, "host_id") if options.host_id else ("sources", name)
            at_key = options.host_id is None
            yield document.problem("E-CF-0920", path, at_key=at_key, first=first, host_id=quote(host_id))
        for i, nodes in enumerate(options.nodes):
            at: Path = ("sources", name, "nodes", i)
            for k, earlier in enumerate(options.nodes[:i]):
                if _covers(earlier, nodes):
                    yield document.problem("W-CF-0926", at, first=k + 1)
                    break
            yield from _names(nodes, document, at)
            yield from _globs(nodes, document, at)


def _covers(first: SparkplugNodes, second: SparkplugNodes) -> bool:
    """Tell whether the first takes all that the second would."""
    return all(getattr(first, each) in ("+", getattr(second, each)) for each in ("group", "node", "device"))


def _globs(nodes: SparkplugNodes, document: Document, path: Path) -> Iterator[Problem]:
    """Yield metrics whose unit or scale never acts: an earlier glob takes them."""
    earlier: list[str] = []
    for name in nodes.tags:
        # Of two globs only the widest is sure to take all the other does.
        covering = [
            each
            for each in earlier
            if each == "**" or ("*" not in name and glob_pattern(each).fullmatch(name))
        ]
        if covering:
            yield document.problem("W-CF-0927", (*path, "tags", name), at_key=True, first=quote(covering[0]))
        earlier.append(name)


def _names(nodes: SparkplugNodes, document: Document, path: Path) -> Iterator[Problem]:
    levels = nodes.at.split("/")
    if len(levels) != 2 or not all(levels):
        yield document.problem("E-CF-0402", (*path, "at"), at=quote(nodes.at))
    named = set(PLACE.findall(f"{nodes.at}/{nodes.name}"))
    for place in ("group", "node", "device"):
        if getattr(nodes, place) == "+" and place not in named:
            yield document.problem("W-CF-0919", path, place=place)
