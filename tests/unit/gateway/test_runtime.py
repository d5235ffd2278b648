"""The whole gateway in one process, with what it builds replaced where a test says so."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from config.load import read_plant_bytes
from connectors import NotConnected, SystemClock
from connectors.modbus.serial import SerialPort
from connectors.quality import name as quality_name
from gateway import parts
from gateway.ledger.gap import AWAY, Gap
from gateway.metered import Days
from gateway.review import Reviews
from gateway.runtime import Gateway
from tests.conftest import FakeClock
from tests.fakes import ReplaySource
from tests.servers.broker import Broker, ServerTls
from tests.servers.certificates import Authority

HELD = "UncertainConfigurationError"
PLANT = b"""
gateway: {id: g, site: s, http_port: 0}
sources:
  one: {kind: simulated, devices: {d: {tags: {x: {}}}}}
  two: {kind: simulated, devices: {e: {tags: {x: {}}}}}
"""


async def test_every_connector_is_imported_before_any_link_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some imports take seconds: in them a link that had begun would miss its peer's answer."""
    happened: list[str] = []

    class Noting(ReplaySource):
        async def __aenter__(self) -> Self:
            happened.append("begun")
            return await super().__aenter__()

        async def __aexit__(
            self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
        ) -> None:
            happened.append("ended")

    def build_source(name, options, *, tags, **rest):  # noqa: ARG001  the factory's own signature
        happened.append(f"imported {name}")
        return Noting(tags, [], [])

    monkeypatch.setattr(parts, "build_source", build_source)
    outcome = read_plant_bytes(PLANT, "plant.yaml", tmp_path)
    assert outcome.plant is not None
    gateway, stop = Gateway(outcome.plant, tmp_path / "data"), asyncio.Event()
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(gateway.run(stop))
        while happened.count("begun") < 2:
            await asyncio.sleep(0.01)
        stop.set()
    assert set(happened[: happened.index("begun")]) == {"imported one", "imported two"}


@pytest.mark.fault("C1", "C6")
async def test_all_sources_share_one_watch_over_the_clock_and_each_has_the_gap_of_an_absence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    begun: list[str] = []

    def build_source(name, options, *, tags, **rest):  # noqa: ARG001  the factory's own signature
        begun.append(name)
        return ReplaySource(tags, [], [])

    monkeypatch.setattr(parts, "build_source", build_source)
    outcome = read_plant_bytes(PLANT, "plant.yaml", tmp_path)
    assert outcome.plant is not None
    gateway, stop = Gateway(outcome.plant, tmp_path / "data", clock=clock), asyncio.Event()
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(gateway.run(stop))
        while len(begun) < 4:  # once for its imports, once to begin
            await asyncio.sleep(0.01)
        before = clock.now()
        clock.move(600)
        found: list[Gap] = []
        while len(found) < 2:
            await asyncio.sleep(0.01)
            found = [each for each in await gateway.parts.buffer.gaps_after(0) if each.reason == AWAY]
        assert {each._watch for each in gateway.parts.collectors.values()} == {gateway.parts.watch}
        stop.set()
    assert sorted(source for each in found for source in each.sources) == ["one", "two"]
    assert {(each.start, each.end) for each in found} == {(before, clock.now())}


async def test_what_was_learned_of_a_serial_line_outlives_its_sessions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How late its devices are: a session that does not know takes a late reply for its own answer."""
    lines: list[SerialPort] = []

    async def connect(self: SerialPort, *_: object) -> None:
        lines.append(self)
        raise NotConnected("gone again")

    monkeypatch.setattr(SerialPort, "connect", connect)
    device = b"{unit_id: 1, tags: {x: {address: 1}}}"
    plant = (
        b"""
