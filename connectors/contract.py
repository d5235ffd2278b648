"""The contract between what speaks (connectors) and what runs (gateway).

A connector is an async context manager with one verb. It never retries: it raises `NotConnected` and the
supervisor enters it again, later. Constructors only remember; `__aenter__` touches the network.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
import orjson
from numpy.typing import NDArray

from connectors.batch import Batch, Columns, Origin
from connectors.clock import Clock
from connectors.tags import TagTable

Stage = Callable[[Columns], Columns]
"""A step of the pipeline: columns to columns, no await."""


class Epoch(NamedTuple):
    """Renewed when continuity of `seq` can't be proved: restore, cloned machine, lost newest segment."""

    ordinal: int
    """1, 2, 3 … in the order they began on this gateway."""
    random: int
    """64 random bits, so that two clones never share an epoch."""

    def __str__(self) -> str:
        """Return the form platforms see, e.g. ``3-9f86d081884c7d65``."""
        return f"{self.ordinal}-{self.random:016x}"


class Order(Enum):
    """What a sink wants after an absence."""

    LIVE_FIRST = "live_first"
    """New values at once, the backlog beside them, marked historical."""
    STRICT = "strict"
    """Everything in the order it was stored."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A stored batch on its way to one sink.

    `seq` numbers stored batches, one per append, never reused. `rows` is None when the batch is whole; when a
    selection has left rows out it holds, part by part, the stored row number of each row that is left, so
    that a row's key (gateway, epoch, seq, row) is the same for every sink and every re-send.
    """

    batch: Batch
    epoch: Epoch
    seq: int
    historical: bool = False
    rows: tuple[NDArray[np.int32], ...] | None = None
    source: str = ""
    """Under whose name the batch was stored; the ledger counts by it."""

    @property
    def is_past(self) -> bool:
        """Whether this is no news: delivered late, or read from a device's history after a gap."""
        return self.historical or self.batch.origin is Origin.BACKFILL

    def row_numbers(self) -> tuple[NDArray[np.int32], ...]:
        """Return the stored row number of each row, part by part."""
        if self.rows is not None:
            return self.rows
        ends = np.cumsum([0, *(len(part) for part in self.batch.parts)])
        return tuple(np.arange(a, b, dtype=np.int32) for a, b in pairwise(ends))


class Source(Protocol):
    """Southbound: enter to connect, read until it drops, leave to close. One session per entering."""

    async def __aenter__(self) -> Self:
        """Announce the tags, then connect; return connected or raise NotConnected.

        Tags known from the plant file are announced before the first byte is sent, so that the supervisor
        can mark them Bad when the connection fails.
        """
        ...

    async def read(self) -> Batch:
        """Wait until something is due and return it; never empty. Raise NotConnected when the link drops.

        Called again as soon as the batch is in the commit queue; never concurrently. One silent device of
        several is reported as Bad rows. Cancellation loses nothing that was acknowledged.
        """
        ...

    async def ack(self, batch: Batch) -> None:
        """Learn that what `read` returned is on disk (or held no row worth storing); called in read order."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close; never raises, never waits longer than the connector's timeout."""
        ...


@runtime_checkable
class Resumable(Protocol):
    """A source whose peer redelivers what was not acknowledged (MQTT)."""

    def resume_token(self, batch: Batch) -> bytes:
        """Return what to store in the same transaction as this batch."""
        ...

    def resume_from(self, token: bytes | None) -> None:
        """Learn the token of the last stored batch; called once, before the first entering."""
        ...


@runtime_checkable
class Repairing(Protocol):
    """A source that reads what was missed from its peer's history (OPC UA): batches of Origin.BACKFILL."""

    def stored_until(self, times: NDArray[np.int64], heard: int) -> None:
        """Learn what an earlier run has stored; called once, before the first entering.

        `times` are when the newest value of each tag was true, by tag number, 0 where that is not known;
        `heard` is when the last batch arrived.
        """
        ...


@runtime_checkable
class Relayed(Protocol):
    """A source whose connection proves nothing of the devices behind it (a serial server, a TCP gateway)."""

    @property
    def is_heard(self) -> bool:
        """Whether anybody has answered in this session; until then the link does not count as connected."""
        ...


@runtime_checkable
class Renewable(Protocol):
    """A source whose devices can be changed while it is connected."""

    def renew(self, options: Any) -> bool:
        """Take over options that differ in their devices only, before the next scan; False: enter anew.

        A device that stays as it was misses nothing.
        """
        ...


@runtime_checkable
class Scannable(Protocol):
    """A source that can read one device at once, for `wanglian probe`."""

    def devices(self) -> Sequence[str]:
        """Return the devices' names in the plant file."""
        ...

    async def scan(self, device: str) -> Batch:
        """Read the device now, whatever its schedule; Bad rows tell why it can't be read."""
        ...


@runtime_checkable
class Listenable(Protocol):
    """A source that can't be asked but listened to, for `wanglian probe`."""

    async def listen(self, seconds: float) -> Batch | None:
        """Return what came within this time, None when nothing did; never entered, it takes nothing away.

        Raises:
            NotConnected: the peer can't be had.
        """
        ...


