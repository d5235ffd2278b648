"""Sparkplug: do two hosts share an id, and can names tell apart what may be any?"""

from collections.abc import Iterator

from config.connections import SparkplugNodes, SparkplugSource
from config.connections.sparkplug import PLACE
from config.plant import Plant
from config.problems import Problem, quote
from config.reading.document import Document, Path


def check_sparkplug(plant: Plant, document: Document) -> Iterator[Problem]:
    """Yield hosts with one id, and names that can't be made or are not unique."""
    hosts: dict[tuple[str, int, str], str] = {}
    for name, options in plant.sources.items():
        if not isinstance(options, SparkplugSource):
            continue
        host_id = options.host_id or plant.gateway.id
        first = hosts.setdefault((options.host.lower(), options.broker_port, host_id), name)
        if first != name:
            path: Path = ("sources", name, "host_id") if options.host_id else ("sources", name)
            at_key = options.host_id is None
            yield document.problem("E-CF-0920", path, at_key=at_key, first=first, host_id=quote(host_id))
        for i, nodes in enumerate(options.nodes):
            yield from _names(nodes, document, ("sources", name, "nodes", i))


def _names(nodes: SparkplugNodes, document: Document, path: Path) -> Iterator[Problem]:
    levels = nodes.at.split("/")
    if len(levels) != 2 or not all(levels):
        yield document.problem("E-CF-0402", (*path, "at"), at=quote(nodes.at))
    named = set(PLACE.findall(f"{nodes.at}/{nodes.name}"))
    for place in ("group", "node", "device"):
        if getattr(nodes, place) == "+" and place not in named:
            yield document.problem("W-CF-0919", path, place=place)
