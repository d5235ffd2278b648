"""node-opcua's server as a child process: started, asked by a line of JSON, ended with the test."""

import asyncio
import json
import os
import queue
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.processes import free_port

HERE = Path(__file__).parent / "opcua"
MACHINE = "urn:wanglian:test:machine"


def value_of(kind: str, index: int, tick: int) -> Any:
    """Return what variable `index` of this type holds at a tick; the same arithmetic as in server.mjs."""
    n = tick * 7 + index
    return {
        "Boolean": n % 2,
        "SByte": n % 100 - 50,
        "Byte": n % 200,
        "Int16": n % 30000 - 15000,
        "UInt16": n % 60000,
        "Int32": n - 1000000,
        "UInt32": 3000000000 + n % 1000000,
        "Int64": -9007199254740993 - n,
        "UInt64": 18446744073709551615 - n,
        "Float": n / 8,
        "Double": n / 10,
        "String": f"text {n} 网联",
        "LocalizedText": f"text {n}",
    }[kind]


class NodeServer:
    """A running server."""

    def __init__(self, popen: "subprocess.Popen[str]", port: int) -> None:
        self.popen = popen
        self.port = port
        self.endpoint = f"opc.tcp://127.0.0.1:{port}/test"
        self._options: dict[str, Any] | None = None
        self._said: queue.Queue[dict[str, Any]] = queue.Queue()
        self._lines: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self, command: str, within_s: float = 20.0, **arguments: Any) -> dict[str, Any]:
        """Send a command and return its answer."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(json.dumps({"command": command, **arguments}) + "\n")
        self.popen.stdin.flush()
        answer = self.answer(within_s)
        assert answer.get("done") == command, answer
        return answer

    async def restart(self, **options: Any) -> None:
        """Become another server on the same port."""
        self._options = options
        await asyncio.to_thread(self.ask, "restart", 60.0, **options)

    async def be(self, **options: Any) -> None:
        """Be such a server, by a restart only if it was another; for tests that change nothing about it."""
        if options != self._options:
            await self.restart(**options)

    def answer(self, within_s: float) -> dict[str, Any]:
        try:
            return self._said.get(timeout=within_s)
        except queue.Empty:
            raise TimeoutError("the server says: " + "\n".join(self._lines[-20:])) from None

    def kill(self) -> None:
        """End at once, as by a power cut."""
        self.popen.kill()
        self.popen.wait()

    def _listen(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            try:
                self._said.put(json.loads(line))
            except ValueError:
                self._lines.append(line.rstrip())
        self._said.put({"ended": "\n".join(self._lines[-20:])})


@contextmanager
def node_server(folder: Path, **options: Any) -> Iterator[NodeServer]:
    """Start a server with these options (see server.mjs); its files lie in `folder`, a port is found."""
    port = options.setdefault("port", free_port())
    folder.mkdir(parents=True, exist_ok=True)
    popen = subprocess.Popen(
        ["node", str(HERE / "server.mjs"), json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=os.environ | {"HOME": str(folder), "NODEOPCUA_PKI": str(folder)},
    )
    server = NodeServer(popen, port)
    try:
        said = server.answer(60.0)
        assert said == {"ready": True, "port": port}, said
        yield server
    finally:
        server.kill()
        for pipe in (popen.stdin, popen.stdout):
            if pipe is not None:
                pipe.close()
