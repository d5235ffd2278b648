"""An edge node beside a real broker: hosts that come and go, ask too often, or are told of old deaths."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from connectors import NotConnected
from connectors.sparkplug.edge.kept import next_bd_seq
from gateway.supervise import LinkState
from tests.faults.sparkplug.edge import Edge, plant, until
from tests.processes import wait_for
from tests.servers.broker import Broker
from tests.servers.mqtt_tap import Publish, Reader
from tests.servers.sparkplug_host import Host
from tests.verify.sparkplug import Follower

SCALE = float(os.environ.get("WL_SCALE", "0.1"))

pytestmark = pytest.mark.server


def an_edge(port: int, folder: Path, **more: object) -> Edge:
    edge = Edge(port, folder, **more)
    edge.made.announce("m/a", "m/b")
    edge.made.delivery([("m/a", -1, 0.5, 0)])
    return edge


@pytest.mark.fault("B15")
@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_what_is_under_way_when_the_host_goes_offline_is_kept_and_the_node_says_its_death(
    tmp_path: Path, version: str
) -> None:
    """The broker gets the data only after it has said that the host is gone: they must not count."""
    with plant(tmp_path) as (_, tap, host):
        host.state(at=1)
        edge = an_edge(tap.port, tmp_path, version=version, primary_host="scada")
        async with edge.running():
            await edge.read(("m/a", 1, 1.0, 0))
            tap.open.clear()
            writing = asyncio.create_task(edge.read(("m/a", 2, 2.0, 0)))
            await asyncio.sleep(0)
            host.state(online=False, at=2)
            with pytest.raises(NotConnected):
                async with asyncio.timeout(10):
                    await writing
            tap.open.set()
            await until(lambda: any("NDEATH" in topic for topic, _ in host.heard), "the death")
            host.state(at=3)
            await edge.connected()
            await edge.read(("m/a", 2, 2.0, 0), historical=True)
            await until(lambda: _historical(host) == [2.0], "what was kept")
        follower = Follower().take_all(host.heard)
    assert follower.bd_seqs == [*range(len(follower.bd_seqs))]
    assert not follower.violations


@pytest.mark.fault("B15")
async def test_data_the_broker_acknowledges_while_the_host_is_gone_do_not_count(tmp_path: Path) -> None:
    """The acknowledgement comes after all: without anybody beside it, `write` must look for itself."""
    with plant(tmp_path) as (_, tap, host):
        host.state(at=1)
        edge = an_edge(tap.port, tmp_path, primary_host="scada")
        async with edge.sink() as sink:
            tap.open.clear()
            writing = asyncio.create_task(sink.write([edge.made.delivery([("m/a", 1, 1.0, 0)])]))
            await asyncio.sleep(0)
            host.state(online=False, at=2)
            host.command(b"\xff")
            await until(lambda: sink.statistics()["refused_commands"] == 1, "the hearing of both")
            acks = sink.statistics()["acks"]
            tap.open.set()
            with pytest.raises(NotConnected, match="primary host scada went offline"):
                await writing
            assert sink.statistics()["acks"] > acks


@pytest.mark.fault("B15")
async def test_a_broker_that_kept_the_hosts_word_over_its_own_restart_is_not_believed(tmp_path: Path) -> None:
    """mosquitto keeps retained messages; the host is not back yet, and would not hear a thing."""
    settings = ("log_type error", "autosave_interval 1")
    with Broker(tmp_path / "broker", settings=settings, persistence=True) as broker:
        with Host(broker.port) as host:
            host.state(at=1)
            edge = an_edge(broker.port, tmp_path, primary_host="scada")
            running = edge.running()
            await running.__aenter__()
            await edge.read(("m/a", 1, 1.0, 0))
        await asyncio.to_thread(broker.stop)
        before = len(edge.sinks)
        await asyncio.to_thread(broker.start)
        try:
            with Host(broker.port) as host:
                await until(
                    lambda: len(edge.sinks) > before and edge.sinks[-1]._host.is_online, "the old word"
                )
                assert edge.link.state is not LinkState.CONNECTED
                assert not [topic for topic, _ in host.heard if "BIRTH" in topic]
                host.state(at=2)
                await edge.connected()
                await edge.read(("m/a", 2, 2.0, 0))
                await until(lambda: 2.0 in _followed(host).live("m", "a"), "the next value")
        finally:
            await running.__aexit__(None, None, None)


def _followed(host: Host) -> Follower:
    return Follower().take_all(list(host.heard))


def _historical(host: Host) -> list[float]:
    return [row.value for row in _followed(host).rows if row.historical]


@pytest.mark.fault("B15")
async def test_a_storm_of_requests_for_births_is_answered_once_in_two_seconds(
    tmp_path: Path, record_measure
) -> None:
    """Data go on meanwhile; the node's own clock is not what is measured, but when the broker gets them."""
    peace_s = 2.0 * SCALE
    with plant(tmp_path) as (_, tap, host):
        edge = an_edge(tap.port, tmp_path, rebirth=f"{round(peace_s * 1000)}ms")
        async with edge.running():
            started = time.monotonic()
            await edge.connected()
            asked = i = 0
            while time.monotonic() < started + 5.5 * peace_s:
                await asyncio.to_thread(host.ask_rebirth, 20)
                asked, i = asked + 20, i + 1
                await edge.read(("m/a", i, float(i), 0))
            births = [each.at - started for each in tap.published() if "/NBIRTH/" in each.topic]
            await until(lambda: edge.sinks[0].statistics()["rebirths_asked"] == asked, "the hearing of all")
            said = [float(each) for each in range(1, i + 1)]
            await until(lambda: _followed(host).live("m", "a") == said, "all data, none of them as history")
        follower = Follower().take_all(host.heard)
    assert len(births) >= 4
    assert all(at >= n * peace_s for n, at in enumerate(births))
    assert not follower.violations
    record_measure(
        f"{asked} requests in {5.5 * peace_s:.1f} s: {len(births)} births, at least {peace_s:g} s apart"
    )


