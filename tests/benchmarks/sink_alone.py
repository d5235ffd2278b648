"""A sink by itself: deliveries prepared beforehand, written as fast as the peer accepts them.

python -m tests.benchmarks.sink_alone --sink '{"kind": "mqtt", …}' --rows 1000 --said FILE [--seconds 5]

Prints values a second and core percent, and leaves what one write says in FILE for the bare client.
"""

import argparse
import asyncio
import itertools
import json
import time
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from config.base import Secret
from config.connections import AnySink, InfluxDbSink, MqttSink, SparkplugSink
from connectors import Context, Delivery, Epoch, SystemClock
from connectors.factory import build_sink
from connectors.influxdb.lines import Encoder
from connectors.mqtt.form import Limit
from connectors.mqtt.forms.build import build_form
from connectors.sparkplug.edge.counts import Statistics
from connectors.sparkplug.edge.layout import Layouts
from connectors.sparkplug.edge.naming import DeviceIds
from connectors.sparkplug.edge.node import EdgeNode
from connectors.sparkplug.topics import edge_topic
from tests.benchmarks.stages import batch_of, tags_of
from tests.verify.recording import pack

AT_ONCE = 20_000
"""Rows a cursor hands over at once."""


def spoken(options: Any, context: Context, deliveries: list[Delivery]) -> list[tuple[str, bytes]]:
    """Return (topic, payload) of everything one write says."""
    match options:
        case MqttSink():
            form = build_form(options, context, "s")
            list(form.begin(Limit(lambda _: options.max_message)))
            return [(each.topic, each.payload) for _, each in form.loads(deliveries)]
        case InfluxDbSink():
            encoder = Encoder(options.measurement, context.tags)
            most = options.batch_rows
            bodies = [lines.body for one in deliveries for lines in encoder.lines(one, most)]
            per_request = max(1, most // len(deliveries[0].batch))
            starts = range(0, len(bodies), per_request)
            return [("", b"".join(bodies[start : start + per_request])) for start in starts]
        case SparkplugSink():
            return _said_by_edge(options, context, deliveries)
        case _:
            raise NotImplementedError(options.kind)


def _said_by_edge(
    options: SparkplugSink, context: Context, deliveries: list[Delivery]
) -> list[tuple[str, bytes]]:
    said: list[tuple[str, bytes]] = []

    def say(kind: str, device: str, payload: bytes) -> None:
        if kind == "DDATA":
            said.append((edge_topic(options.group, kind, "bench", device), payload + b"\x18\x01"))

    node = EdgeNode(context, DeviceIds(options, context.tags), say, bd_seq=0, statistics=Statistics())
    node.be_born()
    layouts = Layouts(context.tags)
    for delivery in deliveries:
        for share in layouts.shares(delivery.batch.parts):
            node.tell(share, delivery, lambda _: options.max_message)
    return said


class Load:
    """Deliveries of one device, of so many rows each."""

    def __init__(self, rows: int) -> None:
        self.context = Context("bench", tags_of(rows), SystemClock())
        self.at_once = max(1, min(AT_ONCE // rows, 1_000))
        self._batch = batch_of(rows)
        self._numbers = itertools.count(1)

    def deliveries(self) -> list[Delivery]:
        """Return what one write gets."""
        seqs = itertools.islice(self._numbers, self.at_once)
        return [Delivery(self._batch, Epoch(1, 1), seq) for seq in seqs]


async def measure(options: Any, load: Load, rows: int, seconds: float) -> None:
    async with build_sink("bench", options, site="s", context=load.context) as sink:
        await sink.write(load.deliveries())
        began, used, written = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - began < seconds:
            await sink.write(load.deliveries())
            written += load.at_once * rows
        passed = time.perf_counter() - began
    print(written / passed, 100 * (time.process_time() - used) / passed)


def with_secrets(said: Any) -> Any:
    """Return the options with a platform's secrets as the plant file's reader makes them."""
    if not isinstance(said, dict):
        return said
    return {
        name: Secret(value) if name in {"token", "secret", "key"} else with_secrets(value)
        for name, value in said.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sink", required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--said", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    asked = parser.parse_args()
    options: Any = TypeAdapter(AnySink).validate_python(with_secrets(json.loads(asked.sink)))
    load = Load(asked.rows)
    said = spoken(options, load.context, load.deliveries())
    asked.said.write_bytes(b"".join(pack(0, topic.encode(), payload) for topic, payload in said))
    asyncio.run(measure(options, load, asked.rows, asked.seconds))


if __name__ == "__main__":
    main()
