"""The page: may it listen there, and does it leave the status port alone?"""

from collections.abc import Iterator
from typing import Final

from config.plant import Plant
from config.problems import Problem, quote
from config.reading.document import Document

LOOPBACK: Final = ("127.0.0.1", "::1")


def check_page(plant: Plant, document: Document) -> Iterator[Problem]:
    """Yield an address that others could reach, and a port that is taken twice."""
    page = plant.page
    if page.listen not in LOOPBACK:
        yield document.problem("E-CF-1201", ("page", "listen"), listen=quote(page.listen))
    if page.enabled and page.port and page.port == plant.gateway.http_port:
        at = ("page", "port") if "port" in page.model_fields_set else ("gateway", "http_port")
        yield document.problem("E-CF-1202", at, port=page.port)
