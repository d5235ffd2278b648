"""The sink against a real mosquitto: what arrives, restarts, the will, versions."""

import asyncio
import contextlib
import json
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import NotConnected
from tests.servers.broker import Broker
from tests.unit.mqtt.listening import listening
from tests.unit.mqtt.plant import DEVICE, delivery, sink, tag_table, until
from tests.verify.recording import read

pytestmark = pytest.mark.server
STATUS = "wanglian/cz/_gateway/gw-1/_status"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker", persistence=True) as running:
        yield running


def received(out: Path, topic: str = f"wanglian/{DEVICE}") -> list[Any]:
    return [json.loads(record.payload) for record in read(out) if record.topic == topic]


def seqs(out: Path) -> set[int]:
    return {message["seq"] for message in received(out)}


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_every_delivery_arrives_as_written(broker: Broker, tmp_path: Path, version: str) -> None:
    async with listening(broker, tmp_path / "r.bin") as out, sink(broker.port, version=version) as mqtt:
        await mqtt.write([delivery(seq) for seq in range(1, 101)])
        await until(lambda: len(received(out)) == 100)
    assert received(out)[6] == {
        "gw": "gw-1",
        "epoch": "1-0000000000abcdef",
        "seq": 7,
        "dev": DEVICE,
        "t0": 1_764_000_000_000_000_007,
        "tags": [f"v_{i}" for i in range(10)],
        "v": [float(i + 7) for i in range(10)],
    }
    assert mqtt.statistics()["acks"] == mqtt.statistics()["messages"] == 103


async def test_an_independent_reader_gets_data_catalogue_and_status(broker: Broker) -> None:
    async with sink(broker.port) as mqtt:
        reader = await asyncio.create_subprocess_exec(
            "mosquitto_sub", "-V", "5", "-p", str(broker.port), "-t", "wanglian/#", "-q", "1",
            "-C", "3", "-W", "20", "-v", stdout=subprocess.PIPE,
        )  # fmt: skip
        while reader.returncode is None:
            await mqtt.write([delivery(1)])
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.wait(), 0.1)
        text, _ = await reader.communicate()
    found = {
        topic: json.loads(said) for topic, said in (line.split(" ", 1) for line in text.decode().splitlines())
    }
    assert found[STATUS]["online"] is True
    assert found[STATUS]["epoch"] == "1-0000000000abcdef"
    assert found[f"wanglian/{DEVICE}/_tags"]["tags"]["v_0"] == {
        "kind": "float64", "unit": "KWH", "symbol": "kWh",
    }  # fmt: skip
    assert found[f"wanglian/{DEVICE}"]["v"] == [float(i + 1) for i in range(10)]


@pytest.mark.fault("B7")
@pytest.mark.parametrize("ending", ["stop", "kill"])
async def test_what_a_restarted_broker_missed_arrives_in_the_next_session(
    broker: Broker, tmp_path: Path, ending: str, record_measure
) -> None:
    async with listening(broker, tmp_path / "r.bin") as out:
        mqtt = sink(broker.port, ack_timeout="2s")
        unsent = 1

        async def write_until_lost() -> None:
            nonlocal unsent
            async with mqtt:
                while True:
                    await mqtt.write([delivery(seq) for seq in range(unsent, unsent + 5)])
                    unsent += 5

        writing = asyncio.create_task(write_until_lost())
        await until(lambda: len(seqs(out)) > 50)
        await asyncio.to_thread(getattr(broker, ending))
        with pytest.raises(NotConnected):
            await writing
        with pytest.raises(NotConnected, match="refused the connection"):
            await mqtt.__aenter__()
        await asyncio.to_thread(broker.start)
        await _resubscribed(out, broker)
        async with mqtt:
            await mqtt.write([delivery(seq) for seq in range(unsent, unsent + 5)])
        last = unsent + 4
        await until(lambda: last in seqs(out))
    # A broker that is killed may lose what it had acknowledged and not yet handed on.
    missing = set(range(1, last + 1)) - seqs(out)
    assert not missing if ending == "stop" else max(missing, default=0) < unsent
    how, lost = ("stopped", "0") if ending == "stop" else ("killed", f"{len(missing)} it had acknowledged")
    record_measure(f"mosquitto {how}: {last} messages, {lost} lost, 0 of those it had not acknowledged")


