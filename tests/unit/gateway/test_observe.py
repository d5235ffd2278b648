import asyncio
import socket
import struct
import threading
from collections import Counter

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from gateway.http import StatusServer
from gateway.observe import Observer, PrometheusCollector, Snapshot
from gateway.supervise import Link


def test_a_source_and_a_sink_of_one_name_have_no_series_in_common(clock) -> None:
    observer = Observer()
    observer.links += [Link("line", "source", clock), Link("line", "sink", clock)]
    registry = CollectorRegistry(auto_describe=False)
    registry.register(PrometheusCollector(lambda: observer.snapshot().samples))
    lines = generate_latest(registry).decode().splitlines()
    series = Counter(line.rpartition(" ")[0] for line in lines if not line.startswith("#"))
    assert max(series.values()) == 1


async def test_a_scraper_that_hangs_up_early_leaves_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    asked, gone = threading.Event(), threading.Event()

    def snapshot() -> Snapshot:
        asked.set()
        gone.wait(5)
        return Snapshot(healthy=True, health={"reasons": ["x" * 10_000_000]}, samples=())

    async with StatusServer(0, snapshot) as server:
        before = threading.active_count()

        def ask_and_reset() -> None:
            with socket.create_connection(("127.0.0.1", server.port)) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
                asked.wait(5)
            gone.set()

        client = threading.Thread(target=ask_and_reset)
        client.start()
        async with asyncio.timeout(10):
            while not gone.is_set() or threading.active_count() > before:
                await asyncio.sleep(0)
    assert capfd.readouterr().err == ""
