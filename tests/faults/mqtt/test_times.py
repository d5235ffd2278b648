"""Sensors whose clocks are wrong: their times are kept as they are, and the rows say so."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from config.connections import MqttSource
from connectors import SystemClock, TagTable
from connectors.mqtt import Mqtt
from connectors.quality import BAD_INVALID_TIMESTAMP, GOOD, UNCERTAIN
from gateway.lab.mqtt import FAULTS, Message, Sensors, value
from gateway.lab.scenario import Fault, Scenario
from gateway.pipeline import ClockWatch, build_pipeline
from tests.servers.broker import Broker

pytestmark = pytest.mark.server

OFF = ["1h", "-1h", "-700000h", "80000h", "0s"]
EXPECTED = {"1h": UNCERTAIN, "-1h": GOOD, "-700000h": UNCERTAIN, "80000h": UNCERTAIN, "0s": GOOD}
"""An hour old is a message that was on its way; an hour ahead, 1946 and 2035 are a clock that is wrong."""
STAMPED = {
    "topic": "sensors/+/data",
    "device": "d{1}",
    "time": {"path": "ts", "form": "unix_ms"},
    "tags": {"v0": {"path": "values.v0"}},
}
Found = list[tuple[str, float, int, int, int]]
"""Device, value, quality, time, arrival."""


async def read(messages: list[Message], folder: Path) -> Found:
    """Publish messages and return what the gateway would store of them."""
    with Broker(folder / "broker") as broker:
        options = MqttSource.model_validate(
            {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port, "messages": [STAMPED]}
        )
        tags, clock = TagTable(), SystemClock()
        client = Client(CallbackAPIVersion.VERSION2)
        async with (
            asyncio.timeout(30),
            Mqtt("in", options, gateway="g", site="s", tags=tags, clock=clock) as it,
        ):
            pipeline, found = build_pipeline(tags, ClockWatch(clock)), []
            client.connect(broker.host, broker.port)
            client.loop_start()
            for message in messages:
                client.publish(message.topic, message.payload, qos=1)
            while len(found) < len(messages):
                batch = await it.read()
                stored = pipeline(batch)
                assert stored is not None
                for part in stored.parts:
                    columns = (
                        part.tag.tolist(),
                        part.value.tolist(),
                        part.quality.tolist(),
                        part.time.tolist(),
                    )
                    for number, what, quality, at in zip(*columns, strict=True):
                        device = tags[number].device.rpartition("/")[2]
                        found.append((device, what, quality, at, stored.arrived))
                await it.ack(batch)
        client.disconnect()
        client.loop_stop()
        return found


@pytest.mark.fault("C4")
async def test_c4_a_source_s_time_is_kept_to_the_bit_and_the_skewed_is_uncertain(
    tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    faults = [Fault(fault="other_clock", value=off, unit=n) for n, off in enumerate(OFF)]
    sensors = Sensors(Scenario.of(faults, FAULTS), sensors=len(OFF))
    now = time.time_ns() // 1_000_000
    messages = [message for _ in OFF for message in sensors.next(now)]
    found = {row[0]: row for row in await read(messages, tmp_path)}
    for n, (off, message) in enumerate(zip(OFF, messages, strict=True)):
        said = json.loads(message.payload)["ts"]
        _, what, quality, at, arrived = found[f"d{n}"]
        assert at == said * 1_000_000, off
        assert what == value(n, said, 0)
        assert quality == EXPECTED[off], off
        assert abs(arrived / 1e6 - now) < 60_000, "when it came is kept beside"
    record_measure(f"clocks off by {', '.join(OFF)}: every time kept to the bit, the skewed uncertain")


@pytest.mark.fault("C4")
async def test_c4_equal_and_frozen_times_keep_every_value_in_its_order(tmp_path: Path) -> None:
    frozen = time.time_ns() // 1_000_000
    messages = [
        Message("sensors/0/data", json.dumps({"ts": frozen, "values": {"v0": n + 0.5}}).encode())
        for n in range(50)
    ]
    found = await read(messages, tmp_path)
    assert [what for _, what, *_ in found] == [n + 0.5 for n in range(50)]
    assert {at for *_, at, _ in found} == {frozen * 1_000_000}


@pytest.mark.fault("C4")
async def test_c4_a_message_without_the_time_it_is_to_have_is_bad_and_not_guessed(tmp_path: Path) -> None:
    began = time.time_ns()
    (row,) = await read([Message("sensors/0/data", b'{"values": {"v0": 1.5}}')], tmp_path)
    assert row[2] == BAD_INVALID_TIMESTAMP
    assert began <= row[3] <= time.time_ns()
