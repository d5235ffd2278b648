"""`wanglian lab`: a person tries a plant file against equipment that goes wrong."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from gateway.cli import app
from gateway.lab.edge_nodes import FAULTS as SPARKPLUG
from gateway.lab.meters.replies import FAULTS as METERS
from gateway.lab.modbus.replies import FAULTS as MODBUS
from gateway.lab.mqtt import FAULTS as MQTT
from gateway.lab.opcua import FAULTS as OPCUA
from tests.processes import ROOT, Process, free_port, python, started, wait_for

pytestmark = pytest.mark.system


PLANTS = ROOT / "config" / "data" / "plants"


def wanglian(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *map(str, arguments), "--lang", "en"]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@contextmanager
def lab(folder: Path, *arguments: str | Path, ready: str) -> Iterator[Process]:
    command = python("-m", "gateway", "lab", *arguments, "--lang", "en")
    with started(f"lab_{arguments[0]}", command, folder, environment={"PYTHONUNBUFFERED": "1"}) as process:
        wait_for(lambda: process.said(ready), ready)
        yield process


def plant(folder: Path, port: int) -> Path:
    devices = {"meter_{1..3}": {"template": "acrel/adl400", "timeout": "500ms"}}
    content = {
        "gateway": {"id": "g", "site": "s"},
        "sources": {"meters": {"kind": "modbus_tcp", "host": "127.0.0.1", "port": port, "devices": devices}},
    }
    file = folder / "plant.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def probed(file: Path) -> list[dict[str, object]]:
    return json.loads(wanglian("probe", file, "--json").stdout)


def test_a_plant_file_is_probed_against_its_own_simulation_through_a_bad_network(tmp_path: Path) -> None:
    equipment, line, control = free_port(), free_port(), free_port()
    file = plant(tmp_path, line)
    faults = ("--fault", "drop/2", "--fault", "late_reply=5s@50%/3", "--seed", "7")
    served = ("modbus", file, "--port", str(equipment), *faults)
    proxied = ("proxy", "--to", f"127.0.0.1:{equipment}", "--listen", str(line), "--control", str(control))
    with (
        lab(tmp_path, *served, ready="unit ids 1, 2, 3") as devices,
        lab(tmp_path, *proxied, "--latency", "10ms", ready="control port"),
    ):
        good = {(each["device"], each["quality"]) for each in probed(file)}
        assert ("s/-/-/meter_1", "Good") in good
        assert ("s/-/-/meter_2", "Good") not in good
        done = wanglian("lab", "tell", str(control), "black_hole=true", "reset")
        assert json.loads(done.stdout)["weather"]["black_hole"] is True
        assert not [each for each in probed(file) if each["quality"] == "Good"]
        assert wanglian("lab", "tell", str(control), "colour=red").returncode == 1
        assert devices.end(signal.SIGINT) == 0


LINES: dict[str, tuple[str, dict[str, dict[str, object]]]] = {
    "dlt645": (
        "--serial",
        {"m_{1..3}": {"address": "000000000098", "tags": {"u": {"di": "02010100"}}}},
    ),
    "cjt188": (
        "--port",
        {
            "m_{1..3}": {
                "address": "78330000000098",
                "type": "heat",
                "tags": {"heat": {"place": 2, "unit": "kWh"}},
            }
        },
    ),
}


@pytest.mark.parametrize("kind", LINES)
def test_a_line_of_meters_is_probed_and_what_is_no_meters_reading_is_not_good(
    kind: str, tmp_path: Path
) -> None:
    option, devices = LINES[kind]
    port, terminal = free_port(), tmp_path / "ttyLAB"
    where = (
        {"port": str(terminal), "parity": "none"}
        if option == "--serial"
        else {"host": "127.0.0.1", "tcp_port": port}
    )
    file = tmp_path / "plant.yaml"
    source = {"kind": kind, "timeout": "500ms", "devices": devices, **where}
    file.write_text(yaml.safe_dump({"gateway": {"id": "g", "site": "s"}, "sources": {"line": source}}))
    served = (kind, file, option, terminal if option == "--serial" else str(port))
    with lab(tmp_path, *served, "--fault", "wrong_address/2", "--fault", "error/3", ready="00100") as line:
        rows = {str(each["device"]).rsplit("_", 1)[1]: each for each in probed(file)}
        assert {name: each["quality"] for name, each in rows.items()} == {
            "1": "Good",
            "2": "BadCommunicationError",
            "3": "BadConfigurationError" if kind == "dlt645" else "BadDeviceFailure",
        }
        value = rows["1"]["value"]
        assert isinstance(value, float)
        assert 225 < value < 235 if kind == "dlt645" else value > 0
        assert line.end(signal.SIGINT) == 0
    assert not terminal.is_symlink()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("modbus",), "what shall it be?"),
        (("dlt645", PLANTS / "quickstart.yaml"), "0 dlt645 sources fit"),
        (("cjt188", "--type", "gas", "--fault", "wrong_crc"), "no fault 'wrong_crc'"),
        (("modbus", "--template", "acrel/adl"), "Did you mean acrel/adl400"),
        (("modbus", "--template", "acrel/adl400", "--fault", "explode"), "no fault 'explode'"),
        (("modbus", "--template", "acrel/adl400", "--fault", "drop@130%"), "'130%' is not a share"),
        (("sparkplug", "--to", "127.0.0.1:1", "--nodes", "1"), "can't be done"),
        (("opcua", "--fault", "early_certificate"), "early_certificate needs a certificate"),
        (("proxy", "--to", "somewhere"), "somewhere is not host:port"),
        (("proxy", "--to", "127.0.0.1:1", "--latency", "20x"), "'20x' is not a duration"),
        (("tell", "1", "cut"), "can't be done"),
    ],
)
def test_what_can_not_be_done_is_said_in_a_line(arguments: tuple[str, ...], said: str) -> None:
    done = wanglian("lab", *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_is_wrong_in_a_scenario_is_said_with_its_place_before_anything_begins(tmp_path: Path) -> None:
    file = tmp_path / "story.yaml"
    serving = ["lab", "opcua", "--port", str(free_port()), "--scenario", str(file), "--lang", "en"]
    stories = {
        "[{fault: freeze}, {fault: silence, between: [9s, 3s]}]": "faults.1.between: no time lies between",
        "[{fault: restart, value: soon, between: [1h, 2h]}]": "restart=soon: 'soon' is not a duration",
    }
    for faults, said in stories.items():
        file.write_text(f"faults: {faults}")
        done = CliRunner().invoke(app, serving)
        assert done.exit_code == 1
        assert said in done.output
        assert len(done.output.splitlines()) == 1


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_fault_is_explained(language: str) -> None:
    done = subprocess.run(
        python("-m", "gateway", "lab", "faults", "--lang", language),
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    for name in (*MODBUS, *OPCUA, *MQTT, *METERS, *SPARKPLUG):
        (line, *_) = [each for each in done.stdout.splitlines() if f" {name} " in each]
        assert "cli.lab" not in line
