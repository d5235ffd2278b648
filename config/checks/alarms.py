"""Webhooks: may a signing secret be there, and can anybody read on the way what opens a group?"""

from collections.abc import Iterator
from typing import Final

from config.checks.proxy import check_proxy
from config.plant import Plant
from config.problems import Problem
from config.reading.document import Document

_SIGNED: Final = ("dingtalk", "feishu")


def check_alarms(plant: Plant, document: Document) -> Iterator[Problem]:
    """Yield secrets nobody asks for, keys of robots sent in the clear, and what a proxy can't be told."""
    for name, webhook in plant.alarms.webhooks.items():
        path = ("alarms", "webhooks", name)
        if webhook.secret is not None and webhook.kind not in _SIGNED:
            yield document.problem("E-CF-1904", (*path, "secret"), at_key=True, kind=webhook.kind)
        if webhook.kind != "json" and not webhook.local and webhook.url.get_secret_value()[:6] != "https:":
            yield document.problem("E-CF-1905", (*path, "url"), at_key=True)
        if webhook.proxy is not None:
            yield from check_proxy(webhook.proxy, document, (*path, "proxy"))