gateway: {id: g, site: s, http_port: 0}
sources: {line: {kind: modbus_serial, port: /dev/none, devices: {d: %b}}}
"""
        % device
    )
    outcome = read_plant_bytes(plant, "plant.yaml", tmp_path)
    assert outcome.plant is not None, outcome
    gateway, stop = Gateway(outcome.plant, tmp_path / "data"), asyncio.Event()
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(gateway.run(stop))
        while len(lines) < 2:
            await asyncio.sleep(0.01)
        stop.set()
    assert all(line is lines[0] for line in lines)


@pytest.mark.fault("D7")
async def test_d7_a_tag_whose_scale_was_changed_between_two_runs_is_stored_uncertain_until_accepted(
    tmp_path: Path,
) -> None:
    """The whole way: catalogue of the last run, pipeline, last values, and the command beside it."""
    page = "gateway: {id: g, site: s, http_port: 0}\nsources: {one: {kind: simulated, devices: {d: %s}}}"
    device = "{scan: 10ms, tags: {x: {scale: %d}, y: {scale: 1}}}"

    async def run_with(scale: int, accept_at_last: bool = False) -> dict[str, set[str]]:
        outcome = read_plant_bytes((page % (device % scale)).encode(), "plant.yaml", tmp_path)
        assert outcome.plant is not None, outcome
        gateway, stop = Gateway(outcome.plant, tmp_path / "data"), asyncio.Event()
        seen: dict[str, set[str]] = {"x": set(), "y": set()}

        async def qualities() -> None:
            await gateway.running.wait()
            wanted = {HELD, "Good"} if accept_at_last else {"Good"}
            while not (wanted <= seen["x"] and "Good" in seen["y"]):
                await asyncio.sleep(0.01)
                for columns in gateway.parts.live.last(gateway.parts.tags.active()):
                    for number, quality in zip(columns.tag.tolist(), columns.quality.tolist(), strict=True):
                        seen[gateway.parts.tags[number].name].add(quality_name(quality))
                if accept_at_last and HELD in seen["x"]:
                    with Reviews(tmp_path / "data", SystemClock()) as reviews:
                        reviews.accept([each.path for each in reviews.held()])
            stop.set()

        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            tasks.create_task(gateway.run(stop))
            tasks.create_task(qualities())
        return seen

    assert HELD not in (await run_with(1))["x"]
    changed = await run_with(40, accept_at_last=True)
    assert HELD in changed["x"]
    assert HELD not in changed["y"]
    assert HELD not in (await run_with(40))["x"]


@pytest.mark.server
async def test_what_a_sink_moves_and_what_protects_it_stand_beside_its_backlog(tmp_path: Path) -> None:
    """Who asks a sink under the name of another takes its place: each has its own."""
    authority = Authority(tmp_path / "ca")
    plant = (
        PLANT
        + b"""
page: {enabled: false}
history: {enabled: false}
sinks:
  cloud: {kind: mqtt, host: 127.0.0.1, port: %d, tls: {ca: %b}, daily_cap: 1MB}
"""
    )
    tls = ServerTls(*authority.issue("server"))
    with Broker(tmp_path / "broker", tls=tls) as broker:
        told = plant % (broker.port, bytes(authority.certificate))
        outcome = read_plant_bytes(told, "plant.yaml", tmp_path)
        assert outcome.plant is not None, outcome
        gateway, stop = Gateway(outcome.plant, tmp_path / "data"), asyncio.Event()
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            tasks.create_task(gateway.run(stop))
            await gateway.running.wait()
            while True:
                samples = {each.name: each.value for each in gateway.observer.snapshot().samples}
                if samples.get("sink_rows"):
                    break
                await asyncio.sleep(0.01)
            stop.set()
        assert samples["sink_day_bytes"] > 1_000
        assert samples["sink_day_cap_bytes"] == 1_000_000
        assert 0.9 < samples["sink_certificate_peer_days"] < 1.1
        assert "sink_backlog_rows" in samples
    with Days(tmp_path / "data", SystemClock(), outcome.plant.gateway.zone) as days:
        assert days.moved("cloud") >= samples["sink_day_bytes"]
