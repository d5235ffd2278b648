"""The one reconnect loop: nobody else retries.

A session is a coroutine that connects, works and only ends by raising. `supervise` runs one session after
another, waits between them, and keeps the link's state for everyone who asks.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal

from connectors import Clock, NotConnected
from gateway.buffer.contract import StoreFailed

log = logging.getLogger(__name__)

FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 8.0
"""Between attempts at a peer that is away: live values flow within ten seconds of its return."""
STORE_DELAY_S: Final = 3.0
"""After our own store took nothing: no peer is to be spared, and what it can take it has in five seconds."""
PATIENT_DELAY_S: Final = 60.0
"""After a bug, or when only a person can help."""
STEADY_NS: Final = 10_000_000_000
"""A session that ended sooner counts as a failure."""
TURNED_AWAY: Final = 3
CROWD_DELAYS_S: Final = (30.0, 60.0)
"""After a peer that is there has ended so many sessions in a row: two clients with one id must not play
ping-pong, and hundreds of gateways that come back at once must leave a broker room to take them in."""


class _NotStored(NotConnected):
    """The session ended because the store takes nothing."""


class LinkState(Enum):
    """What a link is doing."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    WAITING = "waiting"
    NEEDS_A_PERSON = "needs_a_person"
    STOPPED = "stopped"


@dataclass(slots=True)
class Link:
    """One source's or sink's connection as people and metrics see it."""

    name: str
    direction: Literal["source", "sink", "history", "energy", "page", "ledger", "alarms", "webhook"]
    clock: Clock
    state: LinkState = LinkState.STOPPED
    since: int = 0
    """When the state began, ns UTC."""
    error: str = ""
    """Why the last session ended; empty while it goes well."""
    sessions_total: int = 0
    crashes_total: int = 0
    rows_total: int = 0
    """Rows a source had accepted, or a sink delivered."""
    counts: dict[str, int] = field(default_factory=dict)
    """Further counters, by metric name."""
    connected_at: int = 0
    """When it last became connected, ns UTC; 0 is not yet in this run."""
    moved_at: int = 0
    """When rows last moved over it, ns UTC; 0 is not yet in this run."""
    last_error: str = ""
    """Why a session ended last, also when the link is well again."""
    down_since: int = 0
    """Since when it is not connected, over all attempts, ns UTC; 0 while it is."""
    failed_at: int = 0
    """When that was, ns UTC; 0 is not yet in this run."""
    told: tuple[LinkState, str] = (LinkState.STOPPED, "")
    """What the log was told last."""

    def become(self, state: LinkState, error: str = "") -> None:
        """Enter a state; tell the log once, not at every attempt."""
        if (state, error) == (self.state, self.error):
            return
        self.state, self.error, self.since = state, error, self.clock.now()
        if state is LinkState.CONNECTED:
            self.sessions_total += 1
            self.connected_at, self.down_since = self.since, 0
        elif not self.down_since:
            self.down_since = self.since
        if error and state not in (LinkState.CONNECTED, LinkState.CONNECTING):
            self.last_error, self.failed_at = error, self.since
        if state not in (LinkState.CONNECTING, LinkState.STOPPED) and (state, error) != self.told:
            was_connected = self.told[0] is LinkState.CONNECTED
            self.told = (state, error)
            self._tell(state, error, was_connected=was_connected)

    def _tell(self, state: LinkState, error: str, *, was_connected: bool) -> None:
        extra = {"link": self.name, "direction": self.direction} | ({"reason": error} if error else {})
        if state is LinkState.CONNECTED:
            log.info("link connected", extra=extra)
        elif state is LinkState.NEEDS_A_PERSON:
            log.error("link needs a person", extra=extra)
        elif was_connected:
            log.warning("link lost", extra=extra)
        else:
            log.warning("link not connected", extra=extra)

    def moved(self, rows: int) -> None:
        """Count rows a source had accepted, or a sink delivered."""
        self.rows_total += rows
        if rows:
            self.moved_at = self.clock.now()

    def count(self, name: str, amount: int) -> None:
        """Add to one of the further counters."""
        self.counts[name] = self.counts.get(name, 0) + amount


def backoff_s(failures: int, *, rng: random.Random, turned_away: int = 0) -> float:
    """Return the wait before the next session: doubling, capped, full jitter from half a second up."""
    if turned_away >= TURNED_AWAY:
        return rng.uniform(*CROWD_DELAYS_S)
    ceiling = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures, 16))
    return rng.uniform(FIRST_DELAY_S, max(FIRST_DELAY_S, ceiling))


async def supervise(
    link: Link,
    session: Callable[[], Awaitable[None]],
    *,
    lost: Callable[[], Awaitable[None]] | None = None,
    strict: bool = False,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Run sessions for ever; end only by cancellation.

    `lost` is awaited after every session, whatever ended it. `strict` lets a bug through, for tests.
    """
    rng = random.Random()
    failures = turned_away = 0
    try:
        while True:
            link.become(LinkState.CONNECTING, link.error)
            began = link.clock.monotonic()
            try:
                await session()
            except Exception as exc:
                if _is_cancelled():
                    raise asyncio.CancelledError from exc
                reason = _why(exc)
                if reason is None and strict:
                    raise
                was_steady = link.clock.monotonic() - began >= STEADY_NS
                failures = 0 if was_steady else failures + 1
                was_turned_away = reason is not None and reason.turned_away and not was_steady
                turned_away = turned_away + 1 if was_turned_away else 0
                if lost is not None:
                    with contextlib.suppress(StoreFailed):
                        await lost()
                delay = _after(link, exc, reason, backoff_s(failures, rng=rng, turned_away=turned_away))
            else:
                raise RuntimeError(f"the session of {link.name} ended without saying why")
            await sleep(delay)
    finally:
        link.become(LinkState.STOPPED, link.error)


def _is_cancelled() -> bool:
    """Tell whether this task is to end: a TaskGroup cancelled while it fails tells of the failure only."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _why(exc: BaseException) -> NotConnected | None:
    """Return the NotConnected a session ended with; None when it was a bug."""
    if isinstance(exc, NotConnected):
        return exc
    if isinstance(exc, StoreFailed):
        return _NotStored(f"the store takes nothing: {exc}")
    if isinstance(exc, BaseExceptionGroup):
        reasons = [_why(each) for each in exc.exceptions]
        return None if None in reasons else reasons[0]
    return None


def _after(link: Link, exc: Exception, reason: NotConnected | None, backoff: float) -> float:
    if reason is None:
        link.crashes_total += 1
        link.told = (LinkState.WAITING, f"{type(exc).__name__}: {exc}")
        log.error("link crashed", exc_info=exc, extra={"link": link.name, "direction": link.direction})
        link.become(*link.told)
        return PATIENT_DELAY_S
    if reason.needs_a_person:
        link.become(LinkState.NEEDS_A_PERSON, str(reason))
        return PATIENT_DELAY_S
    link.become(LinkState.WAITING, str(reason))
    if isinstance(reason, _NotStored):
        return min(backoff, STORE_DELAY_S)
    # Beside its wish, not instead: what it tells one it tells all.
    return backoff + (reason.retry_after_s or 0.0)
