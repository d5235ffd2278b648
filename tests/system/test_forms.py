"""Every form of MQTT messages over kill -9: what the store accepted is there, once by its key, unchanged."""

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.processes import free_port, python, started, wait_for
from tests.servers.broker import Broker
from tests.verify.gaps import noted, told
from tests.verify.metrics import metrics
from tests.verify.mqtt_forms import Reading, parse, read_per_tag, read_values
from tests.verify.read_store import batches
from tests.verify.recording import read

KILLS = max(2, round(20 * float(os.environ.get("WL_SCALE", "0.1"))))
MS = 1_000_000
ROWS = (
    '{"id": [{{ epoch | tojson }}, {{ seq }}], "late": {{ late }}, "rows": [{% for r in rows %}'
    "[{{ r.number }}, {{ r.tag | tojson }}, {{ r.time_ms }}, {{ r.value | tojson }}, {{ r.quality }}]"
    '{{ "," if not loop.last }}{% endfor %}]}'
)
FORMATS: dict[str, Any] = {
    "json": {"kind": "json"},
    "values": {"kind": "values"},
    "values_list": {"kind": "values", "list": True},
    "per_tag": {"kind": "per_tag"},
    "template": {
        "kind": "template",
        "each": "device",
        "topic": "wl/template/{{ path }}",
        "payload": ROWS,
        "gaps": "wl/template/_lost",
    },
}


def of_json(_topic: str, payload: bytes) -> Iterable[Reading]:
    said = parse(payload)
    n = len(said["v"])
    columns = (
        said.get("row", range(n)),
        said["tags"],
        said.get("dt", [0] * n),
        said["v"],
        said.get("q", [0] * n),
    )
    for row, tag, dt, value, quality in zip(*columns, strict=True):
        key = (said["gw"], said["epoch"], said["seq"], row)
        yield Reading(f"{said['dev']}/{tag}", (said["t0"] + dt) // MS, value, quality, key)


def of_template(topic: str, payload: bytes) -> Iterable[Reading]:
    said = parse(payload)
    path = topic.removeprefix("wl/template/")
    for row, tag, ms, value, quality in said["rows"]:
        yield Reading(f"{path}/{tag}", ms, value, quality, ("g1", *said["id"], row))


READERS: dict[str, Callable[[str, bytes], Iterable[Reading]]] = {
    "json": of_json,
    "values": lambda topic, payload: read_values(topic, payload, prefix="wl/values"),
    "values_list": lambda topic, payload: read_values(topic, payload, prefix="wl/values_list", is_list=True),
    "per_tag": lambda topic, payload: [read_per_tag(topic, payload, prefix="wl/per_tag")],
    "template": of_template,
}


def arrived(got: Path, form: str) -> dict[Any, Reading]:
    """Return what a consumer has that upserts by the key; a key that comes again says the same."""
    found: dict[Any, Reading] = {}
    for record in read(got) if got.exists() else ():
        if record.topic.startswith(f"wl/{form}/") and not record.topic.rpartition("/")[2].startswith("_"):
            for each in READERS[form](record.topic, record.payload):
                before = found.setdefault(each.key, each)
                told = (each.path, each.time, each.value, each.quality)
                assert told == (before.path, before.time, before.value, before.quality)
    return found


@pytest.mark.fault("A1", "B6")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(300)
def test_over_kills_every_form_brings_every_accepted_row_once_by_its_key(
    tmp_path: Path, record_measure
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    got = tmp_path / "got"
    with Broker(tmp_path / "broker", persistence=True) as broker:
        status_port = free_port()
        sink = {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port}
        tags = {"x": {"period": "3s", "count": 5}, "c": {"shape": "constant"}}
        devices = {name: {"scan": "20ms", "tags": tags} for name in ("a", "b")}
        plant = {
            "page": {"enabled": False},
            "history": {"enabled": False},
            "gateway": {"id": "g1", "site": "cz", "http_port": status_port},
            "sources": {"sim": {"kind": "simulated", "devices": devices}},
            "sinks": {
                name: sink | {"prefix": f"wl/{name}", "format": form} for name, form in FORMATS.items()
            },
        }
        file = tmp_path / "plant.yaml"
        file.write_text(json.dumps(plant))
        listen = python("-m", "tests.verify.subscriber", "--port", str(broker.port), "--out", got)
        with started("subscriber", [*listen, "--prefix", "wl"], tmp_path) as subscriber:
            wait_for(lambda: subscriber.said("subscribed"), "the subscription")
            size = 0
            for _ in range(KILLS):
                with started("gateway", python("-m", "gateway", "run", file), tmp_path) as gateway:
                    size += chance.randrange(20_000, 120_000)
                    wait_for(lambda: got.exists() and got.stat().st_size > size, "some messages", 60)  # noqa: B023
                    gateway.end(signal.SIGKILL)
                size = got.stat().st_size
            with started("gateway", python("-m", "gateway", "run", file), tmp_path) as gateway:
                size += 100_000
                wait_for(lambda: got.stat().st_size > size, "the last messages", 60)
                wait_for(
                    lambda: metrics(status_port)["sink_backlog_rows"] < 500, "the end of the backlog", 60
                )
                assert gateway.end(signal.SIGTERM) == 0, gateway.log.read_text()
            stored = {
                (epoch, seq, row): (path, time // MS, None if quality >= 2**31 else value, quality)
                for epoch, seq, _, _, rows in batches(tmp_path / "data" / "buffer")
                for row, (path, time, value, quality) in enumerate(rows)
            }
            end = newest(stored)[1] - 20
            wait_for(lambda: all(newest(arrived(got, form))[1] >= end for form in FORMATS), "all forms", 30)
    for form in FORMATS:
        found = arrived(got, form)
        has = Counter(
            (key[1], key[2], each.path, each.time, repr(each.value), each.quality)
            for key, each in found.items()
        )
        delivered = Counter(
            (epoch, seq, path, ms, repr(value), quality)
            for (epoch, seq, _), (path, ms, value, quality) in stored.items()
        )
        assert not has - delivered, f"{form}: told what was never stored, or twice under two keys"
        # What was stored in the last moments before the end goes out with the next start.
        through = newest(found)
        missing = {each for each in delivered - has if order(each) <= through}
        assert not missing, f"{form}: {len(missing)} rows are missing, e.g. {sorted(missing)[:3]}"
        assert len(found) > 50 * KILLS
        topic = "wl/template/_lost" if form == "template" else f"wl/{form}/cz/_gateway/g1/_gaps"
        records = [json.loads(each.payload) for each in read(got) if each.topic == topic]
        assert told(records) == noted(tmp_path / "data" / "buffer"), form
        assert len(records) >= KILLS
    record_measure(
        f"{KILLS} kills under five sinks of five forms, {len(stored):,} rows: L = 0, no key twice; "
        f"{len(told(records))} gaps told by each"
    )


def order(key: Any) -> tuple[int, int]:
    """Return what grows with every stored batch: the epoch's ordinal, the batch's number."""
    epoch, seq = key[1:3] if key[0] == "g1" else key[:2]
    return int(epoch.partition("-")[0]), seq


def newest(keys: Iterable[Any]) -> tuple[int, int]:
    return max(map(order, keys), default=(0, 0))
