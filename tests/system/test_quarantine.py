"""Rows a platform refuses: set aside, shown, sent again while the gateway runs; the rest never waits."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT, free_port, python, started
from tests.servers.broker import Broker
from tests.servers.scripted_broker import Publish, ScriptedBroker
from tests.verify.metrics import metric


async def until(condition, what: str, within_s: float = 20.0) -> None:
    try:
        async with asyncio.timeout(within_s):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise TimeoutError(f"waited in vain for {what}") from error


async def wanglian(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "gateway", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout


def data(published: list[Publish]) -> list[dict]:
    return [json.loads(p.payload) for p in published if not p.topic.rpartition("/")[2].startswith("_")]


@pytest.mark.system
async def test_refused_rows_are_listed_exported_retried_and_then_gone(tmp_path: Path) -> None:
    refusing = True

    def script(publish: Publish) -> int | None:
        topic_is_data = not publish.topic.rpartition("/")[2].startswith("_")
        refuse = refusing and topic_is_data and json.loads(publish.payload)["seq"] == 3
        return 0x99 if refuse else 0

    async with ScriptedBroker(script) as broker:
        plant = {
            "page": {"enabled": False},
            "gateway": {"id": "g1", "site": "cz", "http_port": 0},
            "sources": {
                "sim": {"kind": "simulated", "devices": {"d": {"scan": "50ms", "tags": {"x": {"count": 4}}}}}
            },
            "sinks": {"cloud": {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port}},
        }
        file = tmp_path / "plant.yaml"
        file.write_text(json.dumps(plant))
        with started("gateway", python("-m", "gateway", "run", file), tmp_path):
            await until(lambda: len(data(broker.published)) > 10, "the rest to go on", 90)
            (entry,) = json.loads(await wanglian("quarantine", "list", file, "--json"))
            assert (entry["sink"], entry["rows"]) == ("cloud", 4)
            assert entry["reason"]
            exported = [
                json.loads(line) for line in (await wanglian("quarantine", "export", file)).splitlines()
            ]
            assert [(row["path"], row["seq"], row["row"]) for row in exported] == [
                (f"cz/-/-/d/x_{i}", 3, i) for i in range(4)
            ]
            refusing = False
            await wanglian("quarantine", "retry", file)
            again = lambda: [m for m in data(broker.published) if m["seq"] == 3][1:]  # noqa: E731
            await until(again, "the retry")
            (message,) = again()
            assert message["hist"] is True
            assert message["v"] == [row["value"] for row in exported]
            await until(
                lambda: (
                    subprocess.run(
                        [sys.executable, "-m", "gateway", "quarantine", "list", str(file), "--json"],
                        capture_output=True,
                        text=True,
                        check=True,
                        env=os.environ | {"PYTHONPATH": str(ROOT)},
                    ).stdout.strip()
                    == "[]"
                ),
                "quarantine to be empty",
            )


@pytest.mark.fault("B5")
@pytest.mark.system
@pytest.mark.timeout(240)
async def test_what_mosquitto_finds_too_large_arrives_in_parts_and_holds_nothing_up(
    tmp_path: Path, record_measure
) -> None:
    """It answers 0x95 and closes the connection: what is learned there has to hold in the next session."""
    status = free_port()
    tags = {
        "large": {"scan": "1s", "tags": {"x": {"count": 30, "shape": "constant", "deadband": 0.1}}},
        "small": {"scan": "50ms", "tags": {"x": {}}},
    }
    with Broker(tmp_path / "broker", settings=("message_size_limit 400",)) as broker:
        plant = {
            "page": {"enabled": False},
            "history": {"enabled": False},
            "gateway": {"id": "g1", "site": "cz", "http_port": status},
            "sources": {"sim": {"kind": "simulated", "devices": tags}},
            "sinks": {"cloud": {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port}},
        }
        (tmp_path / "plant.yaml").write_text(json.dumps(plant))
        with started("gateway", python("-m", "gateway", "run", tmp_path / "plant.yaml"), tmp_path):
            await until(lambda: metric(status, "sink_rows_total") > 100, "rows of both devices", 90)
            sessions = metric(status, "sink_sessions_total")
            before = metric(status, "sink_rows_total")
            await until(lambda: metric(status, "sink_rows_total") > before + 150, "both to go on", 60)
            assert metric(status, "sink_sessions_total") == sessions, "a connection for every large message"
            assert metric(status, "sink_quarantined_rows_total") == 0
    record_measure(
        f"mosquitto refused and closed: then in parts, 0 set aside, learned in {sessions:.0f} sessions"
    )
