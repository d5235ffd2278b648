"""Four platforms over kill -9: each has every Good row the store accepted, and no other."""

import json
import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.processes import free_port, python, started, wait_for
from tests.servers.platforms.aliyun import Aliyun
from tests.servers.platforms.onenet import OneNet
from tests.servers.platforms.stand_in import Platform
from tests.unit.platforms.rigs import PLATFORMS, called, platform
from tests.verify.gaps import noted, told
from tests.verify.read_store import batches

KILLS = max(2, round(20 * float(os.environ.get("WL_SCALE", "0.1"))))
METERS = ("m1", "m2")
MS = 1_000_000
FORMATS: dict[str, dict[str, Any]] = {
    "thingsboard": {"token": "${env:TOKEN}"},
    "huawei_iotda": {
        "device_id": "gw1",
        "secret": "${env:SECRET}",
        "service": "meter",
        "devices": {f"cz/press/line1/{meter}": {"device_id": f"id_{meter}"} for meter in METERS},
    },
    "aliyun": {
        "product_key": "gwpk",
        "device_name": "gw1",
        "secret": "${env:SECRET}",
        "gaps": "lost",
        "devices": {
            f"cz/press/line1/{meter}": {
                "product_key": "pk",
                "device_name": meter,
                "secret": f"${{env:SECRET_{meter.upper()}}}",
            }
            for meter in METERS
        },
    },
    "onenet": {
        "product_id": "gwpid",
        "device_name": "gw1",
        "key": "${env:KEY}",
        "gaps": "lost",
        "devices": {
            f"cz/press/line1/{meter}": {"product_id": "pid", "device_name": meter} for meter in METERS
        },
    },
}


def stored(folder: Path, kind: str) -> dict[tuple[str, str, int], Any]:
    """Return what a platform must have of the store: Good rows by device, name and millisecond."""
    return {
        (called(kind, path.split("/")[3]), path.split("/")[4], at // MS): value
        for _, _, _, _, rows in batches(folder)
        for path, at, value, quality in rows
        if quality < 2**31
    }


@pytest.mark.fault("A1", "B6")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(300)
def test_over_kills_every_platform_has_every_accepted_row_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_measure: Callable[..., None]
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    secrets = {"TOKEN": "T0KEN", "SECRET": "gw-s3cret", "SECRET_M1": "s-m1", "SECRET_M2": "s-m2"}
    secrets["KEY"] = "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw="
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    with ExitStack() as stack:
        peers: dict[str, Platform] = {
            kind: stack.enter_context(platform(kind, tmp_path / kind, METERS)) for kind in PLATFORMS
        }
        for peer in peers.values():
            if isinstance(peer, Aliyun | OneNet):
                peer.events.add("lost")
        tags = {"x": {"period": "3s", "count": 3}, "c": {"shape": "constant"}}
        devices = {meter: {"at": "press/line1", "scan": "50ms", "tags": tags} for meter in METERS}
        sinks = {
            kind: {
                "kind": "mqtt",
                "host": "127.0.0.1",
                "port": peer.port,
                "version": "3.1.1",
                "keepalive": "60s",
                "format": {"kind": kind, **FORMATS[kind]},
            }
            for kind, peer in peers.items()
        }
        plant = {
            "page": {"enabled": False},
            "history": {"enabled": False},
            "gateway": {"id": "g1", "site": "cz", "http_port": free_port()},
            "sources": {"sim": {"kind": "simulated", "devices": devices}},
            "sinks": sinks,
        }
        file = tmp_path / "plant.yaml"
        file.write_text(json.dumps(plant))
        run = python("-m", "gateway", "run", file)
        for _ in range(KILLS):
            peer = peers[chance.choice(PLATFORMS)]
            enough = len(peer.taken) + chance.randrange(50, 300)
            with started("gateway", run, tmp_path) as gateway:
                wait_for(lambda: len(peer.taken) > enough, "some readings", 60)  # noqa: B023
                gateway.end(signal.SIGKILL)
        with started("gateway", run, tmp_path) as gateway:
            begun = time.time() * 1000
            wait_for(
                lambda: all(peer.taken and peer.taken[-1].ms > begun for peer in peers.values()),
                "new readings on each",
                60,
            )
            folder = tmp_path / "data" / "buffer"
            before = {
                kind: {k: v for k, v in stored(folder, kind).items() if k[2] < begun} for kind in PLATFORMS
            }
            wait_for(
                lambda: all(before[kind].keys() <= peer.stored().keys() for kind, peer in peers.items()),
                "the end of the backlog",
                60,
            )
            assert gateway.end(signal.SIGTERM) == 0, gateway.log.read_text()
        for kind, peer in peers.items():
            has, store = peer.stored(), stored(folder, kind)
            assert peer.faults == []
            assert len(before[kind]) > 20 * KILLS
            assert {key: has[key] for key in before[kind]} == before[kind], kind
            assert not has.keys() - store.keys(), f"{kind}: told what was never stored"
            assert all(store[key] == value for key, value in has.items()), kind
            assert told(peer.gaps.values()) == noted(folder), kind
    rows = len(before["aliyun"])
    gaps = len(noted(folder))
    record_measure(
        f"{KILLS} kills under four platforms, {rows:,} rows: L = 0 on each, no value but the store's; "
        f"{gaps} gaps told to each, each once"
    )
