"""What every stand-in has: mosquitto behind a door, a client that hears and answers, a book of what it took.

What a gateway does against a platform's documents is written down in `faults`; the tests want none.
"""

import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, NamedTuple, Self

import orjson
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.servers.broker import Broker
from tests.servers.platforms.door import ACCEPTED, Connect, Door


class Reading(NamedTuple):
    """One value a platform has stored."""

    device: str
    """As the platform calls it."""
    name: str
    ms: int
    value: Any


class Platform(ABC):
    """A platform on loopback while entered."""

    levels = (4,)
    """The MQTT versions it takes; 4 is 3.1.1."""
    keepalive = (1, 65_535)
    filters: tuple[str, ...]

    def __init__(self, directory: Path) -> None:
        self.broker = Broker(directory, persistence=True)
        self.taken: list[Reading] = []
        """In order of arrival, repeats too."""
        self.gaps: dict[object, Any] = {}
        """The records of gaps, as a platform keeps what comes: by the place it has for each."""
        self.faults: list[str] = []
        self.mute = False
        """Set it, and nothing is answered any more."""
        self.takes_s = 0.0
        """So long it thinks about each message."""
        self.sizes: list[int] = []
        """Bytes of each payload."""
        self._door = Door(self._judge, self.broker.port)

    def __enter__(self) -> Self:
        self.broker.start()
        self._client = self._listen()
        self._door.__enter__()
        self.port = self._door.port
        return self

    def __exit__(self, *_: object) -> None:
        self._door.__exit__()
        self._leave()
        self.broker.kill()

    @property
    def connects(self) -> list[Connect]:
        """Who asked to be let in, in order."""
        return self._door.connects

    def stop(self) -> None:
        """Go away; the port stays reserved."""
        self._door.__exit__()
        self._leave()
        self.broker.stop()

    def start(self) -> None:
        """Be there again on the same ports."""
        self.broker.start()
        self._client = self._listen()
        self._door.open()

    def slam(self) -> None:
        """Cut every connection of the gateway's."""
        self._door.slam()

    def stored(self) -> dict[tuple[str, str, int], Any]:
        """Return what the platform has: a later value of the same property and time replaces the earlier."""
        return {(each.device, each.name, each.ms): each.value for each in self.taken}

    @abstractmethod
    def admits(self, connect: Connect) -> int:
        """Return the CONNACK's code for these credentials."""

    @abstractmethod
    def hear(self, topic: str, said: Any) -> None:
        """Take a message that is JSON."""

    def fault(self, text: str) -> None:
        """Write down what is against the documents."""
        self.faults.append(text)

    def expect(self, is_so: object, text: str) -> bool:
        """Write down a fault where it is not so."""
        if not is_so:
            self.fault(text)
        return bool(is_so)

    def say(self, topic: str, said: Any, *, qos: int = 1) -> None:
        """Publish to the gateway, unless mute."""
        if not self.mute:
            self._client.publish(topic, orjson.dumps(said), qos=qos)

    def take(self, device: str, name: str, ms: Any, value: Any) -> None:
        """Store a value."""
        self.expect(type(ms) is int and 10**12 < ms < 10**13, f"{name}: {ms} is no time in ms")
        self.expect(value is not None and not isinstance(value, dict | list), f"{name}: {value} is no value")
        self.taken.append(Reading(device, name, ms, value))

    def _judge(self, connect: Connect) -> int:
        self.expect(not connect.has_will, "a will")
        self.expect(connect.level in self.levels, f"MQTT level {connect.level}")
        low, high = self.keepalive
        self.expect(low <= connect.keepalive <= high, f"keepalive {connect.keepalive}")
        return self.admits(connect)

    def _listen(self) -> Client:
        heard = threading.Event()
        # A kept session: what the broker has acknowledged is not lost to a platform that goes away.
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id="the-platform",
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
        )
        client.on_message = self._on_message
        client.on_subscribe = lambda *_: heard.set()
        client.connect("127.0.0.1", self.broker.port)
        client.subscribe([(each, 1) for each in self.filters])
        client.loop_start()
        deadline = time.monotonic() + 10
        while not heard.wait(0.05):
            assert time.monotonic() < deadline, "the platform's own subscription"
        return client

    def _leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self.sizes.append(len(message.payload))
        if message.retain:
            self.fault(f"retained message on {message.topic}")
        try:
            said = orjson.loads(message.payload)
        except orjson.JSONDecodeError:
            self.fault(f"no JSON on {message.topic}")
            return
        self.qos = message.qos
        time.sleep(self.takes_s)
        self.hear(message.topic, said)


__all__ = ["ACCEPTED", "Connect", "Platform", "Reading"]
