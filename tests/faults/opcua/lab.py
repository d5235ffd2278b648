"""What the fault tests of OPC UA share: a source of a server's variables, and reading until it is enough."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from config.connections import OpcUaSource
from connectors import Batch, NotConnected, SystemClock, TagTable
from connectors.opcua import Kept, OpcUa
from connectors.quality import GOOD
from tests.servers.node_opcua import MACHINE, value_of

_BUSY_S = 2.0
"""What a machine may lose that does other things beside."""

Row = tuple[str, Any, int, int]
"""Tag name, value, quality, time."""


def options(endpoint: str, nodes: dict[str, Any], **more: Any) -> OpcUaSource:
    """Return a source of one device; `nodes` is node or options of the tag, by tag name."""
    device = {key: more.pop(key) for key in ("scan", "read") if key in more}
    device["nodes"] = more.pop("globs", ())
    tags = {name: {"node": node} if isinstance(node, str) else node for name, node in nodes.items()}
    return OpcUaSource.model_validate(
        {
            "kind": "opcua",
            "endpoint": endpoint,
            "security": "none",
            "namespace": MACHINE,
            "publish": "20ms",
            "keep_alive": "200ms",
            "timeout": "4s",
            "devices": {"d": {"at": "a/l", "scan": "10ms", **device, "tags": tags}},
            **more,
        }
    )


def source(where: OpcUaSource, folder: Path, tags: TagTable | None = None, kept: Kept | None = None) -> OpcUa:
    table = TagTable() if tags is None else tags
    return OpcUa(
        "cell", where, gateway="g", site="s", tags=table, clock=SystemClock(), directory=folder, kept=kept
    )


def variables(count: int) -> dict[str, str]:
    return {f"v{i}": f"s=v{i}" for i in range(count)}


def rows(batch: Batch, tags: TagTable) -> list[Row]:
    return [
        (tags[number].name, value, quality, time)
        for part in batch.parts
        for number, value, quality, time in zip(
            part.tag.tolist(), part.value.tolist(), part.quality.tolist(), part.time.tolist(), strict=True
        )
    ]


def all_of(count: int) -> Callable[[list[Row]], bool]:
    """Return whether rows of so many tags are there."""
    return lambda rows: len({name for name, *_ in rows}) == count


def as_new_as(tick: int, count: int) -> Callable[[list[Row]], bool]:
    """Return whether each of so many variables of Double has told what it held at a tick, or later."""
    least = value_of("Double", 0, tick)

    def are(rows: list[Row]) -> bool:
        return len({name for name, value, quality, _ in rows if quality == GOOD and value >= least}) == count

    return are


async def read_until(it: OpcUa, enough: Callable[[list[Row]], Any], within_s: float = 10.0) -> list[Row]:
    """Read and acknowledge until the rows so far are enough; return them."""
    found: list[Row] = []
    async with asyncio.timeout(within_s):
        while not enough(found):
            batch = await it.read()
            await it.ack(batch)
            found += rows(batch, it._tags)
    return found


async def entered(make: Callable[[], OpcUa], within_s: float = 15.0) -> OpcUa:
    """Enter a new source again and again, as the supervisor does, until it connects."""
    async with asyncio.timeout(within_s):
        while True:
            with suppress(NotConnected):
                return await make().__aenter__()
            await asyncio.sleep(0.05)


class Comings:
    """How long it took to be back, server by server: to connect, and from then until the newest values."""

    def __init__(self) -> None:
        self._began = self._opened = 0.0
        self.took: list[tuple[float, float]] = []

    def begin(self) -> None:
        """The server is there again."""
        self._began = asyncio.get_running_loop().time()

    def of(self, it: OpcUa) -> OpcUa:
        """Note when this source's session is open; to find the nodes and to subscribe them comes after."""
        plain = it._session.open

        async def opened(*given: Any) -> bool:
            is_earlier = await plain(*given)
            self._opened = asyncio.get_running_loop().time()
            return is_earlier

        it._session.open = opened  # type: ignore[method-assign]
        return it

    def end(self) -> None:
        """The newest values are there."""
        now = asyncio.get_running_loop().time()
        self.took.append((self._opened - self._began, now - self._opened))

    def proven(self, publish_s: float, *, exactly: bool) -> str:
        """Hold them to two publishing intervals beside the time to connect; return what was measured.

        `_BUSY_S` more are allowed unless it is to be exact.
        """
        waits, back = zip(*self.took, strict=True)
        within = sum(each <= 2 * publish_s for each in back)
        told = (
            "the newest of all values read within two publishing intervals of an open session after "
            f"{within} of {len(back)}, at most {max(back) * 1000:.0f} ms; "
            f"a session was open within {max(waits):.2f} s"
        )
        assert max(back) <= 2 * publish_s + (0.0 if exactly else _BUSY_S), told
        return told
