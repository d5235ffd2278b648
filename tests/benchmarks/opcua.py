"""OPC UA → disk → MQTT: what W2 costs, and how many changes a second one core takes.

W2 is node-opcua's server with as many variables as it changes every second. The sustained run is the lab
server, whose every row can be checked: its source timestamp tells what it must be, and which tick is missing.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from tests.benchmarks.harness import GATEWAY_CORE, OTHER_CORE, Usage, median, watch
from tests.benchmarks.polling import Running
from tests.processes import Process, free_port, python, started, wait_for
from tests.servers import lab_values as lab
from tests.servers.broker import Broker
from tests.servers.node_opcua import MACHINE, node_server
from tests.verify.recording import read

ITEMS = 10_000
SAMPLED = "wanglian/cz/hall/line_1/d0"
LAB = "urn:wanglian:lab"


@dataclass
class Content:
    """What the sampled device's messages held."""

    rows: int = 0
    wrong: int = 0
    lost: int = 0
    doubled: int = 0
    last: dict[int, int] = field(default_factory=dict)

    def take(self, item: int, value: object, quality: int, time_ns: int) -> None:
        """Check one row against what the lab server's item is at that tick."""
        tick = lab.tick_of(time_ns)
        version = tick % lab.VERSIONS
        self.rows += 1
        if lab.bad(item, version):
            self.wrong += quality != lab.BAD or value is not None
        else:
            self.wrong += quality != 0 or value != lab.value(item, version)
        if item in self.last:
            step = (tick - self.last[item]) % 1000
            self.lost += step - 1 if step else 0
            self.doubled += not step
        self.last[item] = tick


@dataclass(frozen=True)
class Sustained:
    """One rate of one mix."""

    mix: str
    asked_per_s: float
    acknowledged_per_s: float
    gateway: Usage
    backlog: float
    skipped: int
    content: Content


@dataclass(frozen=True)
class Plant:
    """Nodes of one server, shared out evenly to devices; a message to the platform is one device's rows."""

    port: int
    nodes: list[str]
    namespace: str
    scan: str
    devices: int = 1


def plant_file(plant: Plant, *, broker: int, status: int) -> str:
    share = len(plant.nodes) // plant.devices
    devices = {
        f"d{d}": {
            "at": "hall/line_1",
            "scan": plant.scan,
            "tags": {f"t{i}": {"node": plant.nodes[i]} for i in range(d * share, (d + 1) * share)},
        }
        for d in range(plant.devices)
    }
    source = {"kind": "opcua", "endpoint": f"opc.tcp://127.0.0.1:{plant.port}", "security": "none"}
    source |= {"namespace": plant.namespace, "publish": plant.scan, "timeout": "30s", "devices": devices}
    sink = {"kind": "mqtt", "host": "127.0.0.1", "port": broker}
    gateway = {"id": "bench", "site": "cz", "http_port": status}
    off = {"page": {"enabled": False}, "history": {"enabled": False}}
    return json.dumps({"gateway": gateway, "sources": {"plc": source}, "sinks": {"platform": sink}} | off)


@contextlib.contextmanager
def lab_server(folder: Path, mix: str, rate: float, items: int = ITEMS) -> Iterator[tuple[Process, int]]:
    port = free_port()
    command = python("-m", "tests.servers.opcua_lab", "--port", str(port), "--items", str(items))
    command += ["--mix", mix, "--rate", str(rate)]
    with started("lab", command, folder, core=OTHER_CORE) as process:
        wait_for(lambda: process.said("listening"), "the lab server")
        yield process, port


@contextlib.contextmanager
def gateway(folder: Path, plant: Plant) -> Iterator[Running]:
    """Start broker, subscriber and gateway; yield when the first message has arrived."""
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(Broker(folder / "broker", settings=("log_type error",), core=OTHER_CORE))
        listen = python("-m", "tests.verify.subscriber", "--port", str(broker.port))
        listen += ["--prefix", SAMPLED, "--out", folder / "received.bin"]
        subscriber = stack.enter_context(started("subscriber", listen, folder, core=OTHER_CORE))
        wait_for(lambda: subscriber.said("subscribed"), "the subscription")
        status, file = free_port(), folder / "plant.yaml"
        file.write_text(plant_file(plant, broker=broker.port, status=status))
        run = python("-m", "gateway", "run", file)
        process = stack.enter_context(started("gateway", run, folder, core=GATEWAY_CORE))
        received = folder / "received.bin"
        wait_for(lambda: received.exists() and received.stat().st_size > 0, "the first message", 120)
        yield Running(folder, process, None, broker, status)


def check(received: Path) -> Content:
    """Check every row of the sampled device."""
    content = Content()
    for record in read(received):
        if record.topic != SAMPLED:
            continue
        message = orjson.loads(record.payload)
        n = len(message["tags"])
        rows = zip(
            message["tags"],
            message["v"],
            message.get("q", [0] * n),
            message.get("dt", [0] * n),
            strict=True,
        )
        for tag, value, quality, since in rows:
            if message["t0"] + since and quality != 0x80310000:
                content.take(int(tag[1:]), value, quality, message["t0"] + since)
    return content


