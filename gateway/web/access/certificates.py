"""The routes of certificates: which OPC UA servers were met, whom a person trusts, what the page shows."""

import asyncio
from datetime import datetime
from pathlib import Path as File
from typing import Annotated, Final

from fastapi import FastAPI, Path, Request

from gateway.security import House
from gateway.security.audit import Act
from gateway.web.access.gate import by
from gateway.web.access.models import Certificates, OwnCertificate, ServerCertificate, Trust
from gateway.web.access.refusals import REFUSALS
from gateway.web.models import Mistake
from gateway.web.refused import PageRefused
from gateway.web.view import View

_Thumbprint = Annotated[str, Path(pattern=r"^[0-9A-F]{40}$")]
_MS: Final = 1000


def add_certificates(app: FastAPI, house: House, view: View, directory: File) -> None:
    """Add the routes."""

    def found() -> Certificates:
        from connectors.factory import trusted_servers  # noqa: PLC0415  imports an OPC UA stack

        servers = trusted_servers(directory)
        return Certificates(
            page=None
            if view.certificate is None
            else OwnCertificate(fingerprint=view.certificate.fingerprint, ends=_ms(view.certificate.ends)),
            servers=[
                ServerCertificate(
                    name=each.name,
                    thumbprint=each.thumbprint,
                    trusted=each.folder == "trusted",
                    ends=_ms(each.valid_until),
                )
                for each in servers.entries()
            ],
        )

    @app.get("/api/certificates", responses=REFUSALS)
    async def read_certificates() -> Certificates:
        return await asyncio.to_thread(found)

    @app.post("/api/certificates/{thumbprint}", responses=REFUSALS | {404: {"model": Mistake}})
    async def trust_or_reject(request: Request, thumbprint: _Thumbprint, asked: Trust) -> Certificates:
        def decide() -> Certificates:
            from connectors.factory import trusted_servers  # noqa: PLC0415

            servers = trusted_servers(directory)
            if thumbprint not in {each.thumbprint for each in servers.entries()}:
                raise PageRefused(404, "E-PG-0030")
            who = by(request)
            what: Act = "certificate.trusted" if asked.trusted else "certificate.rejected"
            house.audit.append(who.name, who.address, what, {"thumbprint": thumbprint})
            servers.move(thumbprint, "trusted" if asked.trusted else "rejected")
            return found()

        return await asyncio.to_thread(decide)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * _MS)
