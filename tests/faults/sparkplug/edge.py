"""An edge node on a broker, run by the supervisor, its packets read on the way."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from config.connections import SparkplugSink
from connectors import Context, Delivery, NotConnected, SystemClock, TagTable
from connectors.contract import Gaps
from connectors.sparkplug.edge import SparkplugEdge
from gateway.supervise import Link, LinkState, supervise
from tests.servers.broker import Broker
from tests.servers.mqtt_tap import Tap
from tests.servers.sparkplug_host import Host
from tests.unit.sparkplug.edge.hosted import Hosted


@contextmanager
def plant(folder: Path) -> Iterator[tuple[Broker, Tap, Host]]:
    """Run a broker, the tap before it, and a host."""
    with (
        Broker(folder / "broker", settings=("log_type error",)) as broker,
        Tap(broker.port) as tap,
        Host(broker.port) as host,
    ):
        yield broker, tap, host


class Edge:
    """One sink over all its sessions, forwarded to as the gateway does."""

    def __init__(self, port: int, folder: Path, gaps: Gaps | None = None, **more: Any) -> None:
        self.made = Hosted()
        self.link = Link("scada", "sink", SystemClock())
        self.sinks: list[SparkplugEdge] = []
        self._options = SparkplugSink.model_validate(
            {"kind": "sparkplug", "host": "127.0.0.1", "port": port, "group": "g", "node": "node"}
            | {"device": "{device}", **more}
        )
        told = {} if gaps is None else {"gaps": gaps}
        self._context = Context(
            "gw", self.made.tags, SystemClock(), last=self.made.newest, directory=folder, **told
        )
        self._sink: SparkplugEdge | None = None
        self._writes: asyncio.Queue[tuple[list[Delivery], asyncio.Future[None]]] = asyncio.Queue()

    @property
    def tags(self) -> TagTable:
        return self.made.tags

    def sink(self) -> SparkplugEdge:
        """Return one for another session."""
        self.sinks.append(SparkplugEdge("scada", self._options, self._context))
        return self.sinks[-1]

    async def session(self) -> None:
        """Be connected until the link drops."""
        async with self.sink() as sink:
            self.link.become(LinkState.CONNECTED)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(sink.watch())
                self._sink = sink
                try:
                    while True:
                        await self._write(sink)
                finally:
                    self._sink = None

    async def _write(self, sink: SparkplugEdge) -> None:
        deliveries, written = await self._writes.get()
        try:
            await sink.write(deliveries)
        except NotConnected as exc:
            written.set_exception(exc)
            raise
        except asyncio.CancelledError:
            written.set_exception(NotConnected("the session ended"))
            raise
        written.set_result(None)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Edge"]:
        """Run the link as the gateway does; nobody waits long between two sessions."""
        task = asyncio.create_task(supervise(self.link, self.session, strict=True, sleep=_briefly))
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if not task.cancelled() and task.exception() is not None:
                raise task.exception() or AssertionError

    async def connected(self) -> SparkplugEdge:
        await until(lambda: self._sink is not None, "the connection")
        assert self._sink is not None
        return self._sink

    async def read(self, *rows: Any, historical: bool = False) -> None:
        """Have rows read and delivered in the session there is."""
        await self.read_many([rows], historical=historical)

    async def read_many(self, batches: Sequence[Sequence[Any]], *, historical: bool = False) -> None:
        """Have batches of rows read, then all of them delivered at once."""
        await self.connected()
        self.made.clock.wall = time.time_ns()
        written = asyncio.get_running_loop().create_future()
        deliveries = [self.made.delivery(rows, historical=historical) for rows in batches]
        self._writes.put_nowait((deliveries, written))
        await written


async def _briefly(_: float) -> None:
    await asyncio.sleep(0.05)


async def until(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        await asyncio.sleep(0.005)