@pytest.mark.fault("B7")
@pytest.mark.parametrize("keeps", [True, False], ids=["with persistence", "without"])
async def test_what_a_killed_broker_had_saved_reaches_a_consumer_that_was_away(
    tmp_path: Path, keeps: bool, record_measure
) -> None:
    queued, later, out = set(range(1, 101)), set(range(101, 111)), tmp_path / "r.bin"
    with Broker(tmp_path / "durable", persistence=keeps) as broker:
        async with listening(broker, out):
            pass  # its session stays
        async with sink(broker.port) as mqtt:
            await mqtt.write([delivery(seq) for seq in queued])
        if keeps:
            await asyncio.to_thread(broker.save)
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)
        async with listening(broker, out):
            async with sink(broker.port) as mqtt:
                await mqtt.write([delivery(seq) for seq in later])
            await until(lambda: later <= seqs(out))
    missing = queued - seqs(out)
    assert missing == (set() if keeps else queued)
    how = "that had saved" if keeps else "without persistence"
    record_measure(f"mosquitto {how}, killed, its consumer away: {len(missing)} of {len(queued)} queued lost")


async def _resubscribed(out: Path, broker: Broker) -> None:
    def probe() -> bool:
        subprocess.run(
            ["mosquitto_pub", "-p", str(broker.port), "-t", "wanglian/probe", "-m", "{}", "-q", "1"],
            check=True,
        )
        return any(record.topic == "wanglian/probe" for record in read(out))

    await until(probe)


async def test_several_messages_in_a_write_do_not_wait_for_delayed_tcp_acknowledgements(
    broker: Broker,
) -> None:
    took = []
    async with sink(broker.port, tag_table(1000)) as mqtt:
        for first in range(0, 300, 10):
            began = time.monotonic()
            await mqtt.write([delivery(first + i, 1000) for i in range(10)])
            took.append(time.monotonic() - began)
    # Nagle at the broker and a delayed ACK here made 44 ms of each.
    assert statistics.median(took) < 0.030


async def test_the_will_tells_that_a_gateway_died(broker: Broker, tmp_path: Path) -> None:
    async with listening(broker, tmp_path / "r.bin") as out:
        mqtt = await sink(broker.port).__aenter__()
        await until(lambda: [s["online"] for s in received(out, STATUS)] == [True])
        await mqtt.__aexit__(OSError, OSError("as good as killed"), None)
        await until(lambda: [s["online"] for s in received(out, STATUS)] == [True, False])


async def test_a_clean_stop_tells_once_that_it_is_offline(broker: Broker, tmp_path: Path) -> None:
    async with listening(broker, tmp_path / "r.bin") as out:
        async with sink(broker.port):
            pass
        await until(lambda: len(received(out, STATUS)) == 2)
        async with sink(broker.port):
            await until(lambda: len(received(out, STATUS)) == 3)
            assert [s["online"] for s in received(out, STATUS)] == [True, False, True]


@pytest.mark.fault("B8")
@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_session_that_another_took_was_turned_away(broker: Broker, version: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        mqtt = await stack.enter_async_context(sink(broker.port, version=version))
        await stack.enter_async_context(sink(broker.port, version=version))
        with pytest.raises(NotConnected) as raised:
            for seq in range(1, 1000):
                await mqtt.write([delivery(seq)])
    assert raised.value.turned_away or raised.value.needs_a_person


async def test_the_brokers_maximum_packet_size_is_kept(tmp_path: Path) -> None:
    with Broker(tmp_path / "b", settings=("max_packet_size 700",)) as broker:
        async with listening(broker, tmp_path / "r.bin") as out, sink(broker.port, tag_table(100)) as mqtt:
            await mqtt.write([delivery(1, 100)])
            await until(lambda: sum(len(m["v"]) for m in received(out)) == 100)


async def test_a_missing_permission_needs_a_person(tmp_path: Path) -> None:
    rules = tmp_path / "acl"
    rules.write_text("topic readwrite wanglian/cz/_gateway/#\n")
    rules.chmod(0o600)
    with Broker(tmp_path / "b", settings=(f"acl_file {rules}",)) as broker:
        with pytest.raises(NotConnected, match="not authorized") as raised:
            await sink(broker.port).__aenter__()
        assert raised.value.needs_a_person
