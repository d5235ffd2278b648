"""A plant changed while it runs: the untouched goes on, a refusal changes nothing, versions come back."""

import asyncio
import json
import os
import signal
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from config.load import read_plant
from gateway.control import FILE, NoGateway, ask
from gateway.parts import Parts
from gateway.reload import Refused
from gateway.reload.last_good import last_good
from gateway.reload.versions import digest
from gateway.runtime import Gateway
from gateway.security.audit import entries
from gateway.security.house import SECURITY
from gateway.supervise import LinkState

FAST = {"scan": "20ms", "tags": {"x": {"shape": "ramp"}}}
PLANT: dict[str, Any] = {
    "gateway": {"id": "g", "site": "s", "http_port": 0},
    "page": {"enabled": False},
    "history": {"enabled": False},
    "sources": {
        "one": {"kind": "simulated", "devices": {"a": FAST}},
        "two": {"kind": "simulated", "devices": {"b": FAST}},
    },
}


def text(**changes: Any) -> bytes:
    return json.dumps(PLANT | changes, indent=1).encode()


def sources(**more: Any) -> dict[str, Any]:
    return {"sources": PLANT["sources"] | more}


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Gateway]:
    file = folder / "plant.yaml"
    if not file.exists():
        file.write_bytes(text())
    plant = read_plant(file).plant
    assert plant is not None
    gateway, stop = Gateway(plant, folder / "data", plant_file=file, strict=True), asyncio.Event()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(gateway.run(stop))
        await gateway.running.wait()
        await until(lambda: all(rows(gateway, each) > 2 for each in plant.sources))
        yield gateway
        stop.set()


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def rows(gateway: Gateway, name: str, direction: str = "source") -> int:
    return next(
        (
            each.rows_total
            for each in gateway.observer.links
            if (each.direction, each.name) == (direction, name)
        ),
        -1,
    )


def sessions(gateway: Gateway, name: str) -> int:
    return next(each.sessions_total for each in gateway.observer.links if each.name == name)


def paths(gateway: Gateway) -> set[str]:
    return {gateway.parts.tags[number].path for number in gateway.parts.tags.active().tolist()}


