"""An edge node on a broker: it plays the lab's script, leaves a will, and answers rebirth requests."""

import threading
import time
from types import TracebackType
from typing import Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from gateway.lab.sparkplug import EdgeNode, Message, is_rebirth_request


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class EdgeNodeClient:
    """`node` connected; enter to connect with its will, leave to disconnect without a death."""

    def __init__(self, node: EdgeNode, port: int, *, answers: bool = True, name: str = "") -> None:
        self.node = node
        self.requests: list[float] = []
        """When a birth was asked for, by the monotonic clock."""
        self.commands: list[tuple[str, bytes]] = []
        self.lock = threading.Lock()
        """One message after the other, or the sequence would not be one."""
        self.answers = answers
        self._port = port
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=name or f"edge-{node.group}-{node.node}")
        self._subscribed = threading.Event()

    def __enter__(self) -> Self:
        topic, payload = self.node.death(now_ms())
        self._client.will_set(topic, payload, qos=1)
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        group, node = self.node.group, self.node.node
        self._client.subscribe([(f"spBv1.0/{group}/NCMD/{node}", 1), (f"spBv1.0/{group}/DCMD/{node}/+", 1)])
        assert self._subscribed.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, *messages: Message) -> None:
        """Publish."""
        for topic, payload in messages:
            self._client.publish(topic, payload)

    def say(self, *messages: Message, qos: int = 0, retain: bool = False) -> None:
        """Publish, and return once the broker has it."""
        for topic, payload in messages:
            self._client.publish(topic, payload, qos=qos, retain=retain)
        self._client.publish("fence", b"", qos=1).wait_for_publish(10)

    def be_born(self) -> None:
        """Publish the births of node and devices."""
        with self.lock:
            self.say(*self.node.births(now_ms()))

    def drop_dead(self) -> None:
        """Close the socket without a word: the broker sends the will."""
        self._client.on_disconnect = None
        self._client.loop_stop()
        self._client.socket().close()

    def _on_message(self, client: Client, _data: object, message: MQTTMessage) -> None:
        self.commands.append((message.topic, message.payload))
        if is_rebirth_request(message.payload):
            self.requests.append(time.monotonic())
            if self.answers:
                with self.lock:
                    for topic, payload in self.node.births(now_ms()):
                        client.publish(topic, payload)
