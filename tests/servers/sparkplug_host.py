"""A host application in this process: says STATE, commands, and hears everything of a group."""

import json
import threading
from types import TracebackType
from typing import Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.verify.sparkplug import Payload


class Host:
    """Enter to connect and subscribe; it says nothing by itself."""

    def __init__(self, port: int, host_id: str = "scada", group: str = "g", node: str = "node") -> None:
        self.heard: list[tuple[str, bytes]] = []
        """Topic and payload of every message of the group but commands."""
        self._port = port
        self._topic = f"spBv1.0/STATE/{host_id}"
        self._group, self._node = group, node
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        self._client.subscribe(f"spBv1.0/{self._group}/#", qos=1)
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def state(self, payload: bytes | None = None, *, online: bool = True, at: int = 1) -> None:
        """Say STATE, or anything in its place; return once the broker has it."""
        said = json.dumps({"online": online, "timestamp": at}) if payload is None else payload
        self._client.publish(self._topic, said, qos=1, retain=True).wait_for_publish(10)

    def ask_rebirth(self, times: int = 1) -> None:
        said = Payload(timestamp=1)
        said.metrics.add(name="Node Control/Rebirth", datatype=11, v_bool=True)
        self.command(said.SerializeToString(), times=times)

    def command(self, payload: bytes, *, device: str = "", times: int = 1) -> None:
        """Send a command to the node, or to a device."""
        kind = "DCMD" if device else "NCMD"
        topic = f"spBv1.0/{self._group}/{kind}/{self._node}" + (f"/{device}" if device else "")
        for _ in range(times):
            sent = self._client.publish(topic, payload)
        sent.wait_for_publish(10)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if "CMD" not in message.topic:
            self.heard.append((message.topic, message.payload))
