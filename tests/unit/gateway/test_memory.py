"""The garbage collector leaves alone what a start has made."""

import asyncio
import gc

import pytest

from gateway import memory
from gateway.memory import spared


async def test_old_objects_are_left_alone_until_a_start_has_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_SETTLED_S", 0.01)
    usual = gc.get_threshold()
    with spared():
        assert gc.get_threshold()[2] > 1_000_000
        frozen = gc.get_freeze_count()
        made = [[i] for i in range(5000)]
        async with asyncio.timeout(30):
            while gc.get_threshold() != usual:
                await asyncio.sleep(0.01)
        assert gc.get_freeze_count() >= frozen + len(made), "what the first sessions made is spared too"


async def test_a_stop_before_that_leaves_the_collector_as_it_was() -> None:
    usual = gc.get_threshold()
    with spared():
        pass
    assert gc.get_threshold() == usual
