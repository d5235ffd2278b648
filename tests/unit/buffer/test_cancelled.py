"""Somebody who asked something of the writer thread no longer waits for it."""

import threading
from pathlib import Path

from tests.faults.buffer.lab import fill, opened


async def test_a_task_whose_asker_is_gone_does_not_end_the_writer(tmp_path: Path) -> None:
    async with opened(tmp_path / "store") as buffer:
        go_on = threading.Event()
        held = buffer._writer.post(lambda: go_on.wait(20))
        given_up = buffer._writer.post(lambda: None)
        assert given_up.cancel()
        go_on.set()
        assert held.result(20)
        assert len(await fill(buffer, [1, 2, 3])) == 3
