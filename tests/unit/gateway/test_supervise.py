import asyncio
from collections.abc import Awaitable, Callable

import pytest

from connectors import NotConnected
from gateway.buffer.contract import StoreFailed
from gateway.supervise import LONGEST_DELAY_S, PATIENT_DELAY_S, STORE_DELAY_S, Link, LinkState, supervise


class Enough(Exception):
    """Ends a supervised link in a test: raised by the fake sleep."""


def napper(naps: list[float], most: int) -> Callable[[float], Awaitable[None]]:
    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) >= most:
            raise Enough

    return sleep


async def run(
    clock, raising: Callable[[int], BaseException], most: int = 3, **options: object
) -> tuple[Link, list[float]]:
    link, naps, calls = Link("m", "source", clock), [], []

    async def session() -> None:
        calls.append(1)
        raise raising(len(calls))

    with pytest.raises(Enough):
        await supervise(link, session, sleep=napper(naps, most), **options)  # type: ignore[arg-type]
    return link, naps


async def test_a_link_that_cannot_connect_is_tried_again_with_growing_jittered_waits(clock) -> None:
    link, naps = await run(clock, lambda _: NotConnected("refused"), most=12)
    assert all(0.5 <= nap <= LONGEST_DELAY_S for nap in naps)
    assert link.crashes_total == 0
    assert "refused" in link.error


async def test_a_store_that_takes_nothing_is_asked_again_soon(clock) -> None:
    _, naps = await run(clock, lambda _: ExceptionGroup("", [StoreFailed("disk I/O error")]), most=40)
    assert all(0.5 <= nap <= STORE_DELAY_S for nap in naps)


async def test_authorisation_waits_for_a_person_at_the_longest_interval(clock, caplog) -> None:
    _, naps = await run(clock, lambda _: NotConnected("not authorised", needs_a_person=True))
    assert naps == [PATIENT_DELAY_S] * 3
    assert [r.message for r in caplog.records if r.levelname == "ERROR"] == ["link needs a person"]


async def test_the_peers_own_wish_to_wait_is_honoured(clock) -> None:
    _, naps = await run(clock, lambda _: NotConnected("429", retry_after_s=300.0))
    assert all(300.5 <= nap <= 300.0 + LONGEST_DELAY_S for nap in naps)


async def test_a_crash_is_logged_counted_and_restarted_at_the_longest_interval(clock, caplog) -> None:
    link, naps = await run(clock, lambda _: ZeroDivisionError("bug"))
    assert naps == [PATIENT_DELAY_S] * 3
    assert link.crashes_total == 3
    assert any(record.exc_info for record in caplog.records)


async def test_under_strict_a_bug_comes_through(clock) -> None:
    async def session() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await supervise(Link("m", "source", clock), session, strict=True)


async def test_a_group_of_not_connected_is_not_a_crash_but_a_bug_beside_it_is(clock) -> None:
    quiet = ExceptionGroup("", [NotConnected("gone"), StoreFailed("disk")])
    link, _ = await run(clock, lambda _: quiet)
    assert link.crashes_total == 0
    loud = ExceptionGroup("", [NotConnected("gone"), KeyError("x")])
    link, _ = await run(clock, lambda _: loud)
    assert link.crashes_total == 3


async def flapping(clock, lived_s: float, **how: bool) -> list[float]:
    link, naps = Link("m", "source", clock), []

    async def session() -> None:
        link.become(LinkState.CONNECTED)
        clock.move(lived_s)
        raise NotConnected("gone", **how)

    with pytest.raises(Enough):
        await supervise(link, session, sleep=napper(naps, 40))
    assert link.sessions_total == 40
    return naps


async def test_a_session_that_was_steady_resets_the_back_off(clock) -> None:
    assert max(await flapping(clock, 11.0)) <= 0.5
    assert max(await flapping(clock, 11.0, turned_away=True)) <= 0.5


@pytest.mark.fault("B8")
async def test_two_clients_with_one_id_do_not_play_ping_pong(clock, record_measure) -> None:
    naps = await flapping(clock, 0.1, turned_away=True)
    assert min(naps[2:]) >= 30
    assert sum(naps[:2]) < 5
    record_measure(
        f"taken over again and again: two attempts within {sum(naps[:2]):.1f} s, then one in 30 s at most"
    )


@pytest.mark.fault("B4")
async def test_a_line_that_resets_every_few_seconds_is_tried_again_soon(clock) -> None:
    assert max(await flapping(clock, 5.0)) <= LONGEST_DELAY_S


async def test_cancellation_passes_through_and_leaves_the_link_stopped(clock) -> None:
    link = Link("m", "source", clock)
    task = asyncio.create_task(supervise(link, asyncio.Event().wait))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert link.state is LinkState.STOPPED


async def test_a_quiet_plant_logs_a_lost_link_once(clock, caplog) -> None:
    await run(clock, lambda _: NotConnected("refused"), most=30)
    assert len([r for r in caplog.records if r.message == "link not connected"]) <= 1


async def test_a_link_that_is_stopped_in_the_instant_it_fails_is_stopped(clock) -> None:
    """A TaskGroup that fails while it is cancelled tells of the failure only (Python 3.11 and 3.12)."""
    failing = asyncio.Event()

    async def lasting() -> None:
        await asyncio.Event().wait()

    async def session() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(lasting())
            await asyncio.sleep(0)
            failing.set()
            raise NotConnected("gone")

    task = asyncio.create_task(supervise(Link("m", "sink", clock), session, sleep=asyncio.sleep))
    await failing.wait()
    task.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait([task])
    assert task.cancelled()
