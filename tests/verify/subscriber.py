"""Record everything below a prefix: a process of its own that knows paho and nothing of the gateway.

    python -m tests.verify.subscriber --port 1883 --out received.bin

A message is written to the file before its PUBACK goes out, and the session is persistent, so what the
broker has accepted for us is in the file in the end. Prints `subscribed` after each (re)subscription.
SIGTERM ends it.
"""

import argparse
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from tests.verify.recording import pack

QUICKACK = getattr(socket, "TCP_QUICKACK", None)


class Subscriber:
    def __init__(self, out: Path, prefix: str, client_id: str) -> None:
        # Unbuffered: after the write the bytes are the system's, whatever happens to this process.
        self._file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._filter = f"{prefix}/#"
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        self.client.reconnect_delay_set(min_delay=1, max_delay=1)
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = self._on_message

    def _on_connect(
        self, client: Client, _data: Any, _flags: ConnectFlags, _reason: ReasonCode, _more: Properties | None
    ) -> None:
        client.subscribe(self._filter, qos=1)

    def _on_subscribe(self, *_: Any) -> None:
        print("subscribed", flush=True)

    def _on_message(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        record = pack(time.time_ns(), message.topic.encode(), message.payload)
        written = os.write(self._file, record)
        while written < len(record):
            written += os.write(self._file, record[written:])
        client.ack(message.mid, message.qos)
        # Else a broker with Nagle on waits 40 ms for TCP's own acknowledgement: not the gateway's latency.
        sock = client.socket()
        if QUICKACK is not None and isinstance(sock, socket.socket):
            sock.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--prefix", default="wanglian")
    parser.add_argument("--client-id", default="wanglian-verifier")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    subscriber = Subscriber(options.out, options.prefix, options.client_id)
    signal.signal(signal.SIGTERM, lambda *_: subscriber.client.disconnect())
    subscriber.client.connect_async(options.host, options.port, keepalive=15)
    subscriber.client.loop_forever(retry_first_connection=True)


if __name__ == "__main__":
    main()
