"""B17: what the gateway publishes reaches its own source by a way the plant file does not show."""

import json
from pathlib import Path

import pytest

from tests.processes import free_port, python, started, wait_for
from tests.servers.broker import Broker
from tests.verify.metrics import metric


@pytest.mark.fault("B17")
@pytest.mark.system
@pytest.mark.server
def test_our_own_output_that_comes_back_over_a_bridge_does_not_go_round(
    tmp_path: Path, record_measure
) -> None:
    status, far_port = free_port(), free_port()
    with Broker(tmp_path / "near") as near:
        bridge = (
            "connection up",
            f"address 127.0.0.1:{near.port}",
            "topic wanglian/# in 1",
            "try_private false",
        )
        with Broker(tmp_path / "far", port=far_port, settings=bridge) as far:
            read = {"topic": "wanglian/+/+/+/+", "device": "{3}_{4}", "at": "back/again"}
            read["tags"] = {"x": {"path": "v[0]"}}
            plant = {
                "gateway": {"id": "g1", "site": "cz", "http_port": status},
                "page": {"enabled": False},
                "history": {"enabled": False},
                "sources": {
                    "sim": {
                        "kind": "simulated",
                        "devices": {"d": {"at": "a/l", "scan": "500ms", "tags": {"x": {}}}},
                    },
                    "in": {"kind": "mqtt", "host": "127.0.0.1", "port": far.port, "messages": [read]},
                },
                "sinks": {"out": {"kind": "mqtt", "host": "127.0.0.1", "port": near.port}},
            }
            (tmp_path / "plant.yaml").write_text(json.dumps(plant))
            with started("gateway", python("-m", "gateway", "run", tmp_path / "plant.yaml"), tmp_path) as run:
                wait_for(lambda: metric(status, "source_messages_total") >= 6, "our own messages", 60)
                stored, own = (
                    metric(status, f"{name}_total") for name in ("store_rows", "source_own_output")
                )
                scanned = metric(status, 'source_rows_total{source="sim"')
                assert run.end() == 0, run.log.read_text()
    assert own >= 6
    assert stored <= scanned + 1
    record_measure(f"{own:.0f} of our own messages came back over a bridge: not one was taken")
