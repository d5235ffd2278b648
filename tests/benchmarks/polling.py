"""Modbus TCP → disk → MQTT, end to end: what one core does, and how late the values are.

The gateway is alone on its core but for the bare exchange it is compared with; simulator, broker and
subscriber share the other one. After the window the content is checked: a figure without that is no figure.
"""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import GATEWAY_CORE, OTHER_CORE, Usage, watch
from tests.plants import modbus_sources
from tests.processes import ROOT, Process, free_port, python, started, wait_for
from tests.servers.broker import Broker
from tests.verify.metrics import metrics
from tests.verify.recording import pack, read
from tests.verify.values import read_journals
from tests.verify.verify import Report, verify

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Load:
    """A plant of equal devices, a connection each."""

    name: str
    devices: int
    values: int
    scan: str
    in_flight: int = 1
    bare_interval_s: float | None = None
    """Compare with the bare exchange at this interval, on the same core at the same time."""
    listen: str = "wanglian"
    """What the subscriber gets; at the highest rates one device, the rest is counted by PUBACK."""
    event_loop: str = "uvloop"
    history: bool = False
    page_port: int = 0
    """0 is no page."""


@dataclass(frozen=True)
class Result:
    """What a load cost, and whether its content was right."""

    load: Load
    gateway: Usage
    bare: Usage | None
    report: Report
    """Of the whole run."""
    latency_ms: dict[str, float]
    """Of the window."""
    acknowledged_per_s: float
    """Values the broker acknowledged, in the window."""
    backlog: float
    """Rows waiting at the window's end."""
    counted: dict[str, float] = field(default_factory=dict)


@dataclass
class Running:
    """What a benchmark may touch while a load runs."""

    folder: Path
    gateway: Process
    bare: Process | None
    broker: Broker
    status_port: int

    def metrics(self) -> dict[str, float]:
        """Return the gateway's counters, sums over their labels."""
        return metrics(self.status_port)


def polled(load: Load, ports: list[int]) -> dict[str, Any]:
    return modbus_sources(ports, load.values, load.scan, max_in_flight=load.in_flight)


def plant_file(load: Load, ports: list[int], broker: int, status: int) -> str:
    sink = {"kind": "mqtt", "host": "127.0.0.1", "port": broker}
    gateway = {"id": "bench", "site": "cz", "http_port": status}
    page = {"enabled": True, "port": load.page_port} if load.page_port else {"enabled": False}
    parts = {"page": page, "history": {"enabled": load.history}}
    plant = {"gateway": gateway, "sources": polled(load, ports), "sinks": {"platform": sink}} | parts
    return json.dumps(plant)  # JSON is YAML


@contextlib.contextmanager
def simulator(load: Load, folder: Path, name: str) -> Iterator[list[int]]:
    """Start a simulated plant; yield its ports."""
    ports = folder / f"{name}.json"
    command = python(ROOT / "tests/servers/modbus_plant.py", "--uvloop")
    command += ["--devices", str(load.devices), "--values", str(load.values)]
    command += ["--journal", folder / f"{name}.txt", "--port-file", ports]
    with started(name, command, folder, core=OTHER_CORE):
        wait_for(ports.exists, "the simulator's ports")
        yield json.loads(ports.read_text())["ports"]


def gateway_command(load: Load, plant: Path) -> list[str | Path]:
    if load.event_loop == "uvloop":
        return python("-m", "gateway", "run", plant)
    # The extra is taken away; everything else is the same program.
    without = "import sys; sys.modules['uvloop'] = None; from gateway.cli import main; main()"
    return python("-c", without, "run", plant)


@contextlib.contextmanager
def running(load: Load, folder: Path, *, persistence: bool = False) -> Iterator[Running]:
    """Start everything; yield when the first message has arrived.

    With `persistence` the broker keeps what it has taken for the subscriber when it is stopped.
    """
    folder.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        quiet = ("log_type error",)
        broker = stack.enter_context(
            Broker(folder / "broker", settings=quiet, persistence=persistence, core=OTHER_CORE)
        )
        ports = stack.enter_context(simulator(load, folder, "journal"))
        listen = python("-m", "tests.verify.subscriber", "--port", str(broker.port))
        listen += ["--prefix", load.listen, "--out", folder / "received.bin"]
        subscriber = stack.enter_context(started("subscriber", listen, folder, core=OTHER_CORE))
        wait_for(lambda: subscriber.said("subscribed"), "the subscription")
        status_port = free_port()
        plant = folder / "plant.yaml"
        plant.write_text(plant_file(load, ports, broker.port, status_port))
        gateway = stack.enter_context(
            started("gateway", gateway_command(load, plant), folder, core=GATEWAY_CORE)
        )
        bare = None
        if load.bare_interval_s is not None:
            others = stack.enter_context(simulator(load, folder, "beside"))
            ask = python(HERE / "bare_modbus.py", "--ports", ",".join(map(str, others)))
            ask += ["--values", str(load.values), "--in-flight", str(load.in_flight)]
            ask += ["--interval", str(load.bare_interval_s), "--event-loop", load.event_loop]
            bare = stack.enter_context(started("bare", ask, folder, core=GATEWAY_CORE))
        received = folder / "received.bin"
        wait_for(lambda: received.exists() and received.stat().st_size > 0, "the first message")
        yield Running(folder, gateway, bare, broker, status_port)


def measure(load: Load, folder: Path, *, seconds: float, warm_up_s: float = 6.0) -> Result:
    """Run a load, measure a window, then check everything that was received in the whole run."""
    with running(load, folder) as run:
        processes = [run.gateway] + ([run.bare] if run.bare else [])
        watch(processes, warm_up_s)
        before, start = run.metrics(), time.time_ns()
        usage = watch(processes, seconds)
        end, after = time.time_ns(), run.metrics()
        run.gateway.end()
    received, journal = folder / "received.bin", read_journals([folder / "journal.txt"])
    window = folder / "window.bin"
    with window.open("wb") as out:
        for record in read(received):
            if start <= record.received < end:
                out.write(pack(record.received, record.topic.encode(), record.payload))
    return Result(
        load,
        usage["gateway"],
        usage.get("bare"),
        verify([received], journal),
        verify([window], journal).latency_ms,
        (after["sink_rows_total"] - before["sink_rows_total"]) / ((end - start) / 1e9),
        after["sink_backlog_rows"],
        {name: value - before.get(name, 0.0) for name, value in after.items()},
    )
