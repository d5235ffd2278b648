"""The edge nodes are born before they speak, and each fault is the disorder it is named for."""

import asyncio
import threading
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from gateway.lab.edge_nodes import FAULTS, Nodes, publish
from gateway.lab.scenario import Fault, Scenario
from gateway.lab.sparkplug import Message
from gateway.lab.sparkplug_payload import fields
from tests.servers.broker import Broker

NOW = 1_790_000_000_000


def nodes(fault: str | None = None, value: str | None = None) -> Nodes:
    faults = [] if fault is None else [Fault(fault=fault, value=value)]
    return Nodes(Scenario.of(faults, FAULTS), nodes=1)


def told(messages: list[Message]) -> list[tuple[str, int | bytes | None]]:
    """Return kind and sequence number of each."""
    return [(topic.split("/")[2], dict(fields(payload)).get(3)) for topic, payload in messages]


def second(fault: str, value: str | None = None) -> list[tuple[str, int | bytes | None]]:
    """Return what is said behind the births, which take 0 and 1."""
    speaking = nodes(fault, value)
    assert told(speaking.next(NOW)) == [("NBIRTH", 0), ("DBIRTH", 1)]
    return told(speaking.next(NOW))


def test_nodes_in_order_are_born_and_speak_in_turn() -> None:
    speaking = Nodes(Scenario(), nodes=2)
    said = [speaking.next(NOW) for _ in range(6)]
    assert [topic for (topic, _), *_ in said] == [
        "spBv1.0/lab/NBIRTH/node1",
        "spBv1.0/lab/NBIRTH/node2",
        "spBv1.0/lab/NDATA/node1",
        "spBv1.0/lab/NDATA/node2",
        "spBv1.0/lab/DDATA/node1/d1",
        "spBv1.0/lab/DDATA/node2/d1",
    ]


def test_every_fault_is_its_own_disorder() -> None:
    births = [("NBIRTH", 0), ("DBIRTH", 1)]
    assert second("data_before_birth") == [("NDEATH", None), ("NDATA", 2), *births]
    assert second("unknown_alias") == [("NDATA", 2)]
    assert second("gap", "3") == [("NDATA", 5)]
    assert second("swapped") == [("DDATA", 3), ("NDATA", 2)]
    assert second("duplicate") == [("NDATA", 2), ("NDATA", 2)]
    assert second("late_death") == [*births, ("NDEATH", None)]
    assert second("early_death") == [("NDEATH", None), *births]
    assert second("two_nodes") == [("NDATA", 2), ("NBIRTH", 0)]
    assert second("historical") == [("NDATA", 2)]
    assert second("born_again") == births
    assert second("device_death") == [("DDEATH", 2), ("DBIRTH", 3)]
    assert second("deaf") == [("NDATA", 2)]


def test_historical_data_are_old_and_say_so() -> None:
    speaking = nodes("historical", "2h")
    speaking.next(NOW)
    ((_, payload),) = speaking.next(NOW)
    metrics = [dict(fields(value)) for number, value in fields(payload) if number == 2 and value != b""]
    assert all((metric[3], metric[5]) == (NOW - 7_200_000, 1) for metric in metrics)


def test_a_twin_has_the_same_name_and_other_aliases() -> None:
    speaking = nodes("two_nodes")
    births = speaking.next(NOW)
    names = [
        [dict(fields(value))[1] for number, value in fields(payload) if number == 2]
        for _, payload in (births[0], speaking.next(NOW)[1])
    ]
    assert sorted(names[0]) == sorted(names[1])
    assert names[0] != names[1]


@pytest.mark.server
async def test_a_rebirth_is_answered_and_the_end_is_a_death(tmp_path: Path) -> None:
    heard: list[str] = []
    ready, dead = threading.Event(), threading.Event()
    with Broker(tmp_path) as broker:
        host = Client(CallbackAPIVersion.VERSION2)

        def on_message(_client: Client, _data: object, message: MQTTMessage) -> None:
            heard.append(message.topic.split("/")[2])
            if heard[-1] == "NDEATH":
                dead.set()

        def on_subscribe(*_: object) -> None:
            ready.set()

        host.on_message, host.on_subscribe = on_message, on_subscribe
        host.connect(broker.host, broker.port)
        host.loop_start()
        host.subscribe("spBv1.0/lab/+/node1/#", 1)
        assert await asyncio.to_thread(ready.wait, 10)
        speaking = Nodes(Scenario(), nodes=1)
        task = asyncio.create_task(publish(speaking, broker.host, broker.port, 50.0))
        name = b"Node Control/Rebirth"
        metric = b"\x0a" + bytes((len(name),)) + name + b"\x20\x0b\x70\x01"
        async with asyncio.timeout(20):
            while heard.count("NBIRTH") < 2:
                if "NDATA" in heard and not speaking.rebirths:
                    host.publish("spBv1.0/lab/NCMD/node1", b"\x12" + bytes((len(metric),)) + metric)
                await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await asyncio.to_thread(dead.wait, 10)
        host.disconnect()
        host.loop_stop()
