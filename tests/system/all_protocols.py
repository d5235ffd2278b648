"""A factory in small: four simulated protocols, two destinations, one gateway that comes and goes."""

import json
import shutil
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from tests.processes import ROOT, Process, free_port, python, started, wait_for
from tests.servers.broker import Broker
from tests.servers.mqtt_sensors import read_journal
from tests.servers.victoria import Victoria
from tests.verify.accounts import Accounts, Points
from tests.verify.metrics import metric
from tests.verify.plant_truth import Truth
from tests.verify.read_store import batches
from tests.verify.values import read_journals

PLCS, PLC_VALUES = 3, 100
METERS, METER_VALUES = 2, 20
NODES, TICK_MS = 70, 100
SENSORS, SENSOR_VALUES, MESSAGES = 20, 10, 50
"""Sensors, values of a message, messages a second."""
ROWS_A_SECOND = 10 * PLCS * PLC_VALUES + 5 * METERS * METER_VALUES + 10 * NODES + MESSAGES * SENSOR_VALUES


class Factory:
    """The simulators, both brokers, the database and the subscriber; `gateway()` starts the gateway."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.status_port = free_port()
        self.inputs = Broker(folder / "inputs", persistence=True)
        self.platform = Broker(folder / "platform", persistence=True)
        self.victoria = Victoria(folder / "victoria")
        self.copies: list[Path] = []
        self.starts: list[int] = []
        self._stack = ExitStack()
        self._sensors: Process | None = None

    def __enter__(self) -> Self:
        with self._stack as stack:
            for each in (self.inputs, self.platform, self.victoria):
                stack.enter_context(each)
            ports = self._start_plcs(stack)
            line = self._start_meters(stack)
            cell = self._start_cell(stack)
            self._subscribe(stack)
            self.plant = self._write_plant(ports, line, cell)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start_plcs(self, stack: ExitStack) -> list[int]:
        port_file = self.folder / "ports.json"
        serve = python(ROOT / "tests/servers/modbus_plant.py", "--devices", str(PLCS))
        serve += [
            "--values",
            str(PLC_VALUES),
            "--journal",
            self.folder / "plcs.txt",
            "--port-file",
            port_file,
        ]
        stack.enter_context(started("plcs", serve, self.folder))
        wait_for(port_file.exists, "the PLCs")
        ports: list[int] = json.loads(port_file.read_text())["ports"]
        return ports

    def _start_meters(self, stack: ExitStack) -> str:
        serve = python("-m", "tests.servers.rtu_plant", "--devices", str(METERS))
        serve += ["--values", str(METER_VALUES), "--journal", self.folder / "meters.txt"]
        meters = stack.enter_context(started("meters", serve, self.folder))
        wait_for(lambda: meters.said("/dev/"), "the serial line")
        return json.loads(meters.log.read_text().splitlines()[0])["port"]

    def _start_cell(self, stack: ExitStack) -> str:
        port = free_port()
        serve = ["node", ROOT / "tests/servers/opcua/plant.mjs", "--port", str(port)]
        serve += ["--variables", str(NODES), "--tick", str(TICK_MS)]
        serve += ["--folder", self.folder / "cell", "--journal", self.folder / "cell.txt"]
        cell = stack.enter_context(started("cell", serve, self.folder))
        wait_for(lambda: cell.said("serving"), "the OPC UA server", 60)
        return f"opc.tcp://127.0.0.1:{port}/plant"

    def _subscribe(self, stack: ExitStack) -> None:
        listen = python("-m", "tests.verify.subscriber", "--port", str(self.platform.port))
        command = [*listen, "--out", self.folder / "received.bin"]
        subscriber = stack.enter_context(started("subscriber", command, self.folder))
        wait_for(lambda: subscriber.said("subscribed"), "the subscription")

    def _write_plant(self, ports: list[int], line: str, cell: str) -> Path:
        def array(count: int) -> dict[str, object]:
            return {"v": {"address": 0, "type": "float32", "count": count}}

        plcs = {
            f"plc{d}": {
                "kind": "modbus_tcp",
                "host": "127.0.0.1",
                "port": port,
                "devices": {f"m{d}": {"at": "hall/a", "scan": "100ms", "tags": array(PLC_VALUES)}},
            }
            for d, port in enumerate(ports)
        }
        meters = {
            f"r{d}": {"at": "hall/b", "unit_id": d + 1, "scan": "200ms", "tags": array(METER_VALUES)}
            for d in range(METERS)
        }
        nodes = {f"x_{i}": {"node": f"s=x_{i}"} for i in range(NODES)}
        sensors = {
            "topic": "sensors/+/data",
            "device": "sensor_{1}",
            "at": "hall/d",
            "time": {"path": "ts", "form": "unix_ms"},
            "id": "seq",
            "tags": {f"v{i}": {"path": f"values.v{i}"} for i in range(SENSOR_VALUES)},
        }
        plant = {
            "gateway": {"id": "g1", "site": "cz", "http_port": self.status_port},
            "page": {"enabled": False},
            "sources": plcs
            | {
                "line": {"kind": "modbus_serial", "port": line, "baud": 115200, "devices": meters},
                "cell": {
                    "kind": "opcua",
                    "endpoint": cell,
                    "security": "none",
                    "namespace": "urn:wanglian:test:plant",
                    "publish": f"{TICK_MS}ms",
                    "devices": {"press_1": {"at": "hall/c", "scan": f"{TICK_MS // 2}ms", "tags": nodes}},
                },
                "sensors": {
                    "kind": "mqtt",
                    "host": "127.0.0.1",
                    "port": self.inputs.port,
                    "messages": [sensors],
                },
            },
            "sinks": {
                "platform": {"kind": "mqtt", "host": "127.0.0.1", "port": self.platform.port},
                "history": {
                    "kind": "influxdb",
                    "url": self.victoria.url,
                    "org": "factory",
                    "bucket": "plant",
                },
            },
            # Small segments, so that kills also fall into their change.
            "buffer": {"segment_bytes": "1MiB", "segment_age": "3s"},
        }
        file = self.folder / "plant.yaml"
        file.write_text(json.dumps(plant))
        return file

    @contextmanager
    def gateway(self) -> Iterator[Process]:
        """Run the gateway; the sensors start with its first session, which the input broker then keeps."""
        self.starts.append(time.time_ns())
        with started("gateway", python("-m", "gateway", "run", self.plant), self.folder) as process:
            if self._sensors is None:
                wait_for(lambda: self.metric("source_up") == PLCS + 3, "every source", 60)
                publish = python(ROOT / "tests/servers/mqtt_sensors.py", "--port", str(self.inputs.port))
                publish += ["--journal", self.folder / "sensors.txt", "--sensors", str(SENSORS)]
                publish += ["--values", str(SENSOR_VALUES), "--rate", str(MESSAGES)]
                self._sensors = self._stack.enter_context(started("sensors", publish, self.folder))
            yield process

    def kill(self, gateway: Process) -> None:
        """kill -9, and keep what the store holds then: what is in it was accepted."""
        gateway.end(signal.SIGKILL)
        self.copy_store()

    def copy_store(self) -> None:
        copy = self.folder / f"copy{len(self.copies)}"
        shutil.copytree(self.folder / "data" / "buffer", copy)
        self.copies.append(copy)

    def finish(self, gateway: Process) -> None:
        """Stop the sensors, wait until nothing waits anywhere, and stop the gateway as an operator would."""
        assert self._sensors is not None
        assert self._sensors.end(signal.SIGTERM) == 0
        wait_for(lambda: self.metric("sink_up") == 2, "both destinations", 90)
        wait_for(lambda: self.metric('source_up{source="sensors"') == 1, "the input broker", 60)
        self._wait_until_still(lambda: int(self.metric('source_rows_total{source="sensors"')), "its messages")
        wait_for(self.every_source_speaks, "rows of every source", 60)
        wait_for(lambda: self.metric("sink_backlog_rows") < ROWS_A_SECOND, "the end of the backlog", 120)
        assert gateway.end(signal.SIGTERM) == 0, gateway.log.read_text()
        self.copy_store()
        self._wait_until_still(lambda: (self.folder / "received.bin").stat().st_size, "the last message")

    def every_source_speaks(self) -> bool:
        """Tell whether each polled or subscribed source has brought several reports of all its tags."""
        tags = {f"plc{d}": PLC_VALUES for d in range(PLCS)} | {"line": METERS * METER_VALUES, "cell": NODES}
        return all(
            self.metric(f'source_rows_total{{source="{name}"') > 5 * count for name, count in tags.items()
        )

    def _wait_until_still(self, measured: Callable[[], int], what: str) -> None:
        seen = [(-1, 0.0)]

        def is_still() -> bool:
            now, size = time.monotonic(), measured()
            if size != seen[-1][0]:
                seen.append((size, now))
            return now - seen[-1][1] > 1.0

        wait_for(is_still, what, 60)

    def metric(self, name: str) -> float:
        return metric(self.status_port, name)

    def books(self) -> Accounts:
        """Compare everything with everything."""
        journals = {"m": read_journals([self.folder / "plcs.txt"])}
        journals["r"] = read_journals([self.folder / "meters.txt"])
        books = Accounts((batches(copy) for copy in self.copies), Truth(journals, self.starts))
        books.take_mqtt(self.folder / "received.bin")
        books.take_points(self._points())
        return books

    def published(self) -> list[tuple[int, int, int]]:
        """Return (sensor, ms, seq) of every message the input broker acknowledged."""
        return read_journal(self.folder / "sensors.txt")

    def _points(self) -> Points:
        points: defaultdict[str, defaultdict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        for series in self.victoria.export('{__name__=~"wanglian_(value|integer|unsigned)"}'):
            levels = [series.labels[level] for level in ("site", "area", "line", "device", "tag")]
            by_ms = points["/".join(levels)]
            for ms, value in zip(series.times, series.values, strict=True):
                by_ms[ms].append(value)
        return points
