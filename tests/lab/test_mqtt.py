"""The sensors say what can be checked, and each fault is the message it is named for."""

import asyncio
import json
from pathlib import Path

import pytest

from gateway.lab.mqtt import FAULTS, Message, Sensors, publish, value
from gateway.lab.scenario import Fault, Scenario
from tests.servers.broker import Broker

NOW = 1_790_000_000_000


def said(fault: str | None, value: str | None = None) -> list[Message]:
    faults = [] if fault is None else [Fault(fault=fault, value=value)]
    return Sensors(Scenario.of(faults, FAULTS), sensors=1, values=2).next(NOW)


def test_a_sensor_in_order_tells_its_time_its_number_and_values_to_be_checked() -> None:
    (message,) = said(None)
    assert message.topic == "sensors/0/data"
    assert json.loads(message.payload) == {
        "ts": NOW,
        "seq": 1,
        "values": {"v0": value(0, NOW, 0), "v1": value(0, NOW, 1)},
    }


def test_every_fault_is_its_own_kind_of_wrong() -> None:
    (right,) = said(None)
    assert said("duplicate") == [right, right]
    assert said("missing") == []
    assert [json.loads(each.payload)["seq"] for each in said("earlier_again")] == [1, 0]
    assert said("retained") == [Message(right.topic, right.payload, retain=True)]
    assert json.loads(said("other_clock", "-1h")[0].payload)["ts"] == NOW - 3_600_000
    assert len(said("huge", "4MiB")[0].payload) > 4 * 2**20
    assert len({each.topic for each in said("new_topics", "50")}) == 50
    assert len({each.payload for each in said("flood", "50")}) == 50
    for fault in ("empty", "not_json", "half", "not_utf8", "deep"):
        with pytest.raises((ValueError, RecursionError)):
            json.loads(said(fault)[0].payload)
    assert b'"v0":NaN,"was":' in said("not_a_number")[0].payload
    assert json.loads(said("text_for_number")[0].payload)["values"]["v0"] == "broken"


@pytest.mark.server
async def test_what_they_say_goes_to_the_broker(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker:
        sensors = Sensors(Scenario(), sensors=3)
        task = asyncio.create_task(publish(sensors, broker.host, broker.port, 200.0))
        async with asyncio.timeout(20):
            while "sensors/2/data" not in broker.log.read_text():
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
