"""Four protocols in, MQTT and VictoriaMetrics out: nothing lost, doubled, reordered or wrong."""

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import wait_for
from tests.system.all_protocols import PLC_VALUES, ROWS_A_SECOND, SENSOR_VALUES, Factory

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
KILLS = max(2, round(20 * SCALE))
AWAY_S = 30 * SCALE


@pytest.fixture
def factory(tmp_path: Path) -> Iterator[Factory]:
    with Factory(tmp_path) as factory:
        yield factory


def close_the_books(factory: Factory) -> None:
    factory.deliver_the_rest()
    books = factory.books()
    print(books.markdown())
    published = factory.published()
    missing, doubled = books.published(published, SENSOR_VALUES)
    print(f"{len(published)} messages acknowledged by the input broker: {missing} missing, {doubled} doubled")
    assert all(line.ok for line in books.lines), books.markdown()
    assert {line.source for line in books.lines} == {"plc0", "plc1", "plc2", "line", "cell", "sensors"}
    assert published
    assert (missing, doubled) == (0, 0), books.markdown()


@pytest.mark.fault
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(1800)
def test_kill_9_under_four_protocols_and_two_destinations(factory: Factory) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(KILLS):
        # From the first breath, when nothing but the gap is told, to three seconds of work.
        scans = chance.uniform(0, 30) * PLC_VALUES
        with factory.gateway() as gateway:
            wait_for(lambda: factory.metric('source_rows_total{source="plc0"') > scans, "a while of work", 90)  # noqa: B023  now
            factory.kill(gateway)
    close_the_books(factory)


@pytest.mark.fault
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(1800)
def test_broker_and_database_away_and_the_input_broker_restarted(factory: Factory) -> None:
    with factory.gateway() as gateway:
        wait_for(lambda: factory.metric("sink_rows_total") > 2 * ROWS_A_SECOND, "rows at both", 90)
        factory.platform.stop()
        wait_for(
            lambda: factory.metric("sink_backlog_rows") > AWAY_S / 3 * ROWS_A_SECOND, "a backlog", AWAY_S + 60
        )
        # In order: killed outright it forgets what it accepted in the last seconds, by its own design.
        factory.victoria.stop()
        factory.inputs.stop()
        factory.inputs.start()
        wait_for(
            lambda: factory.metric("sink_backlog_rows") > AWAY_S * ROWS_A_SECOND, "a backlog", AWAY_S + 60
        )
        factory.victoria.start()
        wait_for(
            lambda: (
                factory.metric("sink_backlog_rows") > 1.2 * AWAY_S * ROWS_A_SECOND
                or factory.metric('sink_up{sink="history"') == 1
            ),
            "the database or a longer outage",
            60,
        )
        factory.platform.start()
        wait_for(lambda: factory.metric("sink_up") == 2, "both destinations", 90)
        wait_for(lambda: factory.metric("sink_backlog_rows") < ROWS_A_SECOND, "the end of the backlog", 120)
        assert gateway.end(signal.SIGTERM) == 0, gateway.log.read_text()
    close_the_books(factory)
