"""A platform's replies and nothing else: code 200 to whatever has an id, on the topics Aliyun and OneNET use.

python -m tests.benchmarks.replies --port 1883

Prints `subscribed`; SIGTERM ends it.
"""

import argparse
from typing import Any

import orjson
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion


def reply(client: Client, _data: Any, message: MQTTMessage) -> None:
    if message.topic.endswith("reply"):
        return
    # The id stands first in what both are told.
    number = message.payload[: message.payload.index(b",")].partition(b":")[2].strip(b'"').decode()
    end = "_reply" if message.topic.startswith("/") else "/reply"
    client.publish(message.topic + end, orjson.dumps({"id": number, "code": 200}), qos=0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
    client.on_message = reply
    client.on_subscribe = lambda *_: print("subscribed", flush=True)
    client.connect("127.0.0.1", parser.parse_args().port)
    client.subscribe([(each, 1) for each in ("/sys/#", "/ext/#", "$sys/#")])
    client.loop_forever()


if __name__ == "__main__":
    main()
