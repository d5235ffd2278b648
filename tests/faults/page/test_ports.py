"""A gateway with a link of every kind and a page: where it listens, as the kernel tells, and nowhere else."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.faults.page.test_beyond import listening
from tests.processes import free_port, python, started, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

NOBODY = {"host": "127.0.0.1", "port": 1}
TAG = {"tags": {"x": {"address": 0}}}


def plant(status: int, page: int) -> dict[str, Any]:
    heard = {"topic": "a", "device": "h", "tags": {"x": {}}}
    node = {"node": "nsu=urn:x;s=x"}
    return {
        "gateway": {"id": "g", "site": "s", "http_port": status},
        "page": {"port": page},
        "sources": {
            "sim": {"kind": "simulated", "devices": {"a": {"tags": {"x": {}}}}},
            "modbus": {"kind": "modbus_tcp", "devices": {"b": TAG}, **NOBODY},
            "opcua": {
                "kind": "opcua",
                "endpoint": "opc.tcp://127.0.0.1:1",
                "security": {"policy": "none"},
                "devices": {"c": {"tags": {"x": node}}},
            },
            "mqtt": {"kind": "mqtt", "messages": [heard], **NOBODY},
        },
        "sinks": {
            "broker": {"kind": "mqtt", **NOBODY},
            "edge": {"kind": "sparkplug", "group": "g", **NOBODY},
            "influx": {"kind": "influxdb", "url": "http://127.0.0.1:1", "bucket": "b"},
        },
    }


@pytest.mark.fault("S14")
def test_no_link_of_any_kind_opens_a_port(tmp_path: Path, record_measure) -> None:
    status, page = free_port(), free_port()
    wanted = plant(status, page)
    (tmp_path / "plant.yaml").write_text(json.dumps(wanted))
    with started("gateway", python("-m", "gateway", "run", tmp_path / "plant.yaml"), tmp_path) as gateway:
        wait_for(lambda: gateway.said("page running"), "the page", 60)
        for link in ("modbus", "opcua", "mqtt", "broker", "edge", "influx"):
            wait_for(lambda link=link: gateway.said(f"link='{link}'"), link, 60)  # type: ignore[misc]
        assert listening(gateway) == {("127.0.0.1", status), ("127.0.0.1", page)}
    kinds = len(wanted["sources"]) + len(wanted["sinks"])
    told = f"{kinds} kinds of links at work: 2 listeners, both on loopback by default, TCP and UDP looked at"
    record_measure(told, row="S14")
