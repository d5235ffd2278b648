"""The name of a broker leads to another address: found at the next connection, without a person."""

import json
import signal
import time
from pathlib import Path

import pytest

from tests.processes import free_port, python, started, wait_for
from tests.servers.broker import Broker
from tests.verify.metrics import metric

BEFORE, AFTER = "127.0.0.2", "127.0.0.3"


@pytest.mark.fault("B11")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(180)
def test_a_name_that_moves_to_another_address_is_followed(tmp_path: Path, record_measure) -> None:
    hosts, port, status = tmp_path / "hosts", free_port(), free_port()
    hosts.write_text(f"{BEFORE} broker.plant\n")
    tags = {f"x_{i}": {"shape": "sine"} for i in range(5)}
    plant = {
        "gateway": {"id": "g1", "site": "cz", "http_port": status},
        "sources": {"sim": {"kind": "simulated", "devices": {"d": {"scan": "100ms", "tags": tags}}}},
        "sinks": {"platform": {"kind": "mqtt", "host": "broker.plant", "port": port}},
        "page": {"enabled": False},
        "history": {"enabled": False},
    }
    (tmp_path / "plant.yaml").write_text(json.dumps(plant))
    # A mount namespace of its own: only the gateway sees this hosts file.
    bound = ["unshare", "--mount", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh"]
    command = [*bound, *python("-m", "gateway", "run", tmp_path / "plant.yaml")]
    with started("gateway", command, tmp_path) as gateway:
        with Broker(tmp_path / "before", host=BEFORE, port=port):
            wait_for(lambda: metric(status, "sink_rows_total") > 50, "rows at the first address", 60)
        wait_for(lambda: metric(status, "sink_up") == 0, "the loss")
        hosts.write_text(f"{AFTER} broker.plant\n")
        with Broker(tmp_path / "after", host=AFTER, port=port):
            began, rows = time.monotonic(), metric(status, "sink_rows_total")
            wait_for(lambda: metric(status, "sink_rows_total") > rows, "rows at the second address", 60)
            found = time.monotonic() - began
            assert found <= 30
            assert gateway.end(signal.SIGTERM) == 0
    record_measure(f"rows at the new address {found:.1f} s after it was there")
