"""The page's process beside the gateway's: seen, killed, started again, never missed."""

import json
import os
import re
import signal
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.processes import Process, free_port, python, started, wait_for
from tests.servers.broker import Broker

KILLS = max(2, round(20 * float(os.environ.get("WL_SCALE", "0.1"))))


def plant(folder: Path, **changes: Any) -> Path:
    tags = {"x": {"shape": "sine", "unit": "kW"}, "name": {"shape": "text"}}
    content = {
        "gateway": {"id": "g1", "site": "cz", "http_port": 0},
        "sources": {"sim": {"kind": "simulated", "devices": {"d": {"scan": "50ms", "tags": tags}}}},
        "page": {"port": 0},
        **changes,
    }
    file = folder / "plant.yaml"
    file.write_text(json.dumps(content))
    return file


@contextmanager
def running(file: Path) -> Iterator[Process]:
    with started("gateway", python("-m", "gateway", "run", file), file.parent) as gateway:
        wait_for(lambda: gateway.said("gateway running"), "the start")
        yield gateway


def urls(gateway: Process) -> list[str]:
    return re.findall(r"page running url='([^']+)'", gateway.log.read_text())


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


def children(process: Process) -> list[int]:
    task = Path(f"/proc/{process.popen.pid}/task")
    return [int(each) for path in task.glob("*/children") for each in path.read_text().split()]


class Listener:
    """Counts what a broker was given, by the gateway's own sequence."""

    def __init__(self, port: int) -> None:
        self.seen: list[int] = []
        self.subscribed = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.on_connect = lambda client, *_: client.subscribe("wanglian/#", qos=1)
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_message = lambda _client, _data, message: self.hear(json.loads(message.payload))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self.subscribed.wait(10)

    def hear(self, said: dict[str, Any]) -> None:
        if "seq" in said:
            self.seen.append(said["seq"])


@pytest.mark.system
@pytest.mark.server
def test_a_page_that_is_killed_again_and_again_comes_back_and_costs_no_value(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker") as broker:
        listener = Listener(broker.port)
        sinks = {"s": {"kind": "mqtt", "host": broker.host, "port": broker.port}}
        with running(plant(tmp_path, sinks=sinks)) as gateway:
            for kill in range(KILLS):
                wait_for(lambda: len(urls(gateway)) > kill, "the page")  # noqa: B023  now
                answer = get(urls(gateway)[-1] + "api/overview")
                assert answer["strip"]["lost"] == 0
                (child,) = children(gateway)
                os.kill(child, signal.SIGKILL)
                before = len(listener.seen)
                wait_for(lambda: len(listener.seen) > before + 5, "values without a page")  # noqa: B023  now
            wait_for(lambda: len(urls(gateway)) > KILLS, "the page again")
            answer = get(urls(gateway)[-1] + "api/overview")
            (source,) = [link for link in answer["links"] if link["role"] == "source"]
            assert source["state"] == "connected"
            assert gateway.log.read_text().count("link connected link='sim'") == 1
        listener.client.loop_stop()
    assert sorted(listener.seen) == list(range(min(listener.seen), max(listener.seen) + 1))


@pytest.mark.system
def test_the_page_shows_what_is_read_and_ends_with_a_gateway_that_was_killed(tmp_path: Path) -> None:
    with running(plant(tmp_path)) as gateway:
        wait_for(lambda: urls(gateway), "the page")
        page = urls(gateway)[0]
        wait_for(lambda: len(get(page + "api/tags")["rows"]) == 2, "both tags")
        number = next(row for row in get(page + "api/tags")["rows"] if row["unit"] == "kW")
        assert isinstance(number["value"], float)
        why = get(page + "api/why?tag=cz/-/-/d/x")
        assert (why["cause"], why["action"]) == (None, "none")
        (child,) = children(gateway)
        gateway.end(signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{child}/exe").exists(), "the end of the page's process")


@pytest.mark.system
def test_a_gateway_stops_cleanly_while_browsers_listen(tmp_path: Path) -> None:
    with running(plant(tmp_path)) as gateway:
        wait_for(lambda: urls(gateway), "the page")
        streams = [urllib.request.urlopen(urls(gateway)[0] + "api/events", timeout=10) for _ in range(3)]
        for stream in streams:
            assert stream.readline() == b"retry: 2000\n"
        assert gateway.end(signal.SIGTERM) == 0
        for stream in streams:
            stream.close()
        log = gateway.log.read_text()
        assert "ERROR" not in log
        assert "Traceback" not in log


@pytest.mark.system
def test_a_page_whose_port_is_taken_needs_a_person_and_collection_goes_on(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status = free_port()
        file = plant(tmp_path, page={"port": port}, gateway={"id": "g1", "site": "cz", "http_port": status})
        with running(file) as gateway:
            wait_for(lambda: gateway.said("link needs a person"), "the reason")
            assert f"127.0.0.1:{port}" in gateway.log.read_text()
            assert get(f"http://127.0.0.1:{status}/healthz")["links"]["source/sim"]["state"] == "connected"
            assert children(gateway) == []


@pytest.mark.system
def test_a_plant_without_a_page_starts_no_process(tmp_path: Path) -> None:
    with running(plant(tmp_path, page={"enabled": False})) as gateway:
        assert children(gateway) == []