@pytest.mark.fault("B15")
async def test_a_death_that_comes_behind_the_next_birth_ends_nothing(tmp_path: Path) -> None:
    """Each connection has a number of its own, so that a host can tell whose death it hears."""
    with plant(tmp_path) as (_, tap, host):
        edge = an_edge(tap.port, tmp_path)
        async with edge.running():
            for i in range(1, 4):
                await edge.read(("m/a", i, float(i), 0))
                before = len(edge.sinks)
                tap.cut()
                await until(lambda: len(edge.sinks) > before, "the next session")  # noqa: B023  now
                await edge.connected()
            await edge.read(("m/a", 9, 9.0, 0))
        deaths = [each for each in host.heard if "NDEATH" in each[0]]
    lived = max(i for i, (topic, _) in enumerate(host.heard) if "DDATA" in topic)
    late = [*host.heard[: lived + 1], deaths[0], deaths[1]]
    in_order, reordered = Follower().take_all(host.heard), Follower().take_all(late)
    assert in_order.bd_seqs == [0, 1, 2, 3]
    assert in_order.late_deaths <= 1  # the will beside the word
    assert reordered.is_online
    assert not reordered.violations


@pytest.mark.fault("B15")
def test_the_number_of_a_connection_never_comes_twice_however_the_gateway_is_killed(
    tmp_path: Path, record_measure
) -> None:
    kills = max(2, round(15 * SCALE))
    file = tmp_path / "sparkplug" / "scada.json"
    code = (
        "import sys, pathlib\n"
        "from connectors.sparkplug.edge.kept import next_bd_seq\n"
        "while True: print(next_bd_seq(pathlib.Path(sys.argv[1])), flush=True)\n"
    )
    used: list[int] = []
    for _ in range(kills):
        out = tmp_path / "out"
        with out.open("wb") as opened:
            process = subprocess.Popen([sys.executable, "-c", code, str(file)], stdout=opened)
            try:
                enough = random.randint(2, 60)
                wait_for(lambda: out.read_bytes().count(b"\n") >= enough, "some numbers")  # noqa: B023  now
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait(10)
        told = [int(line) for line in out.read_bytes().split(b"\n")[:-1]]
        if used:
            # Written and not told before it was killed: a number is left out, none comes again.
            assert (told[0] - used[-1]) % 256 in (1, 2)
        assert all((b - a) % 256 == 1 for a, b in pairwise(told))
        used += told
    assert (next_bd_seq(file) - used[-1]) % 256 in (1, 2)
    record_measure(f"{kills} kills over {len(used)} connections: no number twice in a row")


def test_a_file_that_holds_no_number_begins_anew_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "scada.json"
    for data in (b"", b"{", b"[]", b'{"bd_seq": -1}', b'{"bd_seq": 256}', b'{"bd_seq": true}'):
        file.write_bytes(data)
        caplog.clear()
        assert next_bd_seq(file) == 0
        assert "not read" in caplog.text
    file.write_bytes(b'{"bd_seq": 255}')
    assert next_bd_seq(file) == 0
    assert next_bd_seq(file) == 1


async def test_a_data_directory_that_takes_nothing_is_no_connection(tmp_path: Path) -> None:
    (tmp_path / "sparkplug").write_text("a file where the folder should be")
    edge = an_edge(1, tmp_path)
    with pytest.raises(NotConnected, match="can't be written"):
        async with edge.sink():
            pass


