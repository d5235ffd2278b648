"""Record everything of a Sparkplug group, as its primary host where an id is given: a process of its own.

    python -m tests.verify.sparkplug_host --port 1883 --group plant --out received.bin --host-id scada

Prints `subscribed` once it is; with an id it then says STATE online. SIGTERM says STATE offline and ends it.
"""

import argparse
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.verify.recording import pack


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--host-id")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    file = os.open(options.out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    topic = f"spBv1.0/STATE/{options.host_id}"
    client = Client(CallbackAPIVersion.VERSION2)

    def state(*, online: bool) -> str:
        return json.dumps({"online": online, "timestamp": time.time_ns() // 1_000_000})

    def record(_client: Client, _data: Any, message: MQTTMessage) -> None:
        data = pack(time.time_ns(), message.topic.encode(), message.payload)
        written = os.write(file, data)
        while written < len(data):
            written += os.write(file, data[written:])

    def subscribed(*_: Any) -> None:
        if options.host_id:
            client.publish(topic, state(online=True), qos=1, retain=True)
        print("subscribed", flush=True)

    def end(*_: Any) -> None:
        if options.host_id:
            client.publish(topic, state(online=False), qos=1, retain=True)
        client.disconnect()

    if options.host_id:
        client.will_set(topic, state(online=False), qos=1, retain=True)
    client.on_message = record
    client.on_subscribe = subscribed
    client.on_connect = lambda *_: client.subscribe(f"spBv1.0/{options.group}/#", qos=1)
    signal.signal(signal.SIGTERM, end)
    client.connect("127.0.0.1", options.port, keepalive=15)
    client.loop_forever()


if __name__ == "__main__":
    main()
