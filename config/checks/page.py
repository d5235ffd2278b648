"""The page: may it listen there, are its certificate's files sound, does it leave the status port alone?"""

import ipaddress
from collections.abc import Iterator

from config.checks.certificates import check_pair
from config.plant import PageOptions, Plant
from config.problems import Problem, quote
from config.reading.document import Document


def check_page(plant: Plant, document: Document) -> Iterator[Problem]:
    """Yield what others could read on the wire, half a certificate, and a port that is taken twice."""
    page = plant.page
    if not _is_address(page.listen):
        yield document.problem("E-CF-1204", ("page", "listen"), listen=quote(page.listen))
    elif page.is_beyond and page.tls is None:
        yield document.problem("E-CF-1203", ("page", "listen"), listen=quote(page.listen))
    yield from _certificate(page, document)
    if page.enabled and page.port and page.port == plant.gateway.http_port:
        at = ("page", "port") if "port" in page.model_fields_set else ("gateway", "http_port")
        yield document.problem("E-CF-1202", at, port=page.port)


def _certificate(page: PageOptions, document: Document) -> Iterator[Problem]:
    tls = page.tls
    if tls is None:
        return
    if tls.key is not None and tls.certificate is None:
        yield document.problem("E-CF-0708", ("page", "tls", "key"), at_key=True)
    if tls.certificate is not None and tls.key is None:
        yield document.problem("E-CF-0709", ("page", "tls", "certificate"), at_key=True)
    yield from check_pair(tls.certificate, tls.key, None, document, ("page", "tls"))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
