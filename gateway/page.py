"""The page's process: started, watched and ended by the gateway; its death touches nothing else.

It shares no interpreter with collection (ADR 0040). The gateway's end closes the child's standard input, and
the child ends by itself, even when the gateway was killed.
"""

import asyncio
import contextlib
import logging
import os
import socket
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from config.plant import PageOptions
from connectors import NotConnected
from gateway.security import SECURITY, House
from gateway.security.audit import newest_of
from gateway.security.names import names_of
from gateway.security.setup_code import new_code
from gateway.sqlite import NewerFormat
from gateway.supervise import Link, LinkState

if TYPE_CHECKING:
    from gateway.security.certificate import Files, PageCertificate

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 60.0
"""At the certificate's end; a person may have renewed or replaced it meanwhile."""
READY_WITHIN_S: Final = 60.0
"""A loaded small machine imports for long."""
NO_USER: Final = (
    "page.listen {listen}: nobody may sign in yet; first: wanglian user add PLANT NAME --role administrator"
)
END_WITHIN_S: Final = 3.0
if sys.platform == "win32":
    _FLAGS: Final = subprocess.BELOW_NORMAL_PRIORITY_CLASS | subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _FLAGS: Final = 0
"""Collection comes first (elsewhere the child is nice by itself), and Ctrl-C is the gateway's to answer."""


class Page:
    """One child process a session."""

    def __init__(
        self,
        link: Link,
        options: PageOptions,
        directory: Path,
        status_port: int,
        plant_file: Path | None = None,
    ) -> None:
        self._link = link
        self._options = options
        self._directory = directory
        self._status_port = status_port
        self._plant_file = plant_file
        self._is_announced = False
        self._names = names_of(options) if options.is_beyond else ()
        self._own: PageCertificate | None = None
        self.url = ""
        """Where the page is; empty while it isn't."""

    @property
    def ends(self) -> datetime | None:
        """Return when the certificate ends; None without TLS."""
        return None if self._own is None else self._own.ends

    async def session(self) -> None:
        """Run the page until its process ends."""
        _must_be_free(self._options)
        await self._announce()
        files = await self._certificate()
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway.web"),
            *("--listen", self._options.listen, "--port", str(self._options.port)),
            *("--status-port", str(self._status_port), "--directory", str(self._directory)),
            *(() if self._plant_file is None else ("--plant", str(self._plant_file))),
            *(() if files is None else ("--certificate", str(files.certificate), "--key", str(files.key))),
            *(word for name in self._names for word in ("--name", name)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            creationflags=_FLAGS,
            start_new_session=True,
        )
        try:
            await self._serve(child)
        finally:
            self.url = ""
            await _end(child)

    async def _announce(self) -> None:
        """Tell the console how the first user is made, once a run; whoever reads it may."""
        if self._is_announced:
            return
        try:
            if await asyncio.to_thread(_has_users, self._directory):
                await self._tell_head()
                return
            if self._options.is_beyond:
                raise NotConnected(NO_USER.format(listen=self._options.listen), needs_a_person=True)
            code = await asyncio.to_thread(_first_code, self._directory)
        except (sqlite3.Error, NewerFormat, OSError) as exc:
            raise NotConnected(f"the page's users can't be read: {exc}", needs_a_person=True) from exc
        self._is_announced = True
        log.info("nobody may sign in to the page yet", extra={"setup_code": code, "valid": "24 h"})

    async def _serve(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdout is not None  # noqa: S101  for mypy: it was asked for
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                self.url = (await child.stdout.readline()).decode().strip()
        except TimeoutError:
            raise NotConnected(f"the page's process said nothing for {READY_WITHIN_S:g} s") from None
        if self.url:
            self._link.become(LinkState.CONNECTED)
            log.info("page running", extra={"url": self.url})
        watching = asyncio.create_task(self._keep_certificate(), name="page certificate")
        try:
            code = await child.wait()
        finally:
            watching.cancel()
        raise NotConnected(f"the page's process ended ({code})")

    async def _tell_head(self) -> None:
        """Note the audit log's end where whoever writes it anew does not reach: in the journal."""
        head = await asyncio.to_thread(newest_of, self._directory / SECURITY)
        self._is_announced = True
        if head is not None:
            log.info("audit log", extra={"head": f"{head.number}:{head.hash.hex()}"})

    async def _certificate(self) -> "Files | None":
        if self._options.tls is None:
            return None
        from gateway.security.certificate import PageCertificate  # noqa: PLC0415  some MB only TLS needs

        if self._own is None:
            self._own = PageCertificate(self._options, self._directory / SECURITY)
        try:
            return await asyncio.to_thread(self._own.files, datetime.now(UTC))
        except (OSError, ValueError) as exc:
            raise NotConnected(f"page.tls: no certificate to use: {exc}", needs_a_person=True) from exc

    async def _keep_certificate(self) -> None:
        """Renew the certificate before its end, or tell of it; the page's process sees new files itself."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self._certificate()
            except NotConnected as exc:
                log.warning("page certificate", extra={"reason": str(exc)})


def _has_users(directory: Path) -> bool:
    with House(directory) as house:
        return house.has_users()


def _first_code(directory: Path) -> str:
    with House(directory) as house:
        return new_code(house)


def _must_be_free(options: PageOptions) -> None:
    """Raise NotConnected when the port is taken, before a process is started in vain."""
    if options.port:
        family = socket.AF_INET6 if ":" in options.listen else socket.AF_INET
        with socket.socket(family) as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((options.listen, options.port))
            except OSError as exc:
                raise NotConnected(
                    f"{options.listen}:{options.port}: {exc.strerror}; choose another page.port",
                    needs_a_person=True,
                ) from exc


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.stdin is not None:
        child.stdin.close()
    try:
        async with asyncio.timeout(END_WITHIN_S):
            await child.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