async def test_one_more_device_is_read_over_the_same_connection_and_nobody_notices(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as gateway:
        applier = gateway.applier
        assert applier is not None
        wanted = text(**sources(one={"kind": "simulated", "devices": {"a": FAST, "z": FAST}}))
        done = await applier.apply(wanted, who="ann", note="one more device")
        assert [(each.name, each.how, each.devices) for each in done.changes] == [("one", "changed", ("z",))]
        await until(lambda: "s/-/-/z/x" in paths(gateway))
        assert (sessions(gateway, "one"), sessions(gateway, "two")) == (1, 1)
        assert (tmp_path / "plant.yaml").read_bytes() == wanted
        before = rows(gateway, "two")
        await until(lambda: rows(gateway, "two") > before + 3)


async def test_a_source_that_is_gone_leaves_nothing_behind_and_may_come_back(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        applier = gateway.applier
        assert applier is not None
        only_two = {"sources": {"two": PLANT["sources"]["two"]}}
        await applier.apply(text(**only_two), who="ann")
        assert rows(gateway, "one") == -1
        assert paths(gateway) == {"s/-/-/b/x"}
        assert not [
            each for each in gateway.observer.snapshot().samples if each.labels.get("source") == "one"
        ]
        done = await applier.roll_back(1, who="ben")
        assert [(each.name, each.how) for each in done.changes] == [("one", "added")]
        await until(lambda: rows(gateway, "one") > 2)
        assert paths(gateway) == {"s/-/-/a/x", "s/-/-/b/x"}
        assert [(each.number, each.who) for each in applier.versions.all()] == [
            (3, "ben"),
            (2, "ann"),
            (1, "start"),
        ]


@pytest.mark.fault("H3")
async def test_what_changes_nothing_restarts_nothing_however_often(tmp_path: Path, record_measure) -> None:
    async with running(tmp_path) as gateway:
        applier = gateway.applier
        assert applier is not None
        for _ in range(100):
            assert (await applier.apply_file(who="SIGHUP")).version is None
        commented = b"# by hand\n" + text()
        done = await applier.apply(commented, who="ann")
        assert (done.version, done.changes) == (2, ())
        assert (tmp_path / "plant.yaml").read_bytes() == commented
        assert {each.sessions_total for each in gateway.observer.links} == {1}
    record_measure("100 reloads that change nothing: 0 connections made anew", row="H3")


@pytest.mark.fault("H2")
async def test_a_file_with_mistakes_is_refused_with_their_places_and_the_last_good_one_goes_on(
    tmp_path: Path, record_measure
) -> None:
    async with running(tmp_path) as gateway:
        applier = gateway.applier
        assert applier is not None
        (tmp_path / "plant.yaml").write_bytes(text(sinks={"cloud": {"kind": "mqtt", "hots": "h"}}))
        with pytest.raises(Refused) as refused:
            await applier.apply_file(who="ann")
        assert refused.value.code == "E-AP-0001"
        assert {each.path for each in refused.value.problems} >= {"sinks.cloud.hots"}
        before = rows(gateway, "one")
        await until(lambda: rows(gateway, "one") > before + 3)
        assert len(applier.versions.all()) == 1
    found = last_good(tmp_path / "plant.yaml")
    assert found is not None
    assert (found.version.number, set(found.plant.sources)) == (1, {"one", "two"})
    record_measure("a bad file on reload: refused with its places, the last good one goes on", row="H2")


async def test_what_was_changed_by_another_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        applier = gateway.applier
        assert applier is not None
        base = digest((tmp_path / "plant.yaml").read_bytes())
        await applier.apply(b"# hers\n" + text(), who="ann", base=base)
        with pytest.raises(Refused) as refused:
            await applier.apply(b"# his\n" + text(), who="ben", base=base)
        assert refused.value.code == "E-AP-0002"
        assert (tmp_path / "plant.yaml").read_bytes().startswith(b"# hers")


async def test_who_this_is_can_not_be_changed_while_it_runs(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        applier = gateway.applier
        assert applier is not None
        with pytest.raises(Refused) as refused:
            await applier.apply(text(gateway={"id": "other", "site": "s", "http_port": 0}), who="ann")
        assert refused.value.code == "E-AP-0003"
        assert "gateway.id" in refused.value.phrase.text("en")


async def test_a_plant_that_can_not_be_taken_over_is_taken_back_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as gateway:
        applier = gateway.applier
        assert applier is not None
        begin = Parts._start_source

        def start(self: Parts, name: str, options: Any) -> None:
            if name == "three":
                raise RuntimeError("as if it could not be built")
            begin(self, name, options)

        monkeypatch.setattr(Parts, "_start_source", start)
        more = {"kind": "simulated", "devices": {"c": FAST}}
        changed = {"kind": "simulated", "devices": {"a": FAST | {"scan": "50ms"}}}
        with pytest.raises(Refused) as refused:
            await applier.apply(text(**sources(one=changed, three=more)), who="ann")
        assert refused.value.code == "E-AP-0005"
        assert (tmp_path / "plant.yaml").read_bytes() == text()
        before = rows(gateway, "one")
        await until(lambda: rows(gateway, "one") > before + 3)
        assert set(gateway.plant.sources) == {"one", "two"}
        assert [each.state for each in applier.versions.all()] == ["failed", "applied"]


async def test_sinks_come_and_go_and_keep_their_place(tmp_path: Path) -> None:
    away = {"kind": "mqtt", "host": "127.0.0.1", "port": 1}
    async with running(tmp_path) as gateway:
        applier = gateway.applier
        assert applier is not None
        await applier.apply(text(sinks={"cloud": away}), who="ann")
        await until(lambda: gateway.parts.cursors["cloud"].backlog().rows > 5)
        waiting = gateway.parts.cursors["cloud"].backlog().rows
        await applier.apply(text(sinks={"cloud": away | {"prefix": "other"}}), who="ann")
        assert gateway.parts.cursors["cloud"].backlog().rows >= waiting
        await applier.apply(text(), who="ann")
        assert "cloud" not in gateway.parts.cursors
        assert not [each for each in gateway.observer.links if each.direction == "sink"]


async def test_the_signal_takes_the_file_over(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        (tmp_path / "plant.yaml").write_bytes(
            text(**sources(new={"kind": "simulated", "devices": {"n": FAST}}))
        )
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: rows(gateway, "new") > 2)
        (tmp_path / "plant.yaml").write_bytes(b"a: [")
        os.kill(os.getpid(), signal.SIGHUP)
        audit = tmp_path / "data" / SECURITY
        await until(lambda: len([*entries(audit)]) == 2)
    told = [(each.who, each.what, json.loads(each.about)) for each in entries(audit)]
    assert told == [
        ("SIGHUP", "config.applied", {"version": 2}),
        ("SIGHUP", "config.refused", {"code": "E-AP-0001"}),
    ]


async def test_commands_need_the_secret_only_the_gateways_user_can_read(tmp_path: Path) -> None:
    async with running(tmp_path):
        file = tmp_path / "data" / FILE
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        known = json.loads(file.read_text())
        answer = await asyncio.to_thread(ask, tmp_path / "data", "apply", who="ann", language="zh")
        assert answer == {"version": None, "changes": [], "problems": []}
        file.write_text(json.dumps(known | {"secret": "guessed"}))
        with pytest.raises(NoGateway):
            await asyncio.to_thread(ask, tmp_path / "data", "apply", who="ann")
        file.write_text(json.dumps(known))
    assert not file.exists()
    with pytest.raises(NoGateway):
        ask(tmp_path / "data", "apply")


@pytest.mark.fault("H4")
async def test_a_disk_that_takes_no_file_leaves_plant_and_file_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_measure
) -> None:
    async with running(tmp_path) as gateway:
        applier = gateway.applier
        assert applier is not None

        def refuse(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("gateway.reload.applying.os.fsync", refuse)
        with pytest.raises(Refused) as refused:
            await applier.apply(b"# new\n" + text(), who="ann")
        assert refused.value.code == "E-AP-0004"
        assert (tmp_path / "plant.yaml").read_bytes() == text()
        assert all(each.state is LinkState.CONNECTED for each in gateway.observer.links)
    record_measure("a disk that takes no file: refused, the old file whole, every link connected", row="H4")
