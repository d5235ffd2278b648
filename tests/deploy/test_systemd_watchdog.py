"""The gateway tells a service manager what it must know, and feeds its watchdog only while it works."""

import asyncio
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.load import load_plant
from config.plant import BufferOptions
from gateway.buffer import DiskBuffer
from gateway.runtime import Gateway
from gateway.watchdog import ServiceManager
from tests.processes import python, started, wait_for

PERIOD_S = 0.2
PLANT = {
    "gateway": {"id": "g", "site": "s", "http_port": 0},
    "sources": {"sim": {"kind": "simulated", "devices": {"d": {"scan": "50ms", "tags": {"x": {}}}}}},
    "page": {"enabled": False},
}


@dataclass
class Listening:
    """A service manager's socket."""

    address: str
    socket: socket.socket

    def heard(self) -> list[str]:
        """Take what has arrived since the last look."""
        messages = []
        while True:
            try:
                messages.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return messages

    def environment(self) -> dict[str, str]:
        return {"NOTIFY_SOCKET": self.address, "WATCHDOG_USEC": str(round(PERIOD_S * 1e6))}


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Listening]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(0)
        address = str(tmp_path / "notify")
        listening.bind(address)
        yield Listening(address, listening)


@pytest.fixture
def plant_file(tmp_path: Path) -> Path:
    file = tmp_path / "plant.yaml"
    file.write_text(json.dumps(PLANT))
    return file


@pytest.fixture
async def gateway(manager: Listening, plant_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """A gateway that runs in this test's loop, its watchdog fed so far."""
    for name, value in manager.environment().items():
        monkeypatch.setenv(name, value)
    gateway, stop = Gateway(load_plant(plant_file), plant_file.parent / "data", strict=True), asyncio.Event()
    running = asyncio.create_task(gateway.run(stop))
    await until_fed(manager, 1)
    yield gateway
    stop.set()
    await running


async def until_fed(manager: Listening, times: int) -> None:
    async with asyncio.timeout(20):
        while times > 0:
            times -= manager.heard().count("WATCHDOG=1")
            await asyncio.sleep(0.01)


@pytest.mark.system
def test_a_service_manager_is_told_of_the_start_the_life_and_the_stop(
    manager: Listening, plant_file: Path
) -> None:
    command, heard = python("-m", "gateway", "run", plant_file), []

    def fed() -> bool:
        heard.extend(manager.heard())
        return heard.count("WATCHDOG=1") >= 3

    with started("gateway", command, plant_file.parent, environment=manager.environment()) as process:
        wait_for(fed, "three feedings")
        assert process.end(signal.SIGTERM) == 0
    heard.extend(manager.heard())
    assert heard.count("READY=1") == heard.count("STOPPING=1") == 1
    assert "WATCHDOG=1" not in heard[: heard.index("READY=1")], "systemd counts from READY"
    assert heard.index("STOPPING=1") > heard.index("READY=1")


async def test_an_event_loop_that_stands_still_feeds_no_watchdog(
    gateway: Gateway, manager: Listening
) -> None:
    assert gateway.running.is_set()
    manager.heard()
    time.sleep(5 * PERIOD_S)  # noqa: ASYNC251  this is the fault: the loop of the gateway is held here
    assert manager.heard() == []
    await until_fed(manager, 1)


async def test_a_writing_thread_that_stands_still_feeds_no_watchdog(
    gateway: Gateway, manager: Listening
) -> None:
    stuck, free = threading.Event(), threading.Event()

    def hold() -> None:
        stuck.set()
        free.wait()

    gateway.parts.buffer._writer.post(hold)
    await asyncio.to_thread(stuck.wait)
    manager.heard()
    turns, until = 0, time.monotonic() + 5 * PERIOD_S
    while time.monotonic() < until:
        await asyncio.sleep(0.01)
        turns += 1
    heard = manager.heard()
    free.set()
    assert len(heard) <= 1, "one may have been on its way"
    assert turns > 10, "the loop stood still too, and the test shows nothing"
    await until_fed(manager, 1)


async def test_a_writing_thread_that_has_ended_feeds_no_watchdog_and_ends_nothing_else(
    manager: Listening, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with DiskBuffer(tmp_path / "store", BufferOptions()) as buffer:
        buffer._writer.stop()
        await asyncio.to_thread(buffer._writer.join)
        async with asyncio.timeout(20):
            await ServiceManager(manager.environment()).feed(buffer.come_round)
    assert "the watchdog is fed no more" in caplog.messages
    assert manager.heard() == []


async def test_nobody_who_listens_is_no_reason_to_stop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    manager.tell("READY=1")
    manager.tell("STOPPING=1")
    (record,) = caplog.records
    assert "No such file" in record.reason


async def test_without_a_service_manager_nothing_is_fed() -> None:
    asked = []
    for environment in (
        {},
        {"NOTIFY_SOCKET": "/nowhere"},
        {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "1", "WATCHDOG_PID": str(os.getpid() + 1)},
    ):
        async with asyncio.timeout(5):
            await ServiceManager(environment).feed(lambda: asyncio.sleep(0, asked.append(1)))
    assert asked == []


def test_an_abstract_socket_is_found() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(0)
        name = f"wanglian-test-{os.getpid()}"
        listening.bind(f"\0{name}")
        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).tell("READY=1")
        assert listening.recv(100) == b"READY=1"
