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

from gateway.lab import amounts
from gateway.lab.scenario import Moment, Scenario

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


Told = str | float | None
Wrong = Callable[[Reading, Told], Iterator[Message]]


def _duplicate(reading: Reading, _: Told) -> Iterator[Message]:
    yield reading.message()
    yield reading.message()


def _missing(reading: Reading, _: Told) -> Iterator[Message]:  # noqa: ARG001
    yield from ()


def _earlier(reading: Reading, _: Told) -> Iterator[Message]:
    """Send the message, then the one before it once more."""
    yield reading.message()
    yield replace(reading, seq=reading.seq - 1, ts=reading.ts - 1000).message()


def _retained(reading: Reading, _: Told) -> Iterator[Message]:
    yield replace(reading.message(), retain=True)


def _instead(payload: bytes) -> Wrong:
    def wrong(reading: Reading, _: Told) -> Iterator[Message]:
        yield replace(reading.message(), payload=payload)

    return wrong


def _cut_short(reading: Reading, _: Told) -> Iterator[Message]:
    whole = reading.message()
    yield replace(whole, payload=whole.payload[: len(whole.payload) // 2])


def _huge(reading: Reading, told: Told) -> Iterator[Message]:
    size = amounts.octets("2MiB" if told is None else told)
    whole = reading.message()
    yield replace(whole, payload=whole.payload[:-1] + b',"x":"' + b"x" * size + b'"}')


def _not_a_number(reading: Reading, _: Told) -> Iterator[Message]:
    whole = reading.message()
    yield replace(whole, payload=whole.payload.replace(b'"v0":', b'"v0":NaN,"was":'))


def _text_for_number(reading: Reading, _: Told) -> Iterator[Message]:
    whole = reading.message()
    yield replace(whole, payload=whole.payload.replace(b'"v0":', b'"v0":"broken","was":'))


def _other_clock(reading: Reading, told: Told) -> Iterator[Message]:
    """A time that is off by so much, into the future, or the past with a minus."""
    text = str("1h" if told is None else told)
    off = -amounts.seconds(text[1:]) if text.startswith("-") else amounts.seconds(text)
    yield replace(reading, ts=reading.ts + round(1000 * off)).message()


def _flood(reading: Reading, told: Told) -> Iterator[Message]:
    for i in range(int(1000 if told is None else told)):
        yield replace(reading, ts=reading.ts + i).message()


def _new_topics(reading: Reading, told: Told) -> Iterator[Message]:
    whole = reading.message()
    for i in range(int(1000 if told is None else told)):
        yield replace(whole, topic=f"{reading.topic}/{reading.sensor}x{reading.seq}x{i}/data")


FAULTS: Final[Mapping[str, Wrong]] = {
    "duplicate": _duplicate,
    "missing": _missing,
    "earlier_again": _earlier,
    "retained": _retained,
    "empty": _instead(b""),
    "not_json": _instead(b"temperature=21.5"),
    "not_utf8": _instead(b'{"values":{"v0":"\xff\xfe"}}'),
    "deep": _instead(b"[" * 5000),
    "half": _cut_short,
    "huge": _huge,
    "not_a_number": _not_a_number,
    "text_for_number": _text_for_number,
    "other_clock": _other_clock,
    "flood": _flood,
    "new_topics": _new_topics,
}
"""By the name a scenario calls it."""


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
        return [reading.message()] if fault is None else list(FAULTS[fault.fault](reading, fault.value))


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
