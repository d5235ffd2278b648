"""Addresses of sources, sinks, proxies: none out of reach, but where the plant file's machine allows it."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from config.plant import Plant
from config.problems import Problem
from config.reach import literal, may_reach
from config.reading.document import Document, Path

_HOSTS = ("host", "backup_host")
_URLS = ("url", "endpoint")


def check_reach(plant: Plant, document: Document) -> Iterator[Problem]:
    """Yield every address nothing may lead to."""
    for path, host in _written(plant):
        address = literal(host)
        if address is not None and not may_reach(address, plant.gateway.reach):
            yield document.problem("E-CF-0770", path, address=host)


def _written(plant: Plant) -> Iterator[tuple[Path, str]]:
    for kind, links in (("sources", plant.sources), ("sinks", plant.sinks)):
        for name, options in links.items():
            yield from _hosts((kind, name), options)
    for name, webhook in plant.alarms.webhooks.items():
        if webhook.proxy is not None:  # its own address is judged when it is asked
            yield ("alarms", "webhooks", name, "proxy", "host"), webhook.proxy.host


def _hosts(path: Path, options: object) -> Iterator[tuple[Path, str]]:
    for field in _HOSTS:
        if host := getattr(options, field, None):
            yield (*path, field), host
    for field in _URLS:
        if url := getattr(options, field, None):
            yield (*path, field), urlsplit(url).hostname or ""
    if proxy := getattr(options, "proxy", None):
        yield from _hosts((*path, "proxy"), proxy)
