"""Reads what was missed from the server's history, beside the live values.

One request is on its way at a time. After its answer the history rests, so that no more than `history_rate`
values a second are asked for. What a session does not finish, the next goes on with. What is not answered is
asked again in halves, so that in the end only what the server has no answer to stays a gap.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError

from config.connections import OpcUaSource
from connectors.batch import Batch, Columns, Origin
from connectors.clock import Clock
from connectors.opcua.columns import Gathering
from connectors.opcua.gaps import Past, Window, filled
from connectors.opcua.history import Raw, decode_history, raw_request
from connectors.opcua.items import Items
from connectors.opcua.limits import Limits, too_much
from connectors.opcua.rows import Fault, Malformed
from connectors.opcua.session import Session
from connectors.opcua.statistics import Statistics
from connectors.tags import DTYPE_OF_PART

_SETTLE_NS: Final = 1_000_000_000
"""What a history has of the last second may still be on its way into it."""
_TOGETHER_NS: Final = 60_000_000_000
"""Windows of one request begin within this time."""
_VALUES: Final = 1_000
"""Of one node in one answer."""
_NODES: Final = 10
"""In one request; halved when the server finds it too large."""
_AGAIN: Final = 3
"""Times a window is asked for again that was not answered: of `_NODES` one is alone then."""
_DEAF: Final = 8
"""Requests in a row after which nothing unanswered is asked for again, until there is an answer."""
_HISTORY_READ: Final = 4
"""Bit of UserAccessLevel (OPC 10000-3, 8.57)."""
_NEVER: Final = 2**62


class Repair:
    """The reading of one session."""

    def __init__(
        self,
        past: Past,
        options: OpcUaSource,
        *,
        items: Items,
        session: Session,
        statistics: Statistics,
        clock: Clock,
    ) -> None:
        self._past = past
        self._options = options
        self._items = items
        self._session = session
        self._statistics = statistics
        self._clock = clock
        self._nodes: Mapping[int, ua.NodeId] = {}
        self._limits = Limits()
        self._places: dict[int, int] = {}
        self._readable: dict[int, bool] = {}
        self._most = _NODES
        self._has_bounds = True
        self._in_vain = 0
        """Requests in a row without an answer."""
        self._asked: list[Window] = []
        self._answer: asyncio.Future[Any] | None = None
        self._wake: Callable[[], None] = lambda: None
        self._filled: list[Batch] = []
        self._at = 0

    def begin(self, nodes: Mapping[int, ua.NodeId], limits: Limits, wake: Callable[[], None]) -> None:
        """Learn where the nodes are, how much may be asked at once, and whom to wake when an answer comes."""
        self._nodes, self._limits, self._wake = nodes, limits, wake
        for each in self._past.windows:
            each.point = None  # of an earlier session
        self._at = self._clock.monotonic() + _SETTLE_NS

    @property
    def at(self) -> int:
        """Return when to `step` next, monotonic ns."""
        if self._answer is not None and self._answer.done():
            return 0
        return self._at if self._answer is not None or self._past.windows else _NEVER

    def take(self) -> Batch | None:
        """Return what the history told, a batch at a time; None when there is none."""
        return self._filled.pop(0) if self._filled else None

    def close(self) -> None:
        """Put back what was asked for and not answered."""
        self._put_back(self._asked)
        self._asked = []

    async def step(self) -> None:
        """Take in an answer that has come, or ask for more.

        Raises:
            NotConnected: the connection is lost.
        """
        if self._answer is None:
            self._asked = self._next()
            await self._ask(self._asked)
            return
        answer, self._answer = self._answer, None
        windows, self._asked = self._asked, []
        rows = self._answered(windows, answer)
        self._at = self._clock.monotonic() + rows * 1_000_000_000 // self._options.history_rate

    def _next(self) -> list[Window]:
        """Take windows that begin together; those half filled go alone."""
        windows = self._past.windows
        found = [windows.popleft()]
        while windows and len(found) < self._most and found[0].point is None and windows[0].point is None:
            if abs(self._start(windows[0]) - self._start(found[0])) > _TOGETHER_NS:
                break
            found.append(windows.popleft())
        return found

    def _start(self, window: Window) -> int:
        return max(window.after, window.read, window.before - self._options.history_reach)

    async def _ask(self, windows: list[Window]) -> None:
        """Send the request for those whose history may be read; the others are gaps."""
        self._places = self._items.places()
        wanted = [each for each in windows if self._places.get(each.tag) in self._nodes]
        if self._options.history == "none" or self._items.by_server:
            wanted = []
        await self._look_up([self._places[each.tag] for each in wanted])
        readable = [each for each in wanted if self._readable.get(self._places[each.tag])]
        self._asked = readable
        self._give([self._fill(each, None) for each in windows if each not in readable])
        if not readable:
            return
        request = raw_request(
            [self._nodes[self._places[each.tag]] for each in readable],
            [each.point for each in readable],
            min(self._start(each) for each in readable),
            max(each.before for each in readable),
            _VALUES,
            has_bounds=self._has_bounds,
        )
        self._answer = self._session.send(request)
        self._answer.add_done_callback(lambda _: self._wake())
        self._at = self._clock.monotonic() + self._options.timeout

    async def _look_up(self, places: Sequence[int]) -> None:
        """Learn of which of these nodes we may read the history."""
        unknown = [place for place in dict.fromkeys(places) if place not in self._readable]
        for begin in range(0, len(unknown), self._limits.read):
            chunk = unknown[begin : begin + self._limits.read]
            request = ua.ReadRequest()
            request.Parameters.NodesToRead = [
                ua.ReadValueId(NodeId=self._nodes[place], AttributeId=ua.AttributeIds.UserAccessLevel)
                for place in chunk
            ]
            try:
                levels = (await self._session.ask(request, ua.ReadResponse)).Results
            except UaStatusCodeError:
                levels = []
            values = [each.Value.Value if each.Value is not None else 0 for each in levels]
            told = dict(zip(chunk, values, strict=False))
            for place in chunk:
                level = told.get(place)
                self._readable[place] = isinstance(level, int) and bool(level & _HISTORY_READ)

    def _answered(self, windows: list[Window], answer: "asyncio.Future[Any]") -> int:
        """Take in an answer; return how many values were in it."""
        if not answer.done():
            answer.cancel()
            self._ask_again(windows)
            return 0
        if answer.cancelled() or answer.exception() is not None:
            self._put_back(windows)
            return 0  # the session says why it is lost
        self._in_vain = 0
        try:
            body = answer.result()
            told = decode_history(body.read(len(body)))
        except Fault as fault:
            self._refused(windows, fault.status)
            return 0
        except Malformed:
            told = ()
        if len(told) != len(windows):
            self._give([self._fill(each, None) for each in windows])
            return 0
        if any(each.status == ua.StatusCodes.BadBoundNotSupported for each in told):
            self._has_bounds = False
            self._put_back(windows)
            return 0
        self._give([self._fill(window, raw) for window, raw in zip(windows, told, strict=True)])
        self._put_back([window for window in windows if window.point is not None])
        return sum(each.count for each in told)

    def _ask_again(self, windows: list[Window]) -> None:
        """Put back what was not answered, to go on from what was told; asked for often enough it is a gap."""
        self._in_vain += 1
        self._most = max(1, len(windows) // 2) if self._in_vain < _DEAF else _NODES
        for each in windows:
            each.unanswered += 1
        lost = [each for each in windows if each.unanswered > _AGAIN or self._in_vain >= _DEAF]
        self._give([self._fill(each, None) for each in lost])
        again = [each for each in windows if each not in lost]
        for each in again:
            each.point = None
        self._put_back(again)

    def _refused(self, windows: list[Window], status: int) -> None:
        if too_much(status) and len(windows) > 1:
            self._most = len(windows) // 2
            self._put_back(windows)
        elif status == ua.StatusCodes.BadBoundNotSupported and self._has_bounds:
            self._has_bounds = False
            self._put_back(windows)
        else:
            self._give([self._fill(each, None) for each in windows])

    def _put_back(self, windows: Sequence[Window]) -> None:
        self._past.windows.extendleft(reversed(windows))

    def _fill(self, window: Window, raw: Raw | None) -> Columns:
        """Return what is stored of a window: values and gaps."""
        window.point = None if raw is None else raw.point
        place = self._places.get(window.tag)
        told = _none(window.dtype)
        if raw is not None and raw.count and place is not None:
            read = Gathering(self._items, Statistics(), by_source=True)
            read.add(raw.runs, raw.others, self._clock.now(), np.full(raw.count, place, np.intp))
            for each in read.batch(0).parts:
                mine = each.where(each.tag == window.tag)
                told = mine if len(mine) else told
        rows, gaps = filled(window, told, is_last=window.point is None)
        self._statistics.backfilled += len(rows) - gaps
        self._statistics.gaps += gaps
        return rows

    def _give(self, pieces: Sequence[Columns]) -> None:
        """Make a batch of it."""
        parts = []
        for dtype in DTYPE_OF_PART.values():
            mine = [each for each in pieces if each.value.dtype == dtype and len(each)]
            if mine:
                parts.append(
                    Columns(
                        np.concatenate([each.tag for each in mine]),
                        np.concatenate([each.time for each in mine]),
                        np.concatenate([each.value for each in mine]),
                        np.concatenate([each.quality for each in mine]),
                    )
                )
        if parts:
            self._filled.append(Batch(tuple(parts), self._clock.now(), Origin.BACKFILL))


def _none(dtype: "np.dtype[Any]") -> Columns:
    return Columns(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, dtype), np.empty(0, np.uint32))
