"""Retained values at a real mosquitto: who subscribes later gets the newest live value, never a late one."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import Rejected
from tests.servers.broker import Broker
from tests.unit.mqtt.plant import DEVICE, delivery, sink, tag_table
from tests.verify.mqtt_forms import parse

pytestmark = pytest.mark.server


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as running:
        yield running


def retained(broker: Broker, topic: str) -> dict[str, Any]:
    """Return what a fresh subscriber gets at once, by topic."""
    command = [
        "mosquitto_sub",
        "-V",
        "5",
        "-p",
        str(broker.port),
        "-t",
        topic,
        "-v",
        "--retained-only",
        "-W",
        "1",
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return {topic: parse(said.encode()) for topic, said in (line.split(" ", 1) for line in text.splitlines())}


async def test_a_late_value_never_takes_the_place_of_a_live_one(broker: Broker) -> None:
    async with sink(broker.port, tag_table(3), format={"kind": "per_tag", "time": "unix_ns"}) as mqtt:
        await mqtt.write([delivery(5, 3), delivery(9, 3)])
        await mqtt.write([delivery(7, 3, historical=True)])
    found = retained(broker, f"wanglian/{DEVICE}/v_1")
    assert found[f"wanglian/{DEVICE}/v_1"]["seq"] == 9
    assert found[f"wanglian/{DEVICE}/v_1"]["v"] == 1.0 + 9


async def test_a_late_bare_value_goes_to_a_topic_of_its_own(broker: Broker) -> None:
    async with sink(broker.port, tag_table(1), format={"kind": "per_tag", "bare": True}) as mqtt:
        await mqtt.write([delivery(9, 1)])
        await mqtt.write([delivery(7, 1, historical=True)])
    assert retained(broker, f"wanglian/{DEVICE}/v_0/#") == {f"wanglian/{DEVICE}/v_0": 9.0}


async def test_nothing_is_announced_where_it_is_not_asked_for(broker: Broker) -> None:
    form = {
        "kind": "template",
        "topic": "up/{{ device }}",
        "payload": "{{ values | tojson }}",
        "retain": True,
    }
    async with sink(broker.port, tag_table(1), format=form) as mqtt:
        await mqtt.write([delivery(9, 1)])
        with pytest.raises(Rejected, match="no JSON"):
            mqtt._form._payload = mqtt._form._topic  # type: ignore[attr-defined]
            await mqtt.write([delivery(10, 1)])
    assert retained(broker, "#") == {"up/m1": {"v_0": 9.0}}
