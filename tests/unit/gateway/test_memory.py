"""The garbage collector leaves alone what a start has made; memory comes from one heap."""

import asyncio
import gc
import subprocess
import sys
import weakref

import pytest

from gateway import memory
from gateway.memory import spared
from tests.processes import ROOT


async def test_old_objects_are_left_alone_until_a_start_has_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_SETTLED_S", 0.01)
    with spared():
        assert gc.get_threshold()[2] > 1_000_000
        frozen = gc.get_freeze_count()
        made = [[i] for i in range(5000)]
        async with asyncio.timeout(30):
            while gc.get_freeze_count() < frozen + len(made):
                await asyncio.sleep(0.01)
        assert gc.get_threshold()[2] > 1_000_000, "what the first sessions made is spared too"


class Ring:
    """Refers to itself: only the collector takes it away."""

    def __init__(self) -> None:
        self.itself = self


async def test_what_is_lost_in_circles_goes_at_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_SETTLED_S", 0.01)
    monkeypatch.setattr(memory, "_APART_S", 0.05)
    with spared():
        await asyncio.sleep(0.03)
        for _ in range(2):  # again and again
            ring = Ring()
            gc.collect(1)  # old by now, and young looks find it no more
            lost = weakref.ref(ring)
            del ring
            async with asyncio.timeout(30):
                while lost() is not None:
                    await asyncio.sleep(0.01)


async def test_a_stop_before_that_leaves_the_collector_as_it_was() -> None:
    usual = gc.get_threshold()
    with spared():
        pass
    assert gc.get_threshold() == usual


HEAPS = """
import ctypes, sys, threading
from gateway.memory import share_one_heap
if sys.argv[1] == "one":
    share_one_heap()
apart = threading.Barrier(8)
def take():
    kept = [bytes(2000) for _ in range(500)]
    apart.wait()
threads = [threading.Thread(target=take) for _ in range(8)]
[each.start() for each in threads]
[each.join() for each in threads]
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


def heaps(how: str) -> int:
    return subprocess.run(
        [sys.executable, "-c", HEAPS, how], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.count("<heap nr=")


def test_all_threads_share_one_heap() -> None:
    assert heaps("many") > 1
    assert heaps("one") == 1
