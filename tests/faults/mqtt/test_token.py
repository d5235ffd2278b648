"""A token that expires: everything waits, nothing is refused, and the new one is taken without a restart."""

import asyncio
import json
from pathlib import Path
from typing import Any, Self

import pytest

from config.load import load_plant
from config.plant import Plant
from connectors import Context, SystemClock, TagTable
from connectors.factory import build_sink
from gateway.buffer import MemoryBuffer
from gateway.forward import Forwarder
from gateway.select import Rules, Selection
from gateway.supervise import Link, LinkState, supervise
from tests.fakes import T0, batch_of, simple_tags
from tests.servers.broker import Broker, hash_passwords
from tests.servers.line_protocol import Point
from tests.servers.scripted_broker import ScriptedBroker
from tests.servers.scripted_influx import OK, Answer, ScriptedInflux, Write, nothing, refusing
from tests.unit.mqtt.plant import until

pytestmark = [pytest.mark.server, pytest.mark.fault("B5")]
OLD, NEW = "old-token", "new-token"


def plant_of(folder: Path, sink: dict[str, Any]) -> Plant:
    """Return a plant with this sink, as it is read from a file; its token lies in a file beside."""
    (folder / "token").write_text(OLD + "\n")
    tags = {"t0": {}, "t1": {}, "t2": {}}
    told = {
        "gateway": {"id": "g", "site": "s"},
        "sources": {"meters": {"kind": "simulated", "devices": {"d": {"tags": tags}}}},
        "sinks": {"cloud": sink},
    }
    (folder / "plant.yaml").write_text(json.dumps(told))
    return load_plant(folder / "plant.yaml")


class Forwarding:
    """The sink of a plant behind a buffer, supervised; a patient wait takes a moment."""

    def __init__(self, plant: Plant, buffer: MemoryBuffer) -> None:
        clock, tags = SystemClock(), TagTable()
        tags.announce(simple_tags())
        options = plant.sinks["cloud"]
        context = Context("g", tags, clock)
        self.link = Link("cloud", "sink", clock)
        self.errors: list[str] = []
        self.naps: list[float] = []
        self._buffer = buffer
        self._time = T0
        sink = build_sink("cloud", options, site="s", context=context)
        self.cursor = buffer.cursor("cloud", sink.order, start="oldest")
        selection = Selection(Rules("cloud", options.select, tags))
        self.forwarder = Forwarder(self.link, sink, self.cursor, selection, clock)

    async def __aenter__(self) -> Self:
        async def moment(seconds: float) -> None:
            self.errors.append(self.link.error)
            self.naps.append(seconds)
            await asyncio.sleep(0.05)

        running = supervise(self.link, self.forwarder.session, strict=True, sleep=moment)
        self._task = asyncio.create_task(running)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def store(self, *values: float) -> None:
        """Store up to three values of one moment, a millisecond after those before."""
        self._time += 1_000_000
        await (await self._buffer.append("meters", batch_of(values, time=self._time)))

    async def needs_a_person(self) -> None:
        """Wait until two attempts have failed for good reason."""
        await until(lambda: len(self.errors) >= 2 and self.link.state is LinkState.NEEDS_A_PERSON)

    async def empty(self) -> None:
        await until(lambda: not self.cursor.backlog().rows)


def data_of(broker: ScriptedBroker) -> set[float]:
    published = [p for p in broker.published if p.topic == "wanglian/s/a/l/d"]
    return {value for each in published for value in json.loads(each.payload)["v"]}


@pytest.mark.parametrize(
    ("version", "refusal", "said"),
    [
        ("5", 0x87, "not authorized"),
        ("5", 0x86, "bad user name or password"),
        ("3.1.1", 5, "not authorized"),
        ("3.1.1", 4, "bad user name or password"),
    ],
)
async def test_an_expired_token_never_fills_quarantine(
    tmp_path: Path, clock: Any, version: str, refusal: int, said: str
) -> None:
    sink = {
        "kind": "mqtt",
        "host": "127.0.0.1",
        "username": "u",
        "password": "${file:token}",
        "version": version,
    }
    async with ScriptedBroker() as broker, MemoryBuffer(clock) as buffer:
        broker.password, broker.refusal = OLD, refusal
        async with Forwarding(plant_of(tmp_path, {**sink, "port": broker.port}), buffer) as rig:
            await rig.store(1.0, 2.0)
            await rig.empty()
            # The broker finds out in the middle of a session: at a message, or by closing it.
            broker.password = NEW
            if version == "5":
                broker.script = lambda _: 0x87
            else:
                broker.drop()
            await rig.store(3.0)
            await rig.needs_a_person()
            assert any(said in error and "password" in error for error in rig.errors)
            assert OLD not in "".join(rig.errors)
            await rig.store(4.0, 5.0)
            broker.script = lambda _: 0
            (tmp_path / "token").write_text(NEW + "\n")
            await rig.empty()
            assert rig.link.counts.get("quarantined", 0) == 0
            assert rig.link.rows_total == 5
            assert data_of(broker) == {1.0, 2.0, 3.0, 4.0, 5.0}


