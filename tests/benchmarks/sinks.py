"""Each sink and form by itself against the bare client library writing the same bytes."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import GATEWAY_CORE, OTHER_CORE
from tests.processes import python, started, wait_for
from tests.servers.broker import Broker
from tests.servers.victoria import Victoria
from tests.verify.recording import read

TEMPLATE = {"kind": "template", "topic": "b/{{ device }}"}
EACH_ROW = (
    '{"id": {{ seq }}, "data": [{% for r in rows %}{"n": {{ r.tag | tojson }}, "v": {{ r.value }}, '
    '"t": {{ r.time_ms }}}{{ "," if not loop.last }}{% endfor %}]}'
)
MQTT: dict[str, dict[str, Any]] = {
    "mqtt, json": {"kind": "json"},
    "mqtt, values": {"kind": "values"},
    "mqtt, values, list": {"kind": "values", "list": True},
    "mqtt, values, plain": {"kind": "values", "plain": True},
    "mqtt, per_tag": {"kind": "per_tag"},
    "mqtt, per_tag, bare": {"kind": "per_tag", "bare": True},
    "mqtt, template, `values` in one": TEMPLATE
    | {"payload": '{"id": {{ seq }}, "ts": {{ time_ms }}, "data": {{ values | tojson }}}'},
    "mqtt, template, a loop over `rows`": TEMPLATE | {"each": "device", "payload": EACH_ROW},
}
"""A form's name and what the plant file says of it; who adds a form adds a row."""
WHO = {"product_key": "p", "device_name": "d", "secret": "s"}
PLATFORMS: dict[str, dict[str, Any]] = {
    "thingsboard": {"token": "t"},
    "huawei_iotda": {"device_id": "g", "secret": "s", "service": "m", "announce": False}
    | {"rate": 10_000, "devices": {"s/a/l/d": {"device_id": "d"}}},
    "aliyun": WHO | {"devices": {"s/a/l/d": WHO}},
    "onenet": {"product_id": "p", "device_name": "g", "key": "eA=="}
    | {"devices": {"s/a/l/d": {"product_id": "p", "device_name": "d"}}},
}
"""Without the platforms: of their replies only the code is played, by `replies`."""
ROWS = (10, 1_000)
HEAD = [
    "sink, form",
    "values a batch",
    "bytes a value",
    "values/s",
    "its core",
    "the bare client, values/s",
    "its core",
    "ratio",
]
EXPLAINED = """\
The sink writes prepared deliveries of one device, up to 20,000 rows at once, and waits for every
acknowledgement; no store is behind it. The bare client is paho with 64 messages in flight, or
influxdb-client one request after another, with the bytes of one such write prepared beforehand and sent again
and again. Sparkplug's data go out with QoS 0: nothing answers the bare client, while the sink waits for its
marker behind each write. For the platforms the bare client waits for PUBACK alone, the sink for the replies
of Aliyun and OneNET too, which a process beside the broker gives (code 200, nothing else). Both are pinned to
one core, the broker or database has the other: where the ratio is 1 and a core is not full, the peer is the
limit."""


def table(folder: Path, seconds: float) -> list[list[str]]:
    """Return the table's rows."""
    folder.mkdir(parents=True)
    found = [HEAD]
    with Broker(folder / "broker", settings=("log_type none",), core=OTHER_CORE) as broker:
        for name, form in MQTT.items():
            sink = {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port, "format": form}
            bare = ["tests.benchmarks.bare_publish", "--port", str(broker.port)]
            found += _compared(folder, name, sink, bare, seconds)
        sink = {"kind": "sparkplug", "host": "127.0.0.1", "port": broker.port, "group": "bench"}
        bare = ["tests.benchmarks.bare_publish", "--port", str(broker.port), "--qos", "0"]
        found += _compared(folder, "sparkplug", sink, bare, seconds)
    with Broker(folder / "platform", settings=("log_type none",), core=OTHER_CORE) as broker:
        replies = python("-m", "tests.benchmarks.replies", "--port", str(broker.port))
        with started("replies", replies, folder, core=OTHER_CORE) as platform:
            wait_for(lambda: platform.said("subscribed"), "the replies", 10)
            for name, form in PLATFORMS.items():
                sink = {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port, "version": "3.1.1"}
                sink |= {"keepalive": "60s", "format": {"kind": name, **form}}
                bare = ["tests.benchmarks.bare_publish", "--port", str(broker.port)]
                found += _compared(folder, f"mqtt, {name}", sink, bare, seconds)
    with Victoria(folder / "victoria", core=OTHER_CORE) as database:
        sink = {"kind": "influxdb", "url": database.url, "bucket": "plant"}
        bare = ["tests.benchmarks.bare_influx", "--url", database.url]
        found += _compared(folder, "influxdb", sink, bare, seconds)
    shutil.rmtree(folder)
    return found


def _compared(
    folder: Path, name: str, sink: dict[str, Any], bare: list[str], seconds: float
) -> Iterator[list[str]]:
    for rows in ROWS:
        said = folder / "said"
        alone = ["tests.benchmarks.sink_alone", "--sink", json.dumps(sink), "--rows", str(rows)]
        per_s, core = _run(folder, [*alone, "--said", str(said), "--seconds", str(seconds)])
        records = list(read(said))
        values = rows * min(20_000 // rows, 1_000)
        messages_per_s, bare_core = _run(folder, [*bare, "--said", str(said), "--seconds", str(seconds)])
        bare_per_s = messages_per_s * values / len(records)
        size = sum(len(record.payload) for record in records) / values
        yield [
            name,
            f"{rows:,}",
            f"{size:.0f}",
            f"{per_s:,.0f}",
            f"{core:.0f} %",
            f"{bare_per_s:,.0f}",
            f"{bare_core:.0f} %",
            f"{bare_per_s / per_s:.2f}",
        ]


def _run(folder: Path, command: list[str]) -> tuple[float, float]:
    with started("measured", python("-m", *command), folder, core=GATEWAY_CORE) as process:
        wait_for(lambda: process.popen.poll() is not None, command[0], 120)
        if process.popen.returncode:
            raise RuntimeError(process.log.read_text())
        per_s, core = map(float, process.log.read_text().split()[-2:])
        return per_s, core
