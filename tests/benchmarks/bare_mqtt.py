"""The bare subscriber: paho alone, every message acknowledged at once and thrown away. The floor.

python bare_mqtt.py --port 1883 [--filter flood/#] [--version 5]
Prints `subscribed`, then messages per second once a second.
"""

import argparse
import time
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--filter", default="flood/#")
    parser.add_argument("--version", choices=("3.1.1", "5"), default="5")
    options = parser.parse_args()
    messages = 0

    def count(client: Client, _data: Any, message: MQTTMessage) -> None:
        nonlocal messages
        messages += 1
        client.ack(message.mid, message.qos)

    is_v5 = options.version == "5"
    version = MQTTProtocolVersion.MQTTv5 if is_v5 else MQTTProtocolVersion.MQTTv311
    client = Client(CallbackAPIVersion.VERSION2, protocol=version, manual_ack=True)
    client.on_message = count
    client.on_connect = lambda *_: client.subscribe(options.filter, qos=1)
    client.on_subscribe = lambda *_: print("subscribed", flush=True)
    client.connect("127.0.0.1", options.port)
    client.loop_start()
    before = 0
    while True:
        time.sleep(1)
        print(messages - before, flush=True)
        before = messages


if __name__ == "__main__":
    main()
