"""`make demo`'s program: everything arrives, what is counted is true, and it leaves nothing behind."""

import contextlib
import json
import math
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from config.energy_meters import meters
from config.load import read_plant
from edge_deploy.plant.clock import HOUR, parse
from edge_deploy.plant.model import Plant, State
from gateway.energy.periods import calendar_of
from gateway.energy.query import NoBooks, Query
from tests.processes import Process, python, started, wait_for

START, SEED = "2026-06-21T12:20", 3
KWH = 3.6e15
PROCESSES = 7
"""The broker, four servers of the plant, the gateway and its page."""
GONE_WITHIN_S = 5.0
SENSOR_TAGS = 3 * 2 + 2
"""Of the devices the plant file does not name: climate in three rooms, the air flow's two."""


class Listener:
    """A platform of the test's own: the last value and quality of each tag, by device and tag."""

    def __init__(self, port: int) -> None:
        self.last: dict[tuple[str, str], tuple[Any, int]] = {}
        self.client = Client(CallbackAPIVersion.VERSION2, client_id="listener")
        self.client.on_connect = lambda client, *_: client.subscribe("wanglian/#", qos=1)
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def value(self, device: str, tag: str) -> Any:
        """Return the last value; one that has not come yet is not a number."""
        return self.last.get((device, tag), (math.nan, 1))[0]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        said = json.loads(message.payload)
        if "seq" in said:
            device = said["dev"].rpartition("/")[2]
            qualities = said.get("q") or [0] * len(said["v"])
            for tag, value, quality in zip(said["tags"], said["v"], qualities, strict=True):
                self.last[device, tag] = (value, quality)


@contextmanager
def demo(folder: Path, *arguments: str) -> Iterator[tuple[Process, int, Path]]:
    """Run the demo; give its process, the broker's port and its folder."""
    with started("demo", python("-m", "edge_deploy.demo", *arguments), folder) as process:
        wait_for(lambda: process.said("files: ") or process.popen.poll() is not None, "the demo", 90)
        said = process.log.read_text()
        match = re.search(r"mosquitto_sub -p (\d+).*files: (\S+)", said)
        assert match, said
        yield process, int(match[1]), Path(match[2])


def running_in(folder: Path) -> dict[int, str]:
    """Return the command line of every process whose folder is the demo's, by its id."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it may end while we look
            if (process / "cwd").readlink() == folder:
                found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def named_tags(file: Path) -> int:
    plant = read_plant(file).plant
    assert plant is not None
    devices = [device for source in plant.sources.values() for device in source.devices.values()]
    return sum(tag.count for device in devices for tag in device.tags.values())


def has_all_protocols(heard: Listener) -> bool:
    """Tell whether a tag of each has come and is Good: Modbus TCP and RTU, OPC UA, MQTT."""
    keys = ("grid", "p"), ("oven_meter", "p"), ("assembly_1", "good"), ("climate_offices", "humidity")
    return all(heard.last.get(key, (0, 1))[1] == 0 for key in keys)


def float32_step(value: float) -> float:
    """Return how far apart two neighbouring float32 are here."""
    return math.ldexp(1.0, math.frexp(value)[1] - 24)


def differences(heard: Listener, state: State) -> list[str]:
    """Return which totals differ from the plant's by more than their meter can resolve."""
    resolution = {"grid": 0.01, "services": 0.01, "oven": 0.01, "offices": 0.01, "press": 0.1,
                  "assembly": 0.1, "compressor": 0.2}  # fmt: skip
    devices = {"press": "press_meter", "assembly": "assembly_meter", "compressor": "compressor_meter",
               "oven": "oven_meter"}  # fmt: skip
    wrong = []
    for meter, step in resolution.items():
        energy = state.meters[meter].energy
        for tag, true in (("e_import", energy.imported / KWH), ("e_export", energy.exported / KWH)):
            shown = heard.value(devices.get(meter, meter), tag)
            if not true - step - float32_step(true) <= shown <= true + float32_step(true):
                wrong.append(f"{meter} {tag}: {shown} is not {true}")
    produced = state.meters["solar"].energy.exported / KWH
    if heard.value("solar", "e_yield_total") != math.floor(produced):
        wrong.append(f"solar: {produced}")
    counts = {("press_1", "good"): state.press_good, ("press_1", "reject"): state.press_reject,
              ("assembly_1", "good"): state.assembly_good,
              ("compressor", "starts"): state.air_starts}  # fmt: skip
    wrong += [f"{key}" for key, true in counts.items() if heard.value(*key) != true]
    return wrong


