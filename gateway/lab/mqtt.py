"""Sensors that publish on a broker, and everything wrong a message can be.

Message n of sensor s goes to `<topic>/<s>/data`: {"ts": ms since 1970, "seq": n, "values": {"v0": …}}; value
i is ((2654435761 ts + 40503 s + 7919 i) mod 2^24) / 8, exactly a float64: whoever receives it can check it.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from gateway.lab import told
from gateway.lab.scenario import Moment, Scenario
from gateway.lab.told import Told

MODULUS: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class Message:
    """One PUBLISH."""

    topic: str
    payload: bytes
    retain: bool = False
    qos: int = 1


@dataclass(frozen=True, slots=True)
class Reading:
    """What a sensor has to say."""

    topic: str
    sensor: int
    seq: int
    ts: int
    """ms since 1970."""
    values: int

    def message(self) -> Message:
        """Return it as a sensor in order sends it."""
        inside = ",".join(f'"v{i}":{value(self.sensor, self.ts, i)!r}' for i in range(self.values))
        payload = f'{{"ts":{self.ts},"seq":{self.seq},"values":{{{inside}}}}}'
        return Message(f"{self.topic}/{self.sensor}/data", payload.encode())


def value(sensor: int, ts: int, index: int) -> float:
    """Return what value `index` of a sensor is at `ts`, in ms."""
    return ((2654435761 * ts + 40503 * sensor + 7919 * index) % MODULUS) / 8


Wrong = Callable[[Reading], Iterator[Message]]


def _duplicate(reading: Reading) -> Iterator[Message]:
    yield reading.message()
    yield reading.message()


def _missing(reading: Reading) -> Iterator[Message]:  # noqa: ARG001
    yield from ()


def _earlier(reading: Reading) -> Iterator[Message]:
    """Send the message, then the one before it once more."""
    yield reading.message()
    yield replace(reading, seq=reading.seq - 1, ts=reading.ts - 1000).message()


def _retained(reading: Reading) -> Iterator[Message]:
    yield replace(reading.message(), retain=True)


def _instead(payload: bytes) -> Wrong:
    def wrong(reading: Reading) -> Iterator[Message]:
        yield replace(reading.message(), payload=payload)

    return wrong


def _cut_short(reading: Reading) -> Iterator[Message]:
    whole = reading.message()
    yield replace(whole, payload=whole.payload[: len(whole.payload) // 2])


def _huge(size: int) -> Wrong:
    def wrong(reading: Reading) -> Iterator[Message]:
        whole = reading.message()
        yield replace(whole, payload=whole.payload[:-1] + b',"x":"' + b"x" * size + b'"}')

    return wrong


def _not_a_number(reading: Reading) -> Iterator[Message]:
    whole = reading.message()
    yield replace(whole, payload=whole.payload.replace(b'"v0":', b'"v0":NaN,"was":'))


def _text_for_number(reading: Reading) -> Iterator[Message]:
    whole = reading.message()
    yield replace(whole, payload=whole.payload.replace(b'"v0":', b'"v0":"broken","was":'))


def _other_clock(off: float) -> Wrong:
    """A time that is off by so many seconds, into the future, or the past with a minus."""

    def wrong(reading: Reading) -> Iterator[Message]:
        yield replace(reading, ts=reading.ts + round(1000 * off)).message()

    return wrong


def _flood(count: int) -> Wrong:
    def wrong(reading: Reading) -> Iterator[Message]:
        for i in range(count):
            yield replace(reading, ts=reading.ts + i).message()

    return wrong


def _new_topics(count: int) -> Wrong:
    def wrong(reading: Reading) -> Iterator[Message]:
        whole = reading.message()
        for i in range(count):
            yield replace(whole, topic=f"{reading.topic}/{reading.sensor}x{reading.seq}x{i}/data")

    return wrong


FAULTS: Final[Mapping[str, Callable[[Told], Wrong]]] = {
    "duplicate": told.plain(_duplicate),
    "missing": told.plain(_missing),
    "earlier_again": told.plain(_earlier),
    "retained": told.plain(_retained),
    "empty": told.plain(_instead(b"")),
    "not_json": told.plain(_instead(b"temperature=21.5")),
    "not_utf8": told.plain(_instead(b'{"values":{"v0":"\xff\xfe"}}')),
    "deep": told.plain(_instead(b"[" * 5000)),
    "half": told.plain(_cut_short),
    "huge": told.octets(2 * 2**20, _huge),
    "not_a_number": told.plain(_not_a_number),
    "text_for_number": told.plain(_text_for_number),
    "other_clock": told.seconds(3600.0, _other_clock, signed=True),
    "flood": told.number(1000, _flood),
    "new_topics": told.number(1000, _new_topics),
}
"""By the name a scenario calls it; what a fault is told replaces its default."""


class Sensors:
    """Sensors that speak in turn; what they say now, and what goes wrong with it."""

    def __init__(
        self, scenario: Scenario, *, topic: str = "sensors", sensors: int = 5, values: int = 4
    ) -> None:
        self.said = 0
        self._scenario = scenario
        self._topic, self._sensors, self._values = topic, sensors, values
        self._began = time.monotonic()

    def next(self, now_ms: int) -> list[Message]:
        """Return what is published next: one message of the next sensor, or what a fault makes of it."""
        sensor, seq = self.said % self._sensors, self.said // self._sensors + 1
        self.said += 1
        reading = Reading(self._topic, sensor, seq, now_ms, self._values)
        fault = self._scenario.at(Moment(self.said, time.monotonic() - self._began, sensor))
        return [reading.message()] if fault is None else list(FAULTS[fault.fault](fault.value)(reading))


async def publish(sensors: Sensors, host: str, port: int, rate: float) -> None:
    """Publish `rate` readings a second until cancelled; OSError when the broker can't be reached."""
    client = Client(CallbackAPIVersion.VERSION2)
    await asyncio.to_thread(client.connect, host, port)
    client.loop_start()
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        while True:
            for message in sensors.next(time.time_ns() // 1_000_000):
                client.publish(message.topic, message.payload, message.qos, message.retain)
            await asyncio.sleep(max(0.0, began + sensors.said / rate - loop.time()))
    finally:
        client.disconnect()
        client.loop_stop()
