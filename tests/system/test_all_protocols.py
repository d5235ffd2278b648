"""Four protocols in, MQTT and VictoriaMetrics out: nothing lost, doubled, reordered or wrong."""

import os
import random
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
    books = factory.books()
    print(books.markdown())
    published = factory.published()
    missing, doubled = books.published(published, SENSOR_VALUES)
    print(f"{len(published)} messages acknowledged by the input broker: {missing} missing, {doubled} doubled")
    assert all(line.ok for line in books.lines), books.markdown()
    assert {line.source for line in books.lines} == {"plc0", "plc1", "plc2", "line", "cell", "sensors"}
    assert published
    assert (missing, doubled) == (0, 0), books.markdown()


@pytest.mark.fault("A1")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(1800)
def test_kill_9_under_four_protocols_and_two_destinations(factory: Factory) -> None:
    """With every kind of source and both kinds of sink."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(KILLS):
        # From the first breath, when nothing but the gap is told, to three seconds of work.
        scans = chance.uniform(0, 30) * PLC_VALUES
        with factory.gateway() as gateway:
            wait_for(lambda: factory.metric('source_rows_total{source="plc0"') > scans, "a while of work", 90)  # noqa: B023  now
            factory.kill(gateway)
    with factory.gateway() as gateway:
        factory.finish(gateway)
    close_the_books(factory)


@pytest.mark.fault("B1")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(1800)
def test_broker_and_database_away_and_the_input_broker_restarted(factory: Factory) -> None:
    """The restart of everything that speaks MQTT or HTTP, while all sources are read."""

    def away(part: float) -> None:
        oldest = 'sink_backlog_oldest_seconds{sink="platform"'
        wait_for(lambda: factory.metric(oldest) > part * AWAY_S, "a part of the outage", AWAY_S + 60)

    with factory.gateway() as gateway:
        wait_for(lambda: factory.metric("sink_rows_total") > 2 * ROWS_A_SECOND, "rows at both", 90)
        factory.platform.stop()
        away(1 / 3)
        # In order: killed outright it forgets what it accepted in the last seconds, by its own design.
        factory.victoria.stop()
        factory.inputs.stop()
        factory.inputs.start()
        away(2 / 3)
        factory.victoria.start()
        away(1)
        factory.platform.start()
        for link in ('sink_sessions_total{sink="platform"', 'sink_sessions_total{sink="history"'):
            wait_for(lambda: factory.metric(link) > 1, f"a second {link}", 90)  # noqa: B023  now
        assert factory.metric('source_sessions_total{source="sensors"') > 1
        factory.finish(gateway)
    close_the_books(factory)
