"""One sink of three is dead: the others do not notice, and it misses nothing once it lives."""

import json
import signal
import socket

import pytest

from tests.processes import free_port, wait_for
from tests.servers.broker import Broker
from tests.system.rig import DEVICES, SCALE, VALUES, Rig, deliver_the_rest, rig
from tests.verify.metrics import metric_of

__all__ = ["rig"]
AWAY_ROWS = 5_000 * 60 * SCALE
LAG_S = 1.0


def of_sink(rig: Rig, name: str, sink: str) -> float:
    """Return one sample of one sink."""
    return metric_of(rig.status_port, name, f'sink="{sink}"')


@pytest.mark.fault("B16")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(900)
def test_a_dead_sink_holds_no_other_up_and_gets_everything_later(rig: Rig, record_measure) -> None:
    dead = free_port()
    with_one = rig.plant.read_text()
    plant = json.loads(with_one)
    plant["sinks"]["second"] = plant["sinks"]["platform"] | {"prefix": "second"}
    plant["sinks"]["dead"] = plant["sinks"]["platform"] | {"port": dead, "prefix": "late"}
    rig.plant.write_text(json.dumps(plant))
    lags = []
    # It takes connections and never says a word: worse than one that is not there.
    with rig.gateway() as gateway, socket.create_server(("127.0.0.1", dead)) as silent:
        wait_for(lambda: rig.metric("sink_rows_total") > 5_000, "rows at the broker", 60)
        while (waiting := of_sink(rig, "sink_backlog_rows", "dead")) < AWAY_ROWS:
            lags += [of_sink(rig, "sink_backlog_oldest_seconds", each) for each in ("platform", "second")]
        assert of_sink(rig, "sink_up", "dead") == 0
        silent.close()
        with Broker(rig.folder / "late", port=dead):
            wait_for(lambda: of_sink(rig, "sink_backlog_rows", "dead") < DEVICES * VALUES, "the backlog", 120)
            came = of_sink(rig, "sink_rows_total", "dead")
        assert gateway.end(signal.SIGTERM) == 0
    assert came >= waiting
    assert sorted(lags)[len(lags) // 2] < LAG_S, "the others wait for it"
    assert sorted(lags)[len(lags) * 99 // 100] < LAG_S or SCALE < 1
    rig.plant.write_text(with_one)
    deliver_the_rest(rig)
    report = rig.verdict()
    assert report.ok, report.json()
    record_measure(
        f"{waiting:.0f} rows waited for the dead one; the others' oldest {max(lags):.2f} s at most"
    )