def is_in_the_books(file: Path) -> bool:
    """Tell whether the day before is booked: all of it, measured, and so much as the plant takes in a day."""
    plant = read_plant(file).plant
    assert plant is not None
    calendar = calendar_of(plant.energy, plant.gateway.zone)
    today = calendar.local(time.time_ns()).date()
    first, last = (calendar.midnight(today - timedelta(days=back)) for back in (1, 0))
    query = Query(file.parent / "data" / "energy", meters(plant), calendar)
    try:
        answer = query.energy("used", "whole", first, last)
    except NoBooks:
        return False
    amount = answer.amount(answer.total)
    if amount is None:
        return False
    assert 1_500 < amount < 4_000
    assert (answer.total.covered, answer.total.flags) == (1, 0)
    return True


def powers_agree(heard: Listener, state: State) -> bool:
    watts = {("grid", "p"): ("grid", 1), ("solar", "p"): ("solar", -1), ("services", "p"): ("services", 1),
             ("press_meter", "p"): ("press", 0.001), ("compressor_meter", "p"): ("compressor", 1),
             ("oven_meter", "p"): ("oven", 1), ("offices", "p"): ("offices", 1)}  # fmt: skip
    return all(
        math.isclose(heard.value(*key), state.meters[name].power * factor, rel_tol=1e-5)
        for key, (name, factor) in watts.items()
    )


@pytest.mark.server
@pytest.mark.system
@pytest.mark.timeout(180)
def test_an_hour_of_the_plant_arrives_with_its_true_energy_and_ctrl_c_ends_it_all(tmp_path: Path) -> None:
    hour = ("--speed", "240", "--hours", "1", "--start", START, "--seed", str(SEED))
    with demo(tmp_path, *hour) as (process, port, folder):
        controllers = yaml.safe_load((folder / "plant.yaml").read_text())["sources"]["line_plc"]
        assert "security" not in controllers, "it is encrypted, as by default"
        tags = named_tags(folder / "plant.yaml") + SENSOR_TAGS
        heard = Listener(port)
        try:
            plant = Plant(SEED, parse(START))
            start, end = (plant.at(parse(START) + passed) for passed in (0, HOUR))
            wait_for(lambda: has_all_protocols(heard), "every protocol", 40)
            wait_for(lambda: powers_agree(heard, end) and not differences(heard, end), "the true end", 60)
            assert differences(heard, start), "an hour makes a difference"
        finally:
            heard.close()
        # Twice, as an impatient person does: the second must not leave half of them.
        process.popen.send_signal(signal.SIGINT)
        asked = time.monotonic()
        wait_for(lambda: len(running_in(folder)) < PROCESSES, "the end's beginning", GONE_WITHIN_S)
        if process.popen.poll() is None:
            process.popen.send_signal(signal.SIGINT)
        wait_for(lambda: process.popen.poll() is not None, "the end", 2 * GONE_WITHIN_S)
        assert time.monotonic() - asked < GONE_WITHIN_S
        assert running_in(folder) == {}
        assert process.popen.returncode == 0
        assert not folder.exists()
        said = process.log.read_text()
        assert f"{tags} 测点 tags, {tags} Good" in said, said
        assert "missing 0" in said, said


@pytest.mark.server
@pytest.mark.system
@pytest.mark.timeout(180)
def test_without_mosquitto_it_runs_too_and_outlives_neither_a_child_nor_itself(tmp_path: Path) -> None:
    with demo(tmp_path, "--broker", "amqtt", "--past", "1") as (process, port, folder):
        heard = Listener(port)
        try:
            wait_for(lambda: has_all_protocols(heard), "every protocol", 60)
            (meters,) = (pid for pid, words in running_in(folder).items() if "plant modbus-tcp" in words)
            os.kill(meters, signal.SIGKILL)
            wait_for(lambda: heard.last["grid", "p"][1] != 0, "the meters' silence told", 20)
            assert heard.last["assembly_1", "good"][1] == 0
            assert process.popen.poll() is None
            wait_for(lambda: is_in_the_books(folder / "plant.yaml"), "the day before", 40)
        finally:
            heard.close()
        assert len(running_in(folder)) == PROCESSES - 1
        process.popen.kill()
        wait_for(lambda: not running_in(folder), "the end of the killed demo's children", GONE_WITHIN_S)
        shutil.rmtree(folder)
