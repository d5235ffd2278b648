"""A plant file applied again and again while a plant runs: who is not concerned misses no poll."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests

from gateway.security import House
from gateway.web.access.gate import PROOF, Cookie
from tests.plants import modbus_sources
from tests.processes import ROOT, Process, free_port, python, started, wait_for
from tests.servers.broker import Broker
from tests.unit.web.people import as_user, take
from tests.verify.recording import read

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
APPLIES = max(8, round(100 * SCALE))
DEVICES, VALUES = 10, 1000 if SCALE >= 1 else 100
SCAN_MS = 1000 if SCALE >= 1 else 500


def command(plant: Path, *words: str) -> subprocess.CompletedProcess[str]:
    asked = python("-m", "gateway", "config", *words, plant, "--lang", "en")
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)


def polls(received: Path) -> dict[str, list[int]]:
    """Source times of each device's scans, in ns, those that say Bad left out."""
    found: dict[str, list[int]] = {}
    for record in read(received):
        message: dict[str, Any] = json.loads(record.payload)
        if "seq" in message and "q" not in message:
            found.setdefault(message["dev"], []).append(message["t0"])
    return found


@pytest.mark.fault("H3")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(600)
def test_who_is_not_concerned_by_an_apply_misses_no_poll(tmp_path: Path, record_measure) -> None:
    ports, received, file = tmp_path / "ports.json", tmp_path / "received.bin", tmp_path / "plant.yaml"
    serve = python(ROOT / "tests/servers/modbus_plant.py", "--devices", str(DEVICES), "--values", str(VALUES))
    serve += ["--journal", tmp_path / "journal.txt", "--port-file", ports]
    with Broker(tmp_path / "broker") as broker, started("plant", serve, tmp_path):
        wait_for(ports.exists, "the simulator")
        sources = modbus_sources(json.loads(ports.read_text())["ports"], VALUES, f"{SCAN_MS}ms")
        plant = {
            "gateway": {"id": "g1", "site": "cz", "http_port": free_port()},
            "page": {"port": free_port()},
            "sources": sources,
            "sinks": {"platform": {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port}},
        }
        file.write_text(json.dumps(plant, indent=1))
        listen = python("-m", "tests.verify.subscriber", "--port", str(broker.port), "--out", received)
        with started("subscriber", listen, tmp_path) as subscriber:
            wait_for(lambda: subscriber.said("subscribed"), "the subscription")
            with started("gateway", python("-m", "gateway", "run", file), tmp_path) as gateway:
                wait_for(lambda: len(polls(received)) == DEVICES, "every device")
                wait_for(lambda: gateway.said("page running"), "the page", 60)
                engineer = Engineer(tmp_path, plant["page"]["port"])
                for number in range(APPLIES):
                    apply_a_change(file, plant, number, gateway, engineer)
                assert gateway.end(signal.SIGTERM) == 0, gateway.log.read_text()
    found = polls(received)
    end = max(slot(times[-1]) for times in found.values()) - 1
    changed = missed(found.pop("cz/hall/line_1/m0"), end)
    scans = sum(len(times) for times in found.values())
    assert {device: missed(times, end) for device, times in found.items() if missed(times, end)} == {}
    told = f"{APPLIES} applies by command, signal and page, {DEVICES} × {VALUES} values every {SCAN_MS} ms"
    record_measure(f"{told}: 0 of {scans} polls missed, {changed} by the device that was changed", row="H3")


def slot(time: int) -> int:
    """Scans are due at whole multiples of the interval."""
    return time // (SCAN_MS * 1_000_000)


def missed(times: list[int], end: int) -> int:
    """Count the scans up to the run's last but one, of whatever device, that nothing came of."""
    seen = {slot(each) for each in times}
    return len(set(range(min(seen), end + 1)) - seen)


