"""What paho alone does: the messages in a file, again and again, 64 in flight or not yet sent.

python -m tests.benchmarks.bare_publish --port 1883 --said FILE [--seconds 5] [--qos 1]

Prints messages a second and core percent.
"""

import argparse
import threading
import time
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.verify.recording import read

WINDOW = 64


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--said", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--qos", type=int, choices=(0, 1), default=1)
    options = parser.parse_args()
    messages = [(record.topic, record.payload) for record in read(options.said)]
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(WINDOW)
    connected, room = threading.Event(), threading.Semaphore(WINDOW)

    def acknowledged(*_: Any) -> None:
        room.release()

    client.on_connect = lambda *_: connected.set()
    client.on_publish = acknowledged
    client.connect("127.0.0.1", options.port)
    client.loop_start()
    connected.wait(10)
    began, used, published = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - began < options.seconds:
        for topic, payload in messages:
            room.acquire()
            client.publish(topic, payload, qos=options.qos)
        published += len(messages)
    for _ in range(WINDOW):
        room.acquire()
    passed = time.perf_counter() - began
    print(published / passed, 100 * (time.process_time() - used) / passed)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main()
