"""The InfluxDB sink: points in the order they were stored, accepted when the database says so."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from config.connections import InfluxDbSink
from connectors.contract import Certificate, Context, Delivery, Order
from connectors.dial import Traffic
from connectors.errors import NotConnected, Refusal, Rejected
from connectors.influxdb.gaps import gap_lines
from connectors.influxdb.lines import Encoder, Lines
from connectors.influxdb.reasons import Refused
from connectors.influxdb.requests import Requests, Statistics

_WARY_NS: Final = 60_000_000_000
log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Chunk:
    """Lines of one request and whose they are."""

    body: bytes
    lines: list[tuple[int, NDArray[np.int32]]]
    """Index into what `write` was given, and the stored row numbers of its lines here."""
    rows: int


class InfluxDb:
    """Write what the buffer delivers, oldest first."""

    order = Order.STRICT

    def __init__(self, options: InfluxDbSink, context: Context) -> None:
        self._options = options
        self._context = context
        self._statistics = Statistics()
        self._traffic = Traffic()
        self._fit = options.batch_rows
        """Rows the database takes at once, as it said."""
        self._pass = options.batch_rows
        """Rows that get through within the timeout, as the line let them."""
        self._ceiling = options.batch_rows
        """What `_pass` may grow to: for a while half of what did not get through."""
        self._ceiling_until = 0

    async def __aenter__(self) -> Self:
        """Connect, ask whether the database is there, and tell it what is missing."""
        self._requests = Requests(self._options, self._statistics, self._traffic)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._requests.close)
            await self._requests.open()
            self._encoder = Encoder(self._options.measurement, self._context.tags)
            await self._tell_gaps()
            stack.pop_all()
        return self

    async def write(self, deliveries: Sequence[Delivery]) -> None:
        """Return once the database has accepted every row.

        Requests follow one another; a refused one is halved, the first half first, until what is refused is
        a row. So rows of one write are accepted in the order they were stored.

        Raises:
            NotConnected: what was accepted before comes again, under the same times: points are overwritten
                by themselves.
            Rejected: the rows the database refuses for what they are.
        """
        await self._tell_gaps()
        refusals: list[Refusal] = []
        for chunk in self._chunks(deliveries, refusals):
            await self._write(chunk, refusals)
        if refusals:
            self._statistics.refused += sum(len(each.rows) for each in refusals if each.rows is not None)
            self._encoder.forget()
            raise Rejected(refusals)

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close."""
        await self._requests.close()

    def statistics(self) -> dict[str, int]:
        """Return the counts of the session: requests, bytes, refused rows."""
        return asdict(self._statistics)

    def certificates(self) -> Sequence[Certificate]:
        """Return those of the running session; none without TLS."""
        return self._requests.certificates

    def traffic(self) -> int:
        """Return the bytes moved over the network, both ways, over all sessions."""
        return self._traffic.total()

    async def _tell_gaps(self) -> None:
        """Write what is missing, before the rows behind it; noted as told once the database has it."""
        while news := await self._context.gaps.untold():
            if await self._requests.post(gap_lines(self._options.measurement, news)) is not None:
                for each in news:
                    refused = await self._requests.post(gap_lines(self._options.measurement, [each]))
                    if refused is not None:
                        log.warning("a gap is not told", extra={"gap": each.id, "reason": refused.reason})
            await self._context.gaps.told(news[-1].revision)

    async def _write(self, chunk: _Chunk, refusals: list[Refusal]) -> None:
        waiting = [chunk]
        while waiting:
            chunk = waiting.pop()
            if chunk.rows > min(self._fit, self._pass) or (
                chunk.rows > 1 and len(chunk.body) > self._options.batch_bytes
            ):
                waiting += reversed(_halves(chunk))
                continue
            refused = await self._post(chunk)
            if refused is None:
                continue
            if chunk.rows > 1:
                waiting += reversed(_halves(chunk))
                if refused.too_large:
                    self._fit = min(self._fit, (chunk.rows + 1) // 2)
            else:
                refusals += [Refusal(index, rows, refused.reason) for index, rows in chunk.lines]

    async def _post(self, chunk: _Chunk) -> Refused | None:
        """Post, and learn what the line carries: the same bytes again would time out again, for ever."""
        clock, timeout = self._context.clock, self._options.timeout
        began = clock.monotonic()
        try:
            refused = await self._requests.post(chunk.body)
        except NotConnected:
            if clock.monotonic() - began >= timeout:
                self._pass, self._ceiling = max(1, chunk.rows // 4), max(1, chunk.rows // 2)
                self._ceiling_until = clock.monotonic() + _WARY_NS
            raise
        if clock.monotonic() > self._ceiling_until:
            self._ceiling = self._options.batch_rows
        if 4 * (clock.monotonic() - began) < timeout:
            self._pass = min(self._ceiling, max(self._pass, 2 * chunk.rows))
        return refused

    def _chunks(self, deliveries: Sequence[Delivery], refusals: list[Refusal]) -> Iterator[_Chunk]:
        """Yield what fits one request, over the bounds between deliveries."""
        pieces: list[tuple[int, Lines]] = []
        rows = size = 0
        for index, delivery in enumerate(deliveries):
            for lines in self._encoder.lines(delivery, self._options.batch_rows):
                for row, why in lines.untold:
                    refusals.append(Refusal(index, np.array([row], np.int32), why))
                full = rows + len(lines.rows) > self._options.batch_rows
                if rows and (full or size + len(lines.body) > self._options.batch_bytes):
                    yield _chunk(pieces)
                    pieces, rows, size = [], 0, 0
                if len(lines.rows):
                    pieces.append((index, lines))
                    rows += len(lines.rows)
                    size += len(lines.body)
        if rows:
            yield _chunk(pieces)


def _chunk(pieces: list[tuple[int, Lines]]) -> _Chunk:
    return _Chunk(
        b"".join(lines.body for _, lines in pieces),
        [(index, lines.rows) for index, lines in pieces],
        sum(len(lines.rows) for _, lines in pieces),
    )


def _halves(chunk: _Chunk) -> list[_Chunk]:
    """Cut a chunk of at least two rows in the middle, between two lines."""
    middle = chunk.rows // 2
    lines = [line + b"\n" for line in chunk.body.split(b"\n")[:-1]]
    first: list[tuple[int, NDArray[np.int32]]] = []
    second: list[tuple[int, NDArray[np.int32]]] = []
    left = middle
    for index, rows in chunk.lines:
        if left > 0:
            first.append((index, rows[:left]))
        if len(rows) > left:
            second.append((index, rows[max(left, 0) :]))
        left = max(left - len(rows), 0)
    return [
        _Chunk(b"".join(lines[:middle]), first, middle),
        _Chunk(b"".join(lines[middle:]), second, chunk.rows - middle),
    ]
