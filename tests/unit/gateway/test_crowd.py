"""B18: hundreds of gateways come back at once, to a broker that can take them all, and to one that can't."""

import asyncio
import contextlib
import heapq
import itertools
from collections import Counter
from dataclasses import dataclass, field

import pytest

from connectors import NotConnected
from gateway.supervise import TURNED_AWAY, Link, LinkState, supervise

GATEWAYS = 200
AWAY_S = 600.0


@dataclass
class Town:
    """A broker and everyone who wants in, in a time that moves when all of them wait."""

    room: int
    """Connections it can take in a second; the others it turns away."""
    time: float = 0.0
    asked: list[float] = field(default_factory=list)
    by_turn: dict[int, list[float]] = field(default_factory=dict)
    """Those of them that were a gateway's first, second, …"""
    admitted: list[float] = field(default_factory=list)
    _waiting: list[tuple[float, int, asyncio.Future[None]]] = field(default_factory=list)

    def now(self) -> int:
        return int(self.time * 1e9)

    monotonic = now

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (self.time + seconds, len(self.asked) + id(future), future))
        await future

    async def gateway(self) -> None:
        link = Link("m", "sink", self)
        turns = itertools.count(1)

        async def session() -> None:
            if self.time < AWAY_S:
                raise NotConnected("refused")
            self.asked.append(self.time)
            self.by_turn.setdefault(next(turns), []).append(self.time)
            if sum(each > self.time - 1 for each in self.admitted) >= self.room:
                raise NotConnected("server busy", turned_away=True)
            self.admitted.append(self.time)
            link.become(LinkState.CONNECTED)
            await asyncio.Event().wait()

        await supervise(link, session, sleep=self.sleep)

    async def until_all_are_in(self) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.gateway()) for _ in range(GATEWAYS)]
            while len(self.admitted) < GATEWAYS:
                for _ in range(3):
                    await asyncio.sleep(0)
                if self._waiting:
                    self.time, _, future = heapq.heappop(self._waiting)
                    future.set_result(None)
            for task in tasks:
                task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)


@pytest.mark.fault("B18")
async def test_a_broker_that_takes_everyone_has_them_all_back_in_ten_seconds(record_measure) -> None:
    town = Town(room=GATEWAYS)
    await town.until_all_are_in()
    spread = max(town.admitted) - min(town.admitted)
    assert max(town.admitted) <= AWAY_S + 10
    assert max(Counter(map(int, town.asked)).values()) < GATEWAYS / 2
    back = max(town.admitted) - AWAY_S
    record_measure(f"{GATEWAYS} gateways, room for all: back in {back:.0f} s, spread {spread:.0f} s")


def busiest(times: list[float]) -> int:
    """Return the attempts of the second that saw most."""
    return max(Counter(map(int, times)).values())


@pytest.mark.fault("B18")
async def test_those_a_broker_turns_away_come_back_over_more_than_twenty_seconds(record_measure) -> None:
    town = Town(room=2)
    await town.until_all_are_in()
    last, after = town.by_turn[TURNED_AWAY], town.by_turn[TURNED_AWAY + 1]
    assert len(after) > GATEWAYS / 2
    # With one wait for all they would come back as they were sent away, to the second.
    short, long = max(last) - min(last), max(after) - min(after)
    assert long >= 25
    assert long >= 1.5 * short
    assert busiest(after) <= busiest(last) / 1.25
    assert len(town.asked) < 8 * GATEWAYS
    record_measure(
        f"{GATEWAYS} gateways, room for {town.room} a second: turned away the third time within "
        f"{short:.0f} s at up to {busiest(last)} a second, back over {long:.0f} s at up to {busiest(after)}"
    )