class Engineer:
    """Somebody's page that is open all the time."""

    def __init__(self, folder: Path, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"
        with House(folder / "data") as house:
            take(house, "eva", "engineer")
            mine = as_user(house, "eva", Cookie.of(port, is_secure=False))
        self._asking = requests.Session()
        said = {"cookie": mine["cookie"], PROOF: mine["x_proof"], "origin": self._url}
        self._asking.headers.update(said)

    def ask(self, path: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._asking.get(f"{self._url}/api/{path}", timeout=20).json()
        return answer

    def needs(self) -> list[str] | None:
        """What the first view says needs a person, None before it knows."""
        told = self.ask("overview").get("attention")
        return None if told is None else [f"{each['code']} {each['count']}" for each in told]

    def apply(self, text: str) -> None:
        base = self.ask("config")["base"]
        what = {"text": text, "base": base}
        done = self._asking.post(f"{self._url}/api/config/apply", json=what, timeout=20)
        assert done.status_code == 200, done.text


def apply_a_change(
    file: Path, plant: dict[str, Any], number: int, gateway: Process, engineer: Engineer
) -> None:
    """Change one device's scan, by the command, the signal or the page."""
    plant["sources"]["plc0"]["devices"]["m0"]["scan"] = f"{SCAN_MS + number % 7 + 1}ms"
    text = json.dumps(plant, indent=1)
    applied = gateway.log.read_text().count("plant file applied")
    match number % 3:
        case 0:
            file.write_text(text)
            done = command(file, "apply")
            assert done.returncode == 0, done.stderr
            assert "~ source plc0: devices m0 begin anew, the connection stays" in done.stdout
        case 1:
            file.write_text(text)
            gateway.popen.send_signal(signal.SIGHUP)
        case _:
            engineer.apply(text)
    wait_for(lambda: gateway.log.read_text().count("plant file applied") > applied, "the new version")


@pytest.mark.fault("H2")
@pytest.mark.system
@pytest.mark.timeout(240)
def test_a_start_with_a_broken_file_runs_the_last_good_one_and_says_so(
    tmp_path: Path, record_measure
) -> None:
    file, status, port = tmp_path / "plant.yaml", free_port(), free_port()
    plant = {
        "gateway": {"id": "g1", "site": "cz", "http_port": status},
        "page": {"port": port},
        "sources": {"sim": {"kind": "simulated", "devices": {"mill": {"tags": {"x": {}}}}}},
    }
    file.write_text(json.dumps(plant, indent=1))
    run = python("-m", "gateway", "run", file, "--lang", "en")
    with started("gateway", run, tmp_path) as gateway:
        wait_for(lambda: gateway.said("page running"), "the start", 60)
        assert gateway.end() == 0
    good = file.read_text()
    file.write_text(good.replace("simulated", "imaginary"))
    with started("gateway", run, tmp_path) as gateway:
        wait_for(lambda: gateway.log.read_text().count("gateway running") == 2, "the start")
        assert gateway.said("plant.yaml has 1 mistakes; running the last good one instead, version 1")
        wait_for(lambda: gateway.log.read_text().count("page running") == 2, "the page", 60)
        engineer = Engineer(tmp_path, port)
        wait_for(lambda: engineer.needs() is not None, "the first view")
        assert engineer.needs() == ["last_good 1"]
        now = engineer.ask("config")
        assert (now["is_running"], now["version"], now["text"]) == (False, 1, file.read_text())
        refused = command(file, "apply")
        assert refused.returncode == 2
        file.write_text(good + "\n")
        assert command(file, "apply").returncode == 0
        wait_for(lambda: engineer.needs() == [], "the first view without it")
        listed = command(file, "versions")
        assert "version" in listed.stdout
        assert gateway.end() == 0
    broken = tmp_path / "new" / "plant.yaml"
    broken.parent.mkdir()
    broken.write_text(good.replace("simulated", "imaginary"))
    with started("fresh", python("-m", "gateway", "run", broken), broken.parent) as fresh:
        assert fresh.popen.wait(30) == 2
    record_measure(
        "a broken file at start: the last good one runs, log and page say so; without one exit code 2",
        row="H2",
    )
