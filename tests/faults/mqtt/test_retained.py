"""A counter's retained value, which comes again at every connection: it is no reading of that moment."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client

from config.connections import MqttSource
from connectors import Batch, Delivery
from connectors.mqtt import Mqtt
from connectors.quality import GOOD, UNCERTAIN_INITIAL_VALUE
from tests.faults.mqtt.test_source import publish, read_until
from tests.servers.broker import Broker
from tests.unit.energy.lab import EPOCH, MINUTE, Clock, Lab, plant_of

pytestmark = pytest.mark.server

COUNTER: dict[str, Any] = {
    "topic": "plant/+", "at": "hall/line", "device": "{1}", "tags": {"e_import": {"path": "x", "unit": "kWh"}}
}  # fmt: skip
STAMPED = {**COUNTER, "time": {"path": "ts", "form": "unix_ns"}}
AWAY = ("08:00", 1000.0)
"""The last reading before the gateway goes; it connects again at ten."""
BACK = (("10:15", 1100.0), ("10:30", 1110.0))


class Wall(Clock):
    """A wall clock that stands where it is told; intervals go on."""

    def monotonic(self) -> int:
        return time.monotonic_ns()


class Site:
    """Books of what a broker's counter says."""

    def __init__(
        self, folder: Path, broker: Broker, publisher: Client, messages: dict[str, Any], *, qos: int = 1
    ) -> None:
        self.lab = Lab(folder, plant_of({}, scan="15min"))
        self._publisher = publisher
        self._clock = Wall()
        given = {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port, "version": "3.1.1"}
        self._options = MqttSource.model_validate({**given, "qos": qos, "messages": [messages]})

    def turn(self, at: str) -> int:
        self._clock.wall = self.lab.at(f"2026-03-02T{at}")
        return self._clock.wall

    def publish(self, at: str, value: float, *, retain: bool = False) -> None:
        publish(self._publisher, "plant/m", b'{"x": %r, "ts": %d}' % (value, self.turn(at)), retain=retain)

    async def session(self, at: str, *live: tuple[str, float], retained: float | None) -> list[int]:
        """Connect and book what comes; return the qualities of what was retained."""
        self.turn(at)
        found: list[Batch] = []
        source = Mqtt(
            "src",
            self._options,
            gateway=self.lab.folder.name,
            site="s",
            tags=self.lab.tags,
            clock=self._clock,
        )
        async with asyncio.timeout(20), source as opened:
            if retained is not None:
                found += await read_until(opened, retained)
            initial = [int(code) for batch in found for part in batch.parts for code in part.quality]
            for then, value in live:
                self.publish(then, value)
                found += await read_until(opened, value)
        for batch in found:
            self.lab.seq += 1
            self.lab.book(delivery := Delivery(batch, EPOCH, self.lab.seq), delivery)
        return initial

    async def day(self, retained: float | None) -> list[int]:
        return [
            *await self.session("07:59", AWAY, retained=retained),
            *await self.session("10:00", *BACK, retained=retained),
        ]

    def quarter(self, at: str) -> float:
        """Return the kWh of a quarter of an hour."""
        first = self.lab.at(f"2026-03-02T{at}")
        answer = self.lab.query.energy("m", "15min", first, first + 15 * MINUTE)
        return float(answer.amount(answer.total) or 0)


@pytest.mark.fault("G3")
@pytest.mark.parametrize("stale", [1000.25, 940.5, 90_000.5], ids=["the last", "older", "of another meter"])
async def test_a_retained_counter_without_a_time_leaves_the_books_as_they_are_without_it(
    broker: Broker, publisher: Client, tmp_path: Path, stale: float, record_measure
) -> None:
    """Taken for a reading of ten o'clock it put all of two hours into one quarter."""
    straight = Site(tmp_path / "straight", broker, publisher, COUNTER)
    assert await straight.day(None) == []
    site = Site(tmp_path / "retained", broker, publisher, COUNTER)
    site.publish("06:00", stale, retain=True)
    assert await site.day(stale) == [UNCERTAIN_INITIAL_VALUE] * 2
    assert site.lab.ledger.digest() == straight.lab.ledger.digest()
    quarter = site.quarter("10:00")
    assert quarter == pytest.approx(100 / 9, abs=0.01)
    record_measure(f"of 100 kWh in nine quarters of an hour the last has {quarter:.1f}, as without it")
    straight.lab.ledger.close()
    site.lab.ledger.close()


@pytest.mark.fault("G3")
async def test_a_retained_counter_with_its_own_time_is_the_reading_of_then(
    broker: Broker, publisher: Client, tmp_path: Path
) -> None:
    site = Site(tmp_path / "books", broker, publisher, STAMPED)
    site.publish(*AWAY, retain=True)
    assert await site.day(AWAY[1]) == [GOOD] * 2
    straight = Lab(tmp_path / "straight", site.lab.plant)
    straight.feed("m", [(f"2026-03-02T{at}", value) for at, value in (AWAY, *BACK)])
    assert site.lab.ledger.digest() == straight.ledger.digest()
    straight.ledger.close()
    site.lab.ledger.close()


async def test_with_qos_0_the_broker_keeps_nothing_that_would_be_stamped_when_it_comes(
    broker: Broker, publisher: Client, tmp_path: Path
) -> None:
    site = Site(tmp_path / "books", broker, publisher, COUNTER, qos=0)
    await site.session("07:59", AWAY, retained=None)
    for minute in range(10, 60, 10):
        site.publish(f"08:{minute}", AWAY[1] + minute)
    await site.session("10:00", *BACK, retained=None)
    assert site.quarter("10:00") == pytest.approx(100 / 9, abs=0.01)
    site.lab.ledger.close()
