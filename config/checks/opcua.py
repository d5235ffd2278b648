"""OPC UA sessions: is what is sent protected, and does each device read nodes of its own?"""

from collections.abc import Iterator
from urllib.parse import urlparse

from config.base import format_duration
from config.checks.certificates import check_pair
from config.checks.tags import check_tags
from config.checks.tls import is_this_machine
from config.connections import OpcUaSource
from config.plant import Plant
from config.problems import Problem, quote
from config.reading.document import Document, Path
from config.tags import SHORTEST_ACCOUNTING_INTERVAL_NS


def check_opcua(plant: Plant, document: Document) -> Iterator[Problem]:
    """Yield unprotected sessions and users, users half written, ranges of devices, counters awry."""
    for name, source in plant.sources.items():
        if isinstance(source, OpcUaSource):
            path = ("sources", name)
            yield from _security(source, document, path)
            yield from _user(source, document, path)
            yield from _devices(source, document, path)


def _security(source: OpcUaSource, document: Document, path: Path) -> Iterator[Problem]:
    security, at = source.security, (*path, "security")
    if security.policy != "none":
        return
    if "mode" in security.model_fields_set:
        yield document.problem("E-CF-0813", (*at, "mode"), at_key=True)
    host = urlparse(source.endpoint).hostname or ""
    if source.user is not None:
        yield document.problem("E-CF-0815", (*path, "user"), at_key=True)
    elif not is_this_machine(host):
        yield document.problem("W-CF-0814", at, at_key=True, host=quote(host))


def _user(source: OpcUaSource, document: Document, path: Path) -> Iterator[Problem]:
    user, at = source.user, (*path, "user")
    if user is None:
        return
    has_pair = user.certificate is not None and user.key is not None
    has_half = (user.certificate is None) != (user.key is None)
    if has_half or has_pair == (user.name is not None):
        yield document.problem("E-CF-0816", at, at_key=True)
    yield from check_pair(user.certificate, user.key, user.key_password, document, at)


def _devices(source: OpcUaSource, document: Document, path: Path) -> Iterator[Problem]:
    seen: set[int] = set()
    for name, device in source.devices.items():
        at = (*path, "devices", name)
        # The devices of a range share their tags, and so their nodes.
        if id(device.tags) in seen:
            yield document.problem("E-CF-0817", at, at_key=True)
            return
        seen.add(id(device.tags))
        # What is written wrongly is told already, and is not here any more.
        if not {"tags", "nodes"} & device.model_fields_set:
            yield document.problem("E-CF-0819", at, at_key=True, name=quote(name))
        for i, entry in enumerate(device.nodes):
            yield from check_tags({i: entry}, document, (*at, "nodes"))
            if entry.was is not None:
                yield document.problem("E-CF-0820", (*at, "nodes", i, "was"), at_key=True)
        for tag_name, tag in device.tags.items():
            scan, where = (device.scan, at) if tag.scan is None else (tag.scan, (*at, "tags", tag_name))
            if tag.counter and scan > SHORTEST_ACCOUNTING_INTERVAL_NS:
                most = format_duration(SHORTEST_ACCOUNTING_INTERVAL_NS)
                yield document.problem("E-CF-0609", (*where, "scan"), name=tag_name, most=most)
            if tag.counter and tag.server_deadband is not None:
                yield document.problem("E-CF-0604", (*at, "tags", tag_name, "server_deadband"), at_key=True)
