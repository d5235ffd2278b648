"""Killed under load, again and again: the books say no more than a subscriber recorded, and never fail."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from collections import Counter
from typing import Any

import orjson
import pytest

from tests.processes import ROOT, wait_for
from tests.system.rig import DEVICES, SCALE, VALUES, Rig, deliver_the_rest, rig
from tests.verify.read_store import batches
from tests.verify.recording import read

__all__ = ["rig"]
KILLS = max(2, round(20 * SCALE))
A_SECOND = DEVICES * VALUES * 10
CHOSEN = 11
"""Of a device's tags v_0 to v_99: v_1 and v_10 to v_19."""
WINDOW = 20_000
"""The most rows one write carries: with the rows of the second since the save all that may come twice."""


def recorded(rig: Rig) -> tuple[int, int]:
    """Return how many rows a subscriber has got, and how many of them were repeats."""
    seen: Counter[tuple[str, int, str, int]] = Counter()
    for record in read(rig.folder / "received.bin"):
        if not record.topic.rpartition("/")[2].startswith("_"):
            said = orjson.loads(record.payload)
            rows = said.get("row", range(len(said["v"])))
            seen.update((said["epoch"], said["seq"], said["dev"], row) for row in rows)
    return len(seen), sum(seen.values()) - len(seen)


def stored(rig: Rig) -> Counter[str]:
    """Return the rows of each source an independent reader finds in the store."""
    rows: Counter[str] = Counter()
    for _, _, source, _, batch in batches(rig.home / "data" / "buffer"):
        rows[source] += len(batch)
    return rows


def books(rig: Rig, sink: str = "platform") -> dict[str, Any]:
    """Return the sink's books as the last copy of the store has them."""
    connection = sqlite3.connect(rig.copies[-1] / "state.sqlite")
    ((text,),) = connection.execute("SELECT rows FROM books WHERE sink = ?", [sink]).fetchall()
    connection.close()
    return json.loads(text)


def told(rig: Rig) -> list[dict[str, Any]]:
    """Return what the gateway tells the page of the two sinks, from one instant."""
    with urllib.request.urlopen(f"http://127.0.0.1:{rig.status_port}/told", timeout=5) as reply:
        accounts = json.loads(reply.read())["accounts"]
    return [each for each in accounts if each["sink"] in ("platform", "part")]


def choose(rig: Rig) -> None:
    """Let a second sink get some of the tags."""
    plant = json.loads(rig.plant.read_text())
    part = {"prefix": "part", "select": [{"path": "**/v_1"}, {"path": "**/v_1?"}]}
    plant["sinks"]["part"] = plant["sinks"]["platform"] | part
    rig.plant.write_text(json.dumps(plant))


def sums(account: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Return what was acquired of each source, and what the rest adds up to."""
    parts = ("delivered", "buffered", "not_selected", "quarantined")
    return {
        each["source"]: (
            each["acquired"],
            sum(each[part] for part in parts) + sum(each["dropped"].values()),
        )
        for each in account["entries"]
    }


@pytest.mark.fault("A1")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(900)
def test_the_books_hold_over_kill_9_and_claim_nothing_a_subscriber_has_not_got(
    rig: Rig, record_measure
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    looks = 0
    choose(rig)
    for _ in range(KILLS):
        enough = chance.uniform(500, 15_000)
        with rig.gateway() as gateway:
            while True:
                wait_for(lambda: rig.metric("sink_up") == 2, "the connections to the broker", 60)
                for account in told(rig):
                    looks += 1
                    for source, (acquired, rest) in sums(account).items():
                        assert acquired == rest, (source, account)
                    assert sum(each["buffered"] for each in account["entries"]) == account["counted"]
                if rig.metric("sink_rows_total") > enough:
                    break
            gateway.end(signal.SIGKILL)
        rig.copy_store()
        # What the books call delivered the broker had before they were saved; it hands it on.
        claimed = sum(books(rig)["delivered"].values())
        wait_for(lambda: recorded(rig)[0] >= claimed, f"{claimed} rows at the subscriber")  # noqa: B023  now
    deliver_the_rest(rig)
    saved = books(rig)
    unique, repeated = recorded(rig)
    in_store = stored(rig)
    delivered = sum(saved["delivered"].values())
    waits = {source: rows - saved["delivered"].get(source, 0) for source, rows in in_store.items()}
    # Nothing was dropped, left out or refused: what is stored was delivered or waits, by source, to the row.
    assert not saved["dropped"]
    assert not saved["not_selected"]
    assert not saved["quarantined"]
    assert all(rows >= 0 for rows in waits.values()), waits
    assert delivered + sum(waits.values()) == sum(in_store.values())
    assert delivered <= unique <= delivered + sum(waits.values())
    check_part(rig, in_store)
    assert repeated <= KILLS * (WINDOW + 2 * A_SECOND)
    command = [sys.executable, "-m", "gateway", "ledger", str(rig.plant), "--json"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    lines = [line for line in json.loads(said.stdout) if line["sink"] == "platform"]
    assert all(line["holds"] for line in lines)
    assert sum(line["stood"]["delivered"] for line in lines) == delivered
    gaps = gaps_told(rig)
    assert gaps["gateway_away"] >= DEVICES
    counted = f"{delivered} delivered by the books, {unique} recorded, {repeated} twice"
    record_measure(
        f"{KILLS} kills under load, {looks} looks at the books, the sum right each time: {counted}"
    )


def check_part(rig: Rig, in_store: Counter[str]) -> None:
    """Check the books of who gets some of the tags: of each row one place, of each device the same share."""
    saved = books(rig, "part")
    assert not saved["dropped"]
    assert not saved["quarantined"]
    for source, rows in in_store.items():
        delivered, left = saved["delivered"][source], saved["not_selected"][source]
        assert delivered * (VALUES - CHOSEN) == left * CHOSEN > 0
        assert delivered + left <= rows


def gaps_told(rig: Rig) -> Counter[str]:
    """Return the gaps a subscriber was told of, each once, by reason."""
    found = {}
    for record in read(rig.folder / "received.bin"):
        if record.topic == "wanglian/cz/_gateway/g1/_gaps":
            said = orjson.loads(record.payload)
            found[said["gap"]] = said["reason"]
    return Counter(found.values())
