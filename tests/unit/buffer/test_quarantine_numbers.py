"""The number of an entry is its own: who wrote it down must not find another's rows under it."""

from pathlib import Path

import numpy as np

from connectors import Order, Refusal
from gateway.buffer import DiskBuffer, Quarantine
from gateway.buffer.cursor import LogCursor
from tests.faults.buffer.lab import fill, opened


async def refuse(buffer: DiskBuffer, cursor: LogCursor, k: int) -> None:
    await fill(buffer, [k])
    await cursor.next(10_000)
    await cursor.ack([Refusal(0, np.array([0], np.int32), "no")])


def numbers(store: Path) -> list[int]:
    with Quarantine(store) as quarantine:
        return [entry.id for entry in quarantine.list()]


async def test_a_number_does_not_come_back_when_every_entry_is_gone(tmp_path: Path) -> None:
    async with opened(tmp_path) as buffer:
        cursor = buffer.cursor("sink", Order.STRICT)
        buffer.ready()
        await refuse(buffer, cursor, 1)
        await refuse(buffer, cursor, 2)
        assert numbers(tmp_path) == [1, 2]
        with Quarantine(tmp_path) as quarantine:
            quarantine.delete()
        buffer._tick()  # the books take up what was deleted
        await buffer.come_round()
        await refuse(buffer, cursor, 3)
        assert numbers(tmp_path) == [3]
    async with opened(tmp_path) as buffer:
        cursor = buffer.cursor("sink", Order.STRICT)
        buffer.ready()
        with Quarantine(tmp_path) as quarantine:
            quarantine.delete()
        buffer._tick()
        await buffer.come_round()
        buffer._tick()
        await buffer.come_round()
        await refuse(buffer, cursor, 4)
        assert numbers(tmp_path) == [4]
