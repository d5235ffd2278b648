"""The documented consumers, as they stand: killed again and again beside a gateway that is killed too."""

import random
import re
import signal
import sqlite3
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.processes import ROOT, free_port, python, started, wait_for
from tests.system.rig import SCALE, Rig, rig
from tests.verify.read_store import batches

__all__ = ["rig"]

KILLS = max(2, round(20 * SCALE))
PAGE = ROOT / "docs/how-to/consume.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)

Row = tuple[str, int, int, str, int, float | None, int]


def kept(folder: Path) -> set[Row]:
    db = sqlite3.connect(folder / "rows.sqlite")
    try:
        rows = db.execute("SELECT epoch, seq, row, tag, time, value, quality FROM rows").fetchall()
    finally:
        db.close()
    assert len({row[:3] for row in rows}) == len(rows)
    return set(rows)


def count(folder: Path) -> int:
    """Count in a moment: who reads for long keeps the consumer from writing."""
    db = sqlite3.connect(folder / "rows.sqlite")
    try:
        return int(db.execute("SELECT count(*) FROM rows").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        db.close()


def stored(rig: Rig) -> set[Row]:
    """Every row the copies of the store hold, by their own reader."""
    return {
        (epoch, seq, row, tag, at, None if quality & 0x8000_0000 else value, quality)
        for copy in rig.copies
        for epoch, seq, _, _, rows in batches(copy)
        for row, (tag, at, value, quality) in enumerate(rows)
    }


def consumer(block: int, folder: Path, *arguments: object) -> tuple[list[str | Path], Path]:
    home = folder / "consumer"
    home.mkdir(exist_ok=True)
    (home / "consume.py").write_text(BLOCKS[block], "utf-8")
    return [*python(home / "consume.py"), *map(str, arguments)], home


def kill_both(rig: Rig, command: list[str | Path], home: Path) -> None:
    """Let gateway and consumer run and be killed again and again, in any order, after any number of rows."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    for _ in range(KILLS):
        with rig.gateway() as gateway, started("consumer", command, home) as process:
            wanted = count(home) + chance.randrange(500, 4000)
            wait_for(lambda: count(home) >= wanted, "some rows", 90)  # noqa: B023
            for each in chance.sample([gateway, process], 2):
                each.end(signal.SIGKILL)


def with_page(rig: Rig) -> int:
    """Let the rig's plant have a page; return its port."""
    port = free_port()
    text = rig.plant.read_text("utf-8").replace('"page": {"enabled": false}', f'"page": {{"port": {port}}}')
    rig.plant.write_text(text, "utf-8")
    return port


def let_in(rig: Rig) -> str:
    """Set up a user, so that nobody is a visitor any more, and a token for the stream; return it."""

    def run(*words: str | Path, said: str = "") -> str:
        command = python("-m", "gateway", *words)
        done = subprocess.run(command, cwd=ROOT, input=said, text=True, capture_output=True, check=True)
        return done.stdout.strip()

    run("user", "add", rig.plant, "anna", "--role", "administrator", said="correct horse battery staple\n")
    return run("token", "add", rig.plant, "warehouse", "--scope", "stream")


def refused(url: str, **headers: str) -> int:
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20)
    with answer.value as told:
        return told.code


@pytest.mark.fault("A1")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(900)
def test_who_keeps_the_place_with_the_rows_has_every_stored_row_exactly_once(
    rig: Rig, record_measure
) -> None:
    url = f"http://127.0.0.1:{with_page(rig)}"
    token = let_in(rig)
    command, home = consumer(1, rig.folder, url, token)
    kill_both(rig, command, home)
    with rig.gateway() as gateway:
        wait_for(lambda: rig.metric("sink_up") == 1, "a gateway that runs", 60)
        rig.copy_store()
        whole = stored(rig)
        with started("consumer", command, home):
            wait_for(lambda: count(home) >= len(whole) and kept(home) >= whole, "every stored row", 90)
        rows = f"{url}/api/stream/rows?after=oldest"
        assert refused(rows) == 401
        assert refused(rows, Authorization=f"Bearer {token[:-1]}") == 401
        assert gateway.end(signal.SIGTERM) == 0, gateway.log.read_text()
    rig.copy_store()
    assert kept(home) <= stored(rig)
    record_measure(f"{KILLS} kills of gateway and stream's reader: {len(kept(home))} rows there, each once")


@pytest.mark.fault("A1")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(900)
def test_who_writes_by_key_and_acknowledges_after_has_every_row_of_mqtt_once(
    rig: Rig, record_measure
) -> None:
    command, home = consumer(0, rig.folder, rig.broker.host, rig.broker.port)
    with started("consumer", command, home):  # or its session would begin after the first rows
        wait_for(lambda: "warehouse" in rig.broker.log.read_text(), "the subscription")
        wait_for(lambda: "Sending SUBACK to warehouse" in rig.broker.log.read_text(), "the subscription")
    kill_both(rig, command, home)
    with started("consumer", command, home), rig.gateway() as gateway:
        wait_for(lambda: rig.metric("sink_up") == 1, "the connection", 60)
        rig.copy_store()
        whole = stored(rig)
        wait_for(lambda: count(home) >= len(whole) and kept(home) >= whole, "every stored row", 120)
        assert gateway.end(signal.SIGTERM) == 0, gateway.log.read_text()
    rig.copy_store()
    assert kept(home) <= stored(rig)
    record_measure(f"{KILLS} kills of gateway and MQTT's reader: {len(kept(home))} rows there, each once")


def test_the_documented_consumers_are_as_short_as_they_claim() -> None:
    assert len(BLOCKS) == 2
    assert len([line for line in BLOCKS[0].splitlines() if line and not line.startswith("#")]) <= 20