def sustained(folder: Path, mix: str, rate: float, seconds: float, devices: int = 1) -> Sustained:
    """Let the gateway run at this rate, 0 for as fast as it asks, and check what came."""
    folder.mkdir(parents=True)
    nodes = [f"i={i}" for i in range(ITEMS)]
    with (
        lab_server(folder, mix, rate) as (server, port),
        gateway(folder, Plant(port, nodes, LAB, "100ms", devices)) as run,
    ):
        wait_for(lambda: server.said("ready"), "all items", 120)
        watch([run.gateway], 4.0)
        before, began = run.metrics(), time.monotonic()
        usage = watch([run.gateway], seconds)["gateway"]
        after, passed = run.metrics(), time.monotonic() - began
        skipped = json.loads(server.log.read_text().splitlines()[-1])["skipped"]
        run.gateway.end()
    return Sustained(
        mix,
        rate,
        (after["sink_rows_total"] - before["sink_rows_total"]) / passed,
        usage,
        after["sink_backlog_rows"],
        skipped,
        check(folder / "received.bin"),
    )


def bare(folder: Path, mix: str, seconds: float) -> float:
    """Return values a second of asyncua's session and our decode alone, the median over the window."""
    folder.mkdir(parents=True)
    with lab_server(folder, mix, 0.0) as (_, port):
        ask = python("-m", "tests.benchmarks.bare_opcua", "--port", str(port), "--items", str(ITEMS))
        with started("bare", ask, folder, core=GATEWAY_CORE) as process:
            lines = lambda: [int(n) for n in process.log.read_text().split() if n.isdigit()]  # noqa: E731
            wait_for(lambda: any(lines()), "the first values", 120)
            watch([process], seconds)
            return median([n for n in lines() if n])


@dataclass(frozen=True)
class W2:
    """10,000 nodes at 1 Hz."""

    acknowledged_per_s: float
    gateway: Usage


def w2(folder: Path, seconds: float, variables: int = ITEMS) -> W2:
    """Let node-opcua's server change its variables every second."""
    folder.mkdir(parents=True)
    nodes = [f"s=v{i}" for i in range(variables)]
    with node_server(folder / "node", variables=variables, types=["Double"], rateMs=1000) as server:
        for task in Path(f"/proc/{server.popen.pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {OTHER_CORE})
        with gateway(folder, Plant(server.port, nodes, MACHINE, "1s", devices=10)) as run:
            wait_for(lambda: run.metrics()["sink_rows_total"] > 3 * variables, "the first rounds", 120)
            before, began = run.metrics(), time.monotonic()
            usage = watch([run.gateway], seconds)["gateway"]
            after, passed = run.metrics(), time.monotonic() - began
            run.gateway.end()
    return W2((after["sink_rows_total"] - before["sink_rows_total"]) / passed, usage)


EXPLAINED = """\
10,000 items of the lab server: 70 % Double or Float, 20 % integers, 5 % Boolean, 5 % strings of up to 20
characters, 1 % Bad, own source timestamps, 1,000 changes a message, each PublishRequest answered at once, so
the gateway takes what it can. `sorted` sends in the order of the items, which the gateway creates by type,
`mixed` at random. The bare loop is asyncua's session and our decode, nothing else
(`tests/benchmarks/bare_opcua.py`)."""
SUSTAINED_HEAD = ["order", "devices", "values/s acknowledged", "gateway CPU", "values per CPU second"]
SUSTAINED_HEAD += ["bare loop, values/s", "ratio", "memory", "backlog", "checked", "lost / doubled / wrong"]


def w2_table(found: W2) -> list[list[str]]:
    """Return the table of W2."""
    usage = found.gateway
    cells = [f"{found.acknowledged_per_s:,.0f}", f"{usage.core_percent:.2f} %", f"{usage.rss_mb:.0f} MB"]
    return [["values/s acknowledged", "gateway CPU", "memory"], cells]


def sustained_table(folder: Path, seconds: float) -> list[list[str]]:
    """Run both orders, and the random one over ten devices; return the table."""
    folder.mkdir(parents=True)
    bares = {mix: bare(folder / f"bare-{mix}", mix, min(seconds, 10.0)) for mix in ("sorted", "mixed")}
    table = [SUSTAINED_HEAD]
    for mix, devices in (("sorted", 1), ("mixed", 1), ("mixed", 10)):
        found = sustained(folder / f"{mix}{devices}", mix, 0.0, seconds, devices)
        content, usage = found.content, found.gateway
        table.append(
            [
                mix,
                str(devices),
                f"{found.acknowledged_per_s:,.0f}",
                f"{usage.core_percent:.0f} %",
                f"{found.acknowledged_per_s / usage.core_percent * 100:,.0f}",
                f"{bares[mix]:,.0f}",
                f"{bares[mix] / found.acknowledged_per_s:.1f}",
                f"{usage.rss_mb:.0f} MB",
                f"{found.backlog:,.0f}",
                f"{content.rows:,}",
                f"{content.lost} / {content.doubled} / {content.wrong}",
            ]
        )
    return table