async def test_a_password_changed_at_a_real_broker_is_taken_from_its_file(tmp_path: Path, clock: Any) -> None:
    folder = tmp_path / "broker"
    passwords = tmp_path / "passwords"
    passwords.write_text(f"u:{OLD}\n")
    hash_passwords(passwords)
    settings = ("allow_anonymous false", f"password_file {passwords}")
    with Broker(folder, settings=settings) as broker:
        sink = {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port}
        plant = plant_of(tmp_path, {**sink, "username": "u", "password": "${file:token}"})
        async with MemoryBuffer(clock) as buffer, Forwarding(plant, buffer) as rig:
            await rig.store(1.0)
            await rig.empty()
            broker.kill()
            passwords.write_text(f"u:{NEW}\n")
            hash_passwords(passwords)
            broker.start()
            await rig.store(2.0)
            await rig.needs_a_person()
            (tmp_path / "token").unlink()  # a rotation in two steps: what was read last holds
            (tmp_path / "token").write_text("")
            (tmp_path / "token").write_text(NEW)
            await rig.empty()
            assert rig.link.counts.get("quarantined", 0) == 0
            assert rig.link.rows_total == 2


@pytest.mark.fault("B12")
@pytest.mark.parametrize("status", [401, 403])
async def test_an_expired_token_of_a_database_is_taken_anew(tmp_path: Path, clock: Any, status: int) -> None:
    good = OLD

    def script(write: Write) -> Answer:
        good_one = write.headers.get("Authorization") == f"Token {good}"
        return OK if good_one else Answer(status, stores=nothing)

    with ScriptedInflux(script) as database:
        sink = {"kind": "influxdb", "url": database.url, "bucket": "b", "token": "${file:token}"}
        async with MemoryBuffer(clock) as buffer, Forwarding(plant_of(tmp_path, sink), buffer) as rig:
            await rig.store(1.0)
            await rig.empty()
            good = NEW
            await rig.store(2.0, 3.0)
            await rig.needs_a_person()
            assert all("check `token`" in error for error in rig.errors)
            (tmp_path / "token").write_text("with a\nline break")
            await until(lambda: "can't be given the token" in rig.link.error)
            (tmp_path / "token").write_text(NEW)
            await rig.empty()
            assert rig.link.counts.get("quarantined", 0) == 0
            assert rig.link.rows_total == 3


@pytest.mark.fault("B12")
async def test_only_the_bad_point_is_set_aside_and_the_wish_to_wait_is_kept(
    tmp_path: Path, clock: Any, record_measure
) -> None:
    bad = 7.0
    troubles = [
        Answer(429, headers={"Retry-After": "20"}, stores=nothing),
        Answer(500, stores=nothing),
        Answer(503, stores=nothing),
    ]

    def script(write: Write) -> Answer:
        return troubles.pop(0) if troubles else refusing(lambda point: _value(point) == bad)(write)

    with ScriptedInflux(script) as database:
        sink = {"kind": "influxdb", "url": database.url, "bucket": "b", "token": "${file:token}"}
        async with MemoryBuffer(clock) as buffer, Forwarding(plant_of(tmp_path, sink), buffer) as rig:
            for first in range(1, 31, 3):
                await rig.store(first, first + 1, first + 2)
            await rig.empty()
        assert rig.link.counts["quarantined"] == 1
        assert rig.link.rows_total == 29
        assert [float(each.batch.parts[0].value[refusal.rows[0]]) for _, each, refusal in buffer.held] == [
            bad
        ]
        (waited, *others) = rig.naps
        assert waited >= 20
        assert len(others) == 2
        assert max(others) < 20
        there = {each for points in database.values().values() for each in points.values()}
    assert there == {float(each) for each in range(1, 31)} - {bad}
    record_measure("429, 500, 503, then one bad point of 30: 1 set aside, 29 there, the 20 s waited")


def _value(point: Point) -> object:
    return {key: each for key, each, _ in point.fields}.get("value")
