"""Sensors that publish known values with QoS 1 and keep a journal of what the broker took.

    python tests/servers/mqtt_sensors.py --port 1883 --journal FILE [--host 127.0.0.1] [--sensors 20]
        [--values 10] [--rate 200] [--count N] [--topic sensors] [--window 200] [--version 3.1.1]

Sensor s publishes on `<topic>/<s>/data` a message {"ts": t, "seq": n, "values": {"v0": …, "v1": …}}. t is in
milliseconds since 1970 and rises with every message of a sensor, n counts its messages from 1. Value i is
((2654435761 t + 40503 s + 7919 i) mod 2^24) / 8, exactly a float64. `--rate` is messages a second, all
sensors together, in turn. `--count` ends it after so many; SIGTERM ends it too, both after the last PUBACK.

The journal has a line `<s> <t> <n>` for each message the broker acknowledged, written before anything else
happens. Prints `publishing` when the connection is up for the first time. A broker that goes away is waited
for; what it had not acknowledged is sent again, with such a line in FILE.again: the broker may have it twice.
"""

import argparse
import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

MODULUS = 1 << 24


def value(sensor: int, ts: int, index: int) -> float:
    """Return what value `index` of a sensor is at `ts`, in ms."""
    return ((2654435761 * ts + 40503 * sensor + 7919 * index) % MODULUS) / 8


def message(sensor: int, ts: int, seq: int, values: int) -> str:
    inside = ",".join(f'"v{i}":{value(sensor, ts, i)!r}' for i in range(values))
    return f'{{"ts":{ts},"seq":{seq},"values":{{{inside}}}}}'


def read_journal(path: Path) -> list[tuple[int, int, int]]:
    """Return (sensor, ts, seq) of every acknowledged message; a half-written last line is left out."""
    text = path.read_text() if path.exists() else ""
    return [(int(s), int(t), int(n)) for s, t, n in map(str.split, text[: text.rfind("\n") + 1].splitlines())]


class Sensors:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.stopping = threading.Event()
        self._journal = os.open(options.journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._waiting: dict[int, str] = {}
        self._early: set[int] = set()
        self._lock = threading.Lock()
        self._room = threading.Semaphore(options.window)
        self._told = False
        self._again = options.journal.with_name(options.journal.name + ".again")
        is_v5 = options.version == "5"
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"sensors-{os.getpid()}",
            clean_session=None if is_v5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if is_v5 else MQTTProtocolVersion.MQTTv311,
        )
        self.client.max_inflight_messages_set(0)
        self.client.reconnect_delay_set(min_delay=1, max_delay=1)
        self.client.on_connect = self._on_connect
        self.client.on_publish = self._on_publish

    def run(self) -> None:
        options, client = self.options, self.client
        client.connect_async(options.host, options.port, keepalive=15)
        client.loop_start()
        last = [0] * options.sensors
        counts = [0] * options.sensors
        begin, sent = time.monotonic(), 0
        while not self.stopping.is_set() and (options.count is None or sent < options.count):
            self.stopping.wait(max(0.0, begin + sent / options.rate - time.monotonic()))
            while not self._room.acquire(timeout=0.1):
                if self.stopping.is_set():
                    break
            else:
                sensor = sent % options.sensors
                last[sensor] = ts = max(last[sensor] + 1, time.time_ns() // 1_000_000)
                counts[sensor] += 1
                self._publish(sensor, ts, counts[sensor])
                sent += 1
        deadline = time.monotonic() + 10
        while self._waiting and time.monotonic() < deadline:
            time.sleep(0.01)
        client.disconnect()
        client.loop_stop()

    def _publish(self, sensor: int, ts: int, seq: int) -> None:
        options = self.options
        topic = f"{options.topic}/{sensor}/data"
        info = self.client.publish(topic, message(sensor, ts, seq, options.values), qos=1)
        line = f"{sensor} {ts} {seq}\n"
        with self._lock:  # the PUBACK may be faster than this line
            if info.mid in self._early:
                self._early.remove(info.mid)
                self._note(line)
            else:
                self._waiting[info.mid] = line

    def _note(self, line: str) -> None:
        os.write(self._journal, line.encode())
        self._room.release()

    def _on_publish(self, _client: Client, _data: Any, mid: int, *_: Any) -> None:
        with self._lock:
            line = self._waiting.pop(mid, None)
            if line is None:
                self._early.add(mid)
            else:
                self._note(line)
        sock = self.client.socket()
        if isinstance(sock, socket.socket) and hasattr(socket, "TCP_QUICKACK"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _on_connect(self, *_: Any) -> None:
        if not self._told:
            self._told = True
            print("publishing", flush=True)
        with self._lock, self._again.open("a", encoding="ascii") as file:
            file.writelines(self._waiting.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--sensors", type=int, default=20)
    parser.add_argument("--values", type=int, default=10)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--count", type=int)
    parser.add_argument("--topic", default="sensors")
    parser.add_argument("--window", type=int, default=200)
    parser.add_argument("--version", choices=("3.1.1", "5"), default="3.1.1")
    sensors = Sensors(parser.parse_args())
    signal.signal(signal.SIGTERM, lambda *_: sensors.stopping.set())
    sensors.run()


if __name__ == "__main__":
    main()
