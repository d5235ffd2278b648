"""The page's process: started by the gateway, ended when its standard input closes."""

import argparse
import contextlib
import os
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from config.plant import LOOPBACK
from gateway.web.app import create_app
from gateway.web.connections import Server
from gateway.web.energy_books import Books
from gateway.web.guard import HOSTS, Place
from gateway.web.view import View

if TYPE_CHECKING:
    from gateway.web.tls import Loaded


def main() -> None:
    """Serve until standard input ends; the first line of standard output is the page's URL."""
    parser = argparse.ArgumentParser(prog="gateway.web")
    parser.add_argument("--listen", default=LOOPBACK[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--status-port", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--plant", type=Path)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--name", action="append", default=[])
    asked = parser.parse_args()
    is_beyond = asked.listen not in LOOPBACK
    if is_beyond and asked.certificate is None:
        parser.error("beyond this machine only with a certificate")
    _stand_back()
    family = socket.AF_INET6 if ":" in asked.listen else socket.AF_INET
    listener = socket.create_server((asked.listen, asked.port), family=family, backlog=128)
    port = listener.getsockname()[1]
    tls = _loaded(asked.certificate, asked.key)
    place = Place(
        port=port,
        is_secure=tls is not None,
        listens=is_beyond,
        hosts=HOSTS | {f"[{each}]" if ":" in each else each for each in asked.name},
    )
    view = View(asked.directory, asked.status_port)
    view.certificate = tls
    app = create_app(
        view,
        books=Books(asked.directory, asked.plant),
        directory=asked.directory,
        plant_file=asked.plant,
        place=place,
    )
    server = Server(app, listener, None if tls is None else tls.context)

    def end_with_the_gateway() -> None:
        sys.stdin.buffer.read()
        server.should_exit = True

    threading.Thread(target=end_with_the_gateway, name="gateway", daemon=True).start()
    if tls is not None:
        threading.Thread(target=tls.keep_new, name="certificate", daemon=True).start()
    sys.stdout.write(f"{_url(asked.listen, port, is_secure=tls is not None)}\n")
    sys.stdout.flush()
    server.run()


def _loaded(certificate: Path | None, key: Path) -> "Loaded | None":
    if certificate is None:
        return None
    from gateway.web.tls import Loaded  # noqa: PLC0415  some MB only TLS needs

    return Loaded(certificate, key)


def _url(listen: str, port: int, *, is_secure: bool) -> str:
    if listen in ("0.0.0.0", "::"):  # noqa: S104  compared, not bound to
        listen = socket.gethostname()
    host = f"[{listen}]" if ":" in listen else listen
    return f"{'https' if is_secure else 'http'}://{host}:{port}/"


def _stand_back() -> None:
    """Run when nobody else wants the core: collection comes first."""
    if sys.platform == "linux":
        # A merely nice process still finishes its slice of some ms before a scan that is due gets the core.
        with contextlib.suppress(PermissionError):  # a container may forbid the call
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if os.name == "posix":
        os.nice(19)


if __name__ == "__main__":
    main()
