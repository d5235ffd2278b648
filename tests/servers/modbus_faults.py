"""A Modbus TCP server that misbehaves by script.

    server = FaultyServer(script)          script(request) -> steps to take
    async with server: …server.port…

A step is bytes to send, a float to wait (seconds) or CLOSE. The functions below make the steps of one kind of
misbehaviour each. Register a of unit u holds (37 a + 1000 u) mod 65536; coil a is set when a mod 3 is 0.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

CLOSE: Final = None
"""Step: cut the connection."""
Step = bytes | float | None
Steps = Iterable[Step]


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked, and the how-manieth request it was, on which connection."""

    transaction: int
    unit: int
    function: int
    address: int
    count: int
    number: int
    connection: int


Script = Callable[[Request], Steps]


def register(unit: int, address: int) -> int:
    return (37 * address + 1000 * unit) % 65536


def data_of(request: Request, shift: int = 0) -> bytes:
    """Return the reply's data; `shift` serves other registers than those asked for."""
    if request.function in (1, 2):
        octets = bytearray((request.count + 7) // 8)
        for i in range(request.count):
            octets[i // 8] |= ((request.address + i) % 3 == 0) << i % 8
        return bytes(octets)
    first = request.address + shift
    return b"".join(register(request.unit, first + i).to_bytes(2, "big") for i in range(request.count))


def frame(transaction: int, unit: int, pdu: bytes, *, protocol: int = 0, length: int | None = None) -> bytes:
    size = 1 + len(pdu) if length is None else length
    head = transaction.to_bytes(2, "big") + protocol.to_bytes(2, "big") + size.to_bytes(2, "big")
    return head + bytes((unit,)) + pdu


def correct(request: Request) -> bytes:
    data = data_of(request)
    return frame(request.transaction, request.unit, bytes((request.function, len(data))) + data)


def honest(request: Request) -> Steps:
    return [correct(request)]


def silent(request: Request) -> Steps:  # noqa: ARG001
    return []


def late(seconds: float) -> Script:
    return lambda request: [seconds, correct(request)]


def wrong_unit(request: Request) -> Steps:
    data = data_of(request, 1)
    return [frame(request.transaction, request.unit ^ 1, bytes((request.function, len(data))) + data)]


def wrong_function(request: Request) -> Steps:
    data = data_of(request, 1)
    return [frame(request.transaction, request.unit, bytes((request.function ^ 7, len(data))) + data)]


def wrong_transaction(request: Request) -> Steps:
    data = data_of(request, 1)
    pdu = bytes((request.function, len(data))) + data
    return [frame(request.transaction ^ 0x5000, request.unit, pdu)]


def wrong_protocol(request: Request) -> Steps:
    data = data_of(request, 1)
    pdu = bytes((request.function, len(data))) + data
    return [frame(request.transaction, request.unit, pdu, protocol=7)]


def short(request: Request) -> Steps:
    """A whole frame with two registers too few, and saying so."""
    data = data_of(request)[:-4]
    return [frame(request.transaction, request.unit, bytes((request.function, len(data))) + data)]


def long(request: Request) -> Steps:
    """A whole frame with two registers too many, and saying so."""
    data = data_of(request) + b"\x7f\xff\x7f\xff"
    return [frame(request.transaction, request.unit, bytes((request.function, len(data))) + data)]


def lying_byte_count(request: Request) -> Steps:
    data = data_of(request)
    return [frame(request.transaction, request.unit, bytes((request.function, len(data) - 2)) + data)]


def impossible_length(request: Request) -> Steps:
    return [frame(request.transaction, request.unit, b"\x03", length=3000)]


def garbage(request: Request) -> Steps:  # noqa: ARG001
    return [b"HTTP/1.1 400 Bad Request\r\n\r\n"]


def half(request: Request) -> Steps:
    whole = correct(request)
    return [whole[: len(whole) // 2]]


def twice(request: Request) -> Steps:
    return [correct(request), correct(request)]


def in_slices(size: int, pause_s: float) -> Script:
    def script(request: Request) -> Steps:
        whole = correct(request)
        for at in range(0, len(whole), size):
            yield whole[at : at + size]
            yield pause_s

    return script


def exception(code: int) -> Script:
    return lambda request: [frame(request.transaction, request.unit, bytes((request.function | 0x80, code)))]


def closing(request: Request) -> Steps:  # noqa: ARG001
    return [CLOSE]


def without(*missing: int) -> Script:
    """A device that lacks some addresses: exception 2 for whoever asks over them."""

    def script(request: Request) -> Steps:
        asked = range(request.address, request.address + request.count)
        return exception(2)(request) if any(address in asked for address in missing) else honest(request)

    return script


@dataclass(slots=True)
class FaultyServer:
    """Serves on loopback while entered; answers in the order of the requests, like a device with one mind."""

    script: Script
    most_connections: int = 1000
    """Further ones are closed at once, as small devices do."""
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    open: int = 0
    _server: asyncio.Server | None = None
    _serving: set["asyncio.Task[None] | None"] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._serving):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self.connections
        self.connections += 1
        self.open += 1
        task = asyncio.current_task()
        self._serving.add(task)
        try:
            if self.open <= self.most_connections:
                await self._converse(reader, writer, number)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            self._serving.discard(task)
            writer.transport.abort()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int
    ) -> None:
        while True:
            head = await reader.readexactly(12)
            fields = [int.from_bytes(head[i : i + 2], "big") for i in (0, 8, 10)]
            request = Request(
                fields[0], head[6], head[7], fields[1], fields[2], len(self.requests), connection
            )
            self.requests.append(request)
            for step in self.script(request):
                if step is None:
                    return
                if isinstance(step, bytes):
                    writer.write(step)
                    await writer.drain()
                else:
                    await asyncio.sleep(step)
