"""Modbus TCP → disk → MQTT, end to end: what one core does, and how late the values are.

The gateway is alone on its core but for the bare exchange it is compared with; simulator, broker and
subscriber share the other one. After the window the content is checked: a figure without it is no figure.
"""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.harness import GATEWAY_CORE, OTHER_CORE, Usage, watch
from tests.processes import ROOT, Process, free_port, python, started, wait_for
from tests.servers.broker import Broker
from tests.verify.recording import read
from tests.verify.values import read_journals
from tests.verify.verify import Report, verify

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Load:
    """A plant of equal devices."""

    name: str
    devices: int
    values: int
    scan: str
    in_flight: int = 1
    interval_s: float | None = None
    """Of the bare exchange; None asks as fast as it can."""


@dataclass(frozen=True)
class Result:
    """What a load cost, and whether its content was right."""

    load: Load
    gateway: Usage
    bare: Usage | None
    report: Report
    values_per_s: float


def plant_file(load: Load, ports: list[int], broker: int, status: int) -> str:
    sources = {
        f"plc{d}": {
            "kind": "modbus_tcp",
            "host": "127.0.0.1",
            "port": port,
            "devices": {
                f"m{d}": {
                    "at": "hall/line_1",
                    "scan": load.scan,
                    "max_in_flight": load.in_flight,
                    "max_registers": 124,
                    "tags": {"v": {"address": 0, "type": "float32", "count": load.values}},
                }
            },
        }
        for d, port in enumerate(ports)
    }
    sink = {"kind": "mqtt", "host": "127.0.0.1", "port": broker}
    # JSON is YAML.
    return json.dumps(
        {
            "gateway": {"id": "bench", "site": "cz", "http_port": status},
            "sources": sources,
            "sinks": {"platform": sink},
        }
    )


@contextlib.contextmanager
def running(load: Load, folder: Path, *, bare: bool) -> Iterator[tuple[Process, Process | None]]:
    """Start everything; yield the gateway and the bare exchange, both at work."""
    journal, port_file = folder / "journal.txt", folder / "ports.json"
    server = ROOT / "tests" / "servers" / "modbus_plant.py"
    simulate = python(server, "--devices", str(load.devices), "--values", str(load.values), "--uvloop")
    simulate += ["--journal", journal, "--port-file", port_file]
    beside = python(server, "--devices", str(load.devices), "--values", str(load.values), "--uvloop")
    beside += ["--journal", folder / "beside.txt", "--port-file", folder / "beside.json"]
    with contextlib.ExitStack() as stack:
        quiet = ("log_type error",)
        broker = stack.enter_context(Broker(folder / "broker", settings=quiet, core=OTHER_CORE))
        stack.enter_context(started("plant", simulate, folder, core=OTHER_CORE))
        wait_for(port_file.exists, "the simulator's ports")
        ports = json.loads(port_file.read_text())["ports"]
        listen = python("-m", "tests.verify.subscriber", "--port", str(broker.port))
        listen += ["--out", folder / "received.bin"]
        subscriber = stack.enter_context(started("subscriber", listen, folder, core=OTHER_CORE))
        wait_for(lambda: subscriber.said("subscribed"), "the subscription")
        (folder / "plant.yaml").write_text(plant_file(load, ports, broker.port, free_port()))
        run = python("-m", "gateway", "run", folder / "plant.yaml")
        gateway = stack.enter_context(started("gateway", run, folder, core=GATEWAY_CORE))
        compared = None
        if bare:
            stack.enter_context(started("beside", beside, folder, core=OTHER_CORE))
            wait_for((folder / "beside.json").exists, "the second simulator's ports")
            others = ",".join(map(str, json.loads((folder / "beside.json").read_text())["ports"]))
            ask = python(HERE / "bare_modbus.py", "--ports", others, "--values", str(load.values))
            ask += ["--in-flight", str(load.in_flight)]
            ask += [] if load.interval_s is None else ["--interval", str(load.interval_s)]
            compared = stack.enter_context(started("bare", ask, folder, core=GATEWAY_CORE))
        wait_for((folder / "received.bin").exists, "the first message")
        yield gateway, compared
        gateway.end()


def measure(load: Load, folder: Path, *, seconds: float, bare: bool, warm_up_s: float = 8.0) -> Result:
    """Run a load, measure a window, then check everything that was sent in the whole run."""
    received = folder / "received.bin"
    with running(load, folder, bare=bare) as (gateway, compared):
        processes = [gateway] + ([compared] if compared else [])
        watch(processes, warm_up_s)
        start = time.time_ns()
        usage = watch(processes, seconds)
        end = time.time_ns()
    report = verify([received], read_journals([folder / "journal.txt"]))
    values = sum(
        record.payload.count(b",", record.payload.rfind(b'"v":')) + 1
        for record in read(received)
        if start <= record.received < end and b'"seq"' in record.payload
    )
    return Result(load, usage["gateway"], usage.get("bare"), report, values / usage["gateway"].seconds)


def main() -> None:
    """Run one load from the command line: name devices values scan in_flight seconds."""
    name, devices, values, scan, in_flight, seconds = sys.argv[1:7]
    folder = Path(sys.argv[7])
    folder.mkdir(parents=True, exist_ok=True)
    load = Load(name, int(devices), int(values), scan, int(in_flight), 1.0)
    result = measure(load, folder, seconds=float(seconds), bare=True)
    print(result)


if __name__ == "__main__":
    main()
