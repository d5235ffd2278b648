"""The routes of certificates: which OPC UA servers were met and trusted, what they and browsers are shown."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path as File
from typing import Annotated, Any, Final

from fastapi import FastAPI, Path, Request

from gateway.security import House
from gateway.security.audit import Act
from gateway.security.house import By
from gateway.told import Told, certificate_days
from gateway.web.access.gate import by
from gateway.web.access.models import (
    Certificates,
    LinkCertificate,
    OwnCertificate,
    PageCertificateTold,
    ServerCertificate,
    Trust,
)
from gateway.web.access.refusals import REFUSALS
from gateway.web.models import Mistake
from gateway.web.refused import PageRefused
from gateway.web.view import View

_Thumbprint = Annotated[str, Path(pattern=r"^[0-9A-F]{40}$")]
_MS: Final = 1000
_DAY_NS: Final = 86_400_000_000_000
_UNKNOWN: Final[dict[int | str, dict[str, Any]]] = {404: {"model": Mistake}}
_RENEWED: Final[Act] = "certificate.renewed"


def add_certificates(app: FastAPI, house: House, view: View, directory: File) -> None:
    """Add the routes."""
    desk = _Desk(house, view, directory)

    @app.get("/api/certificates", responses=REFUSALS)
    async def read_certificates() -> Certificates:
        await view.fresh()
        return await asyncio.to_thread(desk.found)

    @app.post("/api/certificates/{thumbprint}", responses=REFUSALS | _UNKNOWN)
    async def trust_or_reject(request: Request, thumbprint: _Thumbprint, asked: Trust) -> Certificates:
        return await asyncio.to_thread(desk.decide, by(request), thumbprint, is_trusted=asked.trusted)

    @app.post("/api/certificates/own/renew", responses=REFUSALS | _UNKNOWN)
    async def renew_own(request: Request) -> Certificates:
        return await asyncio.to_thread(desk.renew_own, by(request))

    @app.post("/api/certificates/page/renew", responses=REFUSALS | _UNKNOWN)
    async def renew_page(request: Request) -> Certificates:
        return await asyncio.to_thread(desk.renew_page, by(request))


class _Desk:
    """Reads and writes files, so it runs in a thread."""

    def __init__(self, house: House, view: View, directory: File) -> None:
        self._house = house
        self._view = view
        self._directory = directory

    def found(self) -> Certificates:
        """Return what there is."""
        from connectors.factory import trusted_servers  # noqa: PLC0415  imports an OPC UA stack

        servers, page = trusted_servers(self._directory), self._view.certificate
        own = servers.shown()
        return Certificates(
            page=None
            if page is None
            else PageCertificateTold(
                fingerprint=page.fingerprint, ends=_ms(page.ends), is_ours=page.own is not None
            ),
            own=None
            if own is None
            else OwnCertificate(name=own.name, thumbprint=own.thumbprint, ends=_ms(own.ends)),
            servers=[
                ServerCertificate(
                    name=each.name,
                    thumbprint=each.thumbprint,
                    trusted=each.folder == "trusted",
                    ends=_ms(each.valid_until),
                )
                for each in servers.entries()
            ],
            links=[] if self._view.told is None else _of_links(self._view.told),
        )

    def decide(self, who: By, thumbprint: str, *, is_trusted: bool) -> Certificates:
        """Trust a server, or no longer."""
        from connectors.factory import trusted_servers  # noqa: PLC0415

        servers = trusted_servers(self._directory)
        if thumbprint not in {each.thumbprint for each in servers.entries()}:
            raise PageRefused(404, "E-PG-0030")
        what: Act = "certificate.trusted" if is_trusted else "certificate.rejected"
        self._house.audit.append(who.name, who.address, what, {"thumbprint": thumbprint})
        servers.move(thumbprint, "trusted" if is_trusted else "rejected")
        return self.found()

    def renew_own(self, who: By) -> Certificates:
        """Make what OPC UA servers are shown anew."""
        from connectors.factory import trusted_servers  # noqa: PLC0415

        servers = trusted_servers(self._directory)
        before = servers.shown()
        if before is None:
            raise PageRefused(404, "E-PG-0040")
        about = {"which": "own", "before": before.thumbprint}
        self._house.audit.append(who.name, who.address, _RENEWED, about)
        try:
            servers.renew()
        except OSError as exc:
            raise PageRefused(503, "E-PG-0041", reason=exc.strerror or exc) from exc
        return self.found()

    def renew_page(self, who: By) -> Certificates:
        """Make what browsers are shown anew, where the gateway made it; new connections see it at once."""
        page = self._view.certificate
        if page is None or page.own is None:
            raise PageRefused(404, "E-PG-0040")
        from gateway.security.certificate import renew  # noqa: PLC0415  some MB only TLS needs

        about = {"which": "page", "before": page.fingerprint}
        self._house.audit.append(who.name, who.address, _RENEWED, about)
        try:
            renew(page.own, datetime.now(UTC))
        except (OSError, ValueError) as exc:
            raise PageRefused(503, "E-PG-0041", reason=exc) from exc
        page.look()
        return self.found()


def _of_links(told: Told) -> list[LinkCertificate]:
    """Return what protects a connection now, what ends first before the others."""
    found = [
        LinkCertificate(
            link=link.name,
            role=link.about.role,
            peer=link.about.peer,
            whose=whose,
            ends=(told.now + round(days * _DAY_NS)) // 1_000_000,
        )
        for link in told.links
        for whose, days in certificate_days(link)
    ]
    return sorted(found, key=lambda each: each.ends)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * _MS)