async def test_a_host_that_never_comes_is_told_with_what_it_said(tmp_path: Path) -> None:
    with plant(tmp_path) as (_, tap, host):
        edge = an_edge(tap.port, tmp_path, primary_host="scada", host_wait="200ms")
        with pytest.raises(NotConnected, match="primary host scada has said nothing of itself"):
            async with edge.sink():
                pass
        host.state(online=False, at=7)
        with pytest.raises(NotConnected, match="primary host scada is offline at"):
            async with edge.sink():
                pass
        assert not tap.published()


async def test_a_broker_that_refuses_the_marker_needs_a_person(tmp_path: Path) -> None:
    """With QoS 0 it would throw the data away without a word; the marker's refusal is heard."""
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite spBv1.0/#\n")
    acl.chmod(0o600)
    with Broker(tmp_path / "broker", settings=("log_type error", f"acl_file {acl}")) as broker:
        edge = an_edge(broker.port, tmp_path)
        with pytest.raises(NotConnected, match="refused a message on wanglian/marker/") as caught:
            async with edge.sink():
                pass
    assert caught.value.needs_a_person


async def test_a_birth_larger_than_the_broker_takes_needs_a_person(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker", settings=("log_type error", "max_packet_size 2000")) as broker:
        edge = Edge(broker.port, tmp_path)
        names = [f"m/metric_{i}" for i in range(100)]
        edge.made.announce(*names)
        edge.made.delivery([(name, -1, 0.5, 0) for name in names])
        with pytest.raises(NotConnected, match=r"takes 2000 bytes and the DBIRTH of m has \d+") as caught:
            async with edge.sink():
                pass
    assert caught.value.needs_a_person


async def test_a_broker_that_takes_everything_and_acknowledges_nothing_is_no_connection(
    tmp_path: Path,
) -> None:
    with plant(tmp_path) as (_, tap, _host):
        edge = an_edge(tap.port, tmp_path, ack_timeout="1s")
        async with edge.running():
            await edge.connected()
            tap.open.clear()
            with pytest.raises(NotConnected, match="left a message unacknowledged for 1 s"):
                await edge.read(("m/a", 1, 1.0, 0))
            tap.open.set()


async def test_a_new_tag_is_delivered_once_its_device_may_be_born_again(tmp_path: Path) -> None:
    with plant(tmp_path) as (_, tap, host):
        edge = an_edge(tap.port, tmp_path)
        async with edge.running():
            await edge.read(("m/a", 1, 1.0, 0))
            for i in range(2):
                edge.made.announce(f"m/new{i}")
                await edge.read((f"m/new{i}", 2, float(i), 0), ("m/a", 2 + i, 2.0, 0))
            await until(lambda: _followed(host).live("m", "new1") == [1.0], "the new tags' values")
        follower = _followed(host)
    assert follower.live("m", "new0") == [0.0]
    assert not follower.violations


@pytest.mark.fault("B2")
async def test_a_cut_connection_is_noticed_while_there_is_nothing_to_write(tmp_path: Path) -> None:
    with plant(tmp_path) as (_, tap, _host):
        edge = an_edge(tap.port, tmp_path)
        async with edge.running():
            await edge.connected()
            tap.cut()
            await until(lambda: len(edge.sinks) == 2 and edge.link.state is LinkState.CONNECTED, "the next")


@pytest.mark.parametrize("garbage", [b"", b"\xff", b"\x00" * 100, b"\x12\x80" * 3000, b"{}"])
async def test_commands_of_any_bytes_do_nothing(tmp_path: Path, garbage: bytes) -> None:
    with plant(tmp_path) as (_, tap, host):
        edge = an_edge(tap.port, tmp_path, primary_host="scada")
        async with edge.running():
            host.state(at=1)
            await edge.connected()
            before = len(tap.published())
            host.command(garbage)
            host.command(garbage, device="m")
            host.state(garbage)
            host.command(b"\xff")
            heard = edge.sinks[0].statistics
            await until(lambda: heard()["refused_commands"] >= 2, "the hearing of all")
            assert len(tap.published()) == before
            await edge.read(("m/a", 1, 1.0, 0))
        assert len(edge.sinks) == 1
        follower = Follower().take_all(host.heard)
    assert not follower.violations


def test_the_tap_reads_what_comes_in_any_pieces() -> None:
    packet = b"\x32\x10\x00\x03a/b\x00\x01\x00payload!"
    reader = Reader()
    found = [each for i in range(len(packet)) for each in reader.feed(packet[i : i + 1])]
    assert [(each.topic, each.payload, each.qos) for each in found if isinstance(each, Publish)] == [
        ("a/b", b"payload!", 1)
    ]
