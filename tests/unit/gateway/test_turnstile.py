"""Many batches at once do not keep the loop from everything else."""

import asyncio
from contextlib import suppress

from gateway.turnstile import Turnstile


async def test_so_many_pass_in_a_round_and_who_waits_goes_first() -> None:
    turn, passed, rounds = Turnstile(at_once=3), list[int](), list[int]()

    async def work(number: int) -> None:
        await turn()
        passed.append(number)

    tasks = [asyncio.create_task(work(number)) for number in range(10)]
    while len(passed) < 10:
        await asyncio.sleep(0)
        rounds.append(len(passed))
    assert passed == list(range(10)), "first come, first served"
    assert max(b - a for a, b in zip([0, *rounds], rounds, strict=False)) == 3
    await asyncio.gather(*tasks)


async def test_who_comes_alone_does_not_wait() -> None:
    turn = Turnstile(at_once=1)
    for _ in range(3):
        passed = turn()
        with suppress(StopIteration):  # what a coroutine ends with that never waited
            passed.send(None)
            raise AssertionError("it waited")
        while turn._is_turning:
            await asyncio.sleep(0)


async def test_who_gives_up_takes_nobodys_turn() -> None:
    turn, passed = Turnstile(at_once=1), list[str]()

    async def work(name: str) -> None:
        await turn()
        passed.append(name)

    tasks = {name: asyncio.create_task(work(name)) for name in ("first", "gone", "last")}
    await asyncio.sleep(0)
    tasks["gone"].cancel()
    async with asyncio.timeout(10):
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    assert passed == ["first", "last"]