class Node(NamedTuple):
    """A variable that was found in a source's peer."""

    path: str
    """Where it is, for people."""
    name: str
    """What its tag may be called."""
    node: str
    """As the plant file names it."""
    type: str
    unit: str
    """Symbol or code of our table, else as the peer calls it in brackets; empty if it says none."""
    access: str
    """``read``, ``write``, ``history`` as the gateway's user may."""


@runtime_checkable
class Browsable(Protocol):
    """A source whose peer can be asked what it has, for `wanglian browse`."""

    def browse(self, glob: str, most: int) -> AsyncGenerator[list[Node], None]:
        """Yield what matches, a page at a time, at most so many; never entered, it subscribes nothing.

        Raises:
            NotConnected: the peer can't be had, or does not let itself be browsed.
            ValueError: that is no glob.
        """
        ...


class Sink(Protocol):
    """Northbound: enter to connect, write until it drops, leave to close; entered again for every session.

    One object for all of them, so that what it has learned of its peer holds: a message refused in a session
    that broke before it could be told, the size that passes a slow line.
    """

    order: Order

    async def __aenter__(self) -> Self:
        """Return connected, or raise NotConnected."""
        ...

    async def write(self, deliveries: Sequence[Delivery]) -> None:
        """Return once every row is accepted by the peer.

        NotConnected: keep all of it, it will come again. Rejected: the named rows can never be accepted, all
        others are. Called with at least one row; never concurrently; a repeat must be harmless.
        """
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close; never raises, never waits longer than the connector's timeout."""
        ...


@runtime_checkable
class Watching(Protocol):
    """A sink whose peer speaks too: it asks, and comes and goes while nothing is to be written."""

    async def watch(self) -> None:
        """Answer the peer beside `write`; raise NotConnected when the session is over, never return."""
        ...


Whose = Literal["own", "peer"]


class Certificate(NamedTuple):
    """One that protects a connection."""

    whose: Whose
    ends: int
    """When it expires, ns UTC."""


@runtime_checkable
class Certified(Protocol):
    """A connector whose connection certificates may protect."""

    def certificates(self) -> Sequence[Certificate]:
        """Return those of the running session; none without TLS."""
        ...


@runtime_checkable
class Metered(Protocol):
    """A sink that knows what it costs."""

    def traffic(self) -> int:
        """Return the bytes moved over the network since it was made, both ways, failed attempts with them."""
        ...


class LastValues(Protocol):
    """The newest row of every tag, for births and reads."""

    def last(self, tags: NDArray[np.int32]) -> Sequence[Columns]:
        """Return the newest known row of each of these tags that has one, in parts."""
        ...


class GapNews(NamedTuple):
    """A gap as subscribers are told of it."""

    revision: int
    """Rises with every gap noted or changed."""
    record: dict[str, Any]
    """docs/reference/gaps.md has its keys; times are ns UTC."""

    @property
    def id(self) -> str:
        """What is the same for a gap for ever, whatever is told of it."""
        return f"{self.record['epoch']}-{self.record['gap']}"

    def json(self, most: int = 1 << 62) -> bytes:
        """Return the record as text; where that is too long without the devices, which then are all."""
        text = orjson.dumps(self.record)
        if len(text) > most:
            text = orjson.dumps({key: said for key, said in self.record.items() if key != "devices"})
        return text


class Gaps(Protocol):
    """What a sink's subscribers are to know of values that are missing; told at least once, over restarts."""

    async def untold(self) -> Sequence[GapNews]:
        """Return what has not been told yet, oldest first; empty is the usual answer, and costs nothing."""
        ...

    async def told(self, revision: int) -> None:
        """Learn that all up to and with this revision has been accepted."""
        ...


class HistoryReader(Protocol):
    """Stored values of the past."""

    async def read(self, tag: int, start: int, end: int) -> Columns:
        """Return the rows of one tag with start ≤ time < end, in time order."""
        ...


class _Nothing:
    def last(self, tags: NDArray[np.int32]) -> Sequence[Columns]:  # noqa: ARG002  nothing is known of any
        return ()


class _NoGaps:
    async def untold(self) -> Sequence[GapNews]:
        return ()

    async def told(self, revision: int) -> None:
        pass


def _all(tags: NDArray[np.int32]) -> NDArray[np.bool_]:
    return np.ones(len(tags), np.bool_)


@dataclass(frozen=True, slots=True)
class Context:
    """What the factory hands to every sink."""

    gateway: str
    """The gateway's id in the plant file."""
    tags: TagTable
    clock: Clock
    last: LastValues = field(default_factory=_Nothing)
    history: HistoryReader | None = None
    gaps: Gaps = field(default_factory=_NoGaps)
    status: Callable[[], dict[str, Any]] = dict
    """What a status message may tell: epoch, lag in seconds, buffered rows."""
    selects: Callable[[NDArray[np.int32]], NDArray[np.bool_]] = _all
    """Which of these tags this sink gets, (n,) → (n,): it tells its peer of no other."""
    directory: Path | None = None
    """The gateway's data directory, for the little a sink must keep; None: nothing is kept."""
    kept: dict[str, Any] = field(default_factory=dict)
    """The same for every session of a sink."""
