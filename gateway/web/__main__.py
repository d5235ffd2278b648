"""The page's process: started by the gateway, ended when its standard input closes."""

import argparse
import contextlib
import os
import socket
import sys
import threading
from pathlib import Path

import uvicorn

from config.checks.page import LOOPBACK
from gateway.web.app import create_app
from gateway.web.energy_books import Books
from gateway.web.guard import Place
from gateway.web.view import View


def main() -> None:
    """Serve until standard input ends; the first line of standard output is the page's URL."""
    parser = argparse.ArgumentParser(prog="gateway.web")
    parser.add_argument("--listen", choices=LOOPBACK, default=LOOPBACK[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--status-port", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--plant", type=Path)
    asked = parser.parse_args()
    _stand_back()
    family = socket.AF_INET6 if ":" in asked.listen else socket.AF_INET
    listener = socket.create_server((asked.listen, asked.port), family=family, backlog=128)
    app = create_app(
        View(asked.directory, asked.status_port),
        books=Books(asked.directory, asked.plant),
        directory=asked.directory,
        place=Place(port=listener.getsockname()[1]),
    )
    server = _Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            limit_concurrency=256,
            timeout_graceful_shutdown=1,
        )
    )

    def end_with_the_gateway() -> None:
        sys.stdin.buffer.read()
        server.should_exit = True

    threading.Thread(target=end_with_the_gateway, name="gateway", daemon=True).start()
    host = f"[{asked.listen}]" if ":" in asked.listen else asked.listen
    sys.stdout.write(f"http://{host}:{listener.getsockname()[1]}/\n")
    sys.stdout.flush()
    server.run(sockets=[listener])


def _stand_back() -> None:
    """Run when nobody else wants the core: collection comes first."""
    if sys.platform == "linux":
        # A merely nice process still finishes its slice of some ms before a scan that is due gets the core.
        with contextlib.suppress(PermissionError):  # a container may forbid the call
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if os.name == "posix":
        os.nice(19)


class _Server(uvicorn.Server):
    """Streams never end by themselves: they are told to, or the end would wait for the browsers."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the listeners go, then end as usual."""
        await self.config.app.state.events.end()  # type: ignore[union-attr]
        await super().shutdown(sockets)


if __name__ == "__main__":
    main()
