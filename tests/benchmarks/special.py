"""Start-up with many tags, the drain of a backlog, and the bare loop at its fastest."""

import contextlib
import json
import shutil
import signal
import time
from pathlib import Path

from tests.benchmarks.harness import GATEWAY_CORE, OTHER_CORE, cpu_s, median, rss_mb
from tests.benchmarks.polling import Load, Running, running, simulator
from tests.processes import free_port, python, started, wait_for
from tests.servers.broker import Broker
from tests.verify.metrics import metric


def start_up_s(folder: Path, devices: int = 100, values: int = 1000) -> tuple[list[float], float]:
    """Return seconds from the command until all tags are announced, empty store first; and MB."""
    folder.mkdir(parents=True)
    tag = {"v": {"shape": "constant", "count": values}}
    plant = {
        "page": {"enabled": False},
        "history": {"enabled": False},
        "gateway": {"id": "bench", "site": "cz", "http_port": free_port()},
        "sources": {
            f"s{d}": {"kind": "simulated", "devices": {f"d{d}": {"scan": "1h", "tags": tag}}}
            for d in range(devices)
        },
    }
    (folder / "plant.yaml").write_text(json.dumps(plant))
    found, memory = [], 0.0
    for attempt in range(2):
        began = time.monotonic()
        run = python("-m", "gateway", "run", folder / "plant.yaml")
        with started(f"gateway{attempt}", run, folder, core=GATEWAY_CORE) as gateway:
            wait_for(lambda: gateway.log.read_bytes().count(b"link connected") == devices, "all sources")
            found.append(time.monotonic() - began)
            memory = rss_mb(gateway)
    return found, memory


def back_after_kill(folder: Path, kills: int = 10) -> str:
    """Kill a gateway under 2,000 values a second, start it again; tell how soon the broker has rows again."""
    folder.mkdir(parents=True)
    status = free_port()
    tags = {"v": {"count": 100, "period": "3s"}}
    with Broker(folder / "broker", core=OTHER_CORE) as broker:
        plant = {
            "page": {"enabled": False},
            "gateway": {"id": "bench", "site": "cz", "http_port": status},
            "sources": {"s": {"kind": "simulated", "devices": {"d": {"scan": "50ms", "tags": tags}}}},
            "sinks": {"cloud": {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port}},
        }
        (folder / "plant.yaml").write_text(json.dumps(plant))
        run = python("-m", "gateway", "run", folder / "plant.yaml")
        seconds, used = [], []
        for attempt in range(kills + 1):
            began = time.monotonic()
            with started(f"killed{attempt}", run, folder, core=GATEWAY_CORE) as gateway:
                wait_for(lambda: metric(status, "sink_rows_total") > 0, "the first rows", 60)
                seconds.append(time.monotonic() - began)
                used.append(cpu_s(gateway))
                wait_for(lambda: metric(status, "sink_rows_total") > 5_000, "a while of work", 60)
                gateway.end(signal.SIGKILL)
    return (
        f"Killed under 2,000 values/s and started again, {kills} times: rows at the broker after "
        f"{median(seconds[1:]):.1f} s (median), {max(seconds[1:]):.1f} s at most (bar: 5 s); "
        f"{max(used[1:]):.1f} s of a core."
    )


def drain(folder: Path, *, outage_s: float) -> dict[str, float]:
    """Take the broker away under a load, bring it back, and watch the backlog go while live goes on."""
    load = Load("drain", 10, 1000, "200ms", 8)  # 50,000 values a second
    with running(load, folder) as run:
        wait_for(lambda: run.metrics()["sink_rows_total"] > 50_000, "rows at the broker")
        run.broker.stop()
        backlog = outage_s * 50_000
        wait_for(lambda: run.metrics()["sink_backlog_rows"] >= backlog, "the backlog", 2 * outage_s + 60)
        run.broker.start()
        wait_for(lambda: run.metrics()["sink_up"] == 1, "the connection", 60)
        return _watched(run)


def _watched(run: Running) -> dict[str, float]:
    began, first = time.monotonic(), run.metrics()
    seen = [(began, first)]
    while seen[-1][1]["sink_backlog_rows"] > 60_000:
        time.sleep(0.2)
        seen.append((time.monotonic(), run.metrics()))
        if seen[-1][0] - began > 300:
            raise TimeoutError("the backlog does not drain")
    passed = seen[-1][0] - began
    sent = seen[-1][1]["sink_rows_total"] - first["sink_rows_total"]
    gone = first["sink_backlog_rows"] - seen[-1][1]["sink_backlog_rows"]
    intake = (seen[-1][1]["store_rows_total"] - first["store_rows_total"]) / passed
    return {
        "backlog": first["sink_backlog_rows"],
        "seconds": passed,
        "sent_per_s": sent / passed,
        "backlog_per_s": gone / passed + intake,
        "intake_per_s": intake,
    }


def bare_loop(folder: Path, *, devices: int, seconds: float) -> float:
    """Return values a second of the bare loop, the median over the seconds of the window."""
    folder.mkdir(parents=True)
    load = Load("bare", devices, 1000, "10ms", 8)
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(Broker(folder / "broker", settings=("log_type error",), core=OTHER_CORE))
        ports = stack.enter_context(simulator(load, folder, "journal"))
        command = python("-m", "tests.benchmarks.bare_loop", "--ports", ",".join(map(str, ports)))
        command += ["--broker", str(broker.port), "--out", folder / "log.bin"]
        loop = stack.enter_context(started("loop", command, folder, core=GATEWAY_CORE))
        wait_for(lambda: loop.log.read_text().count("\n") > seconds + 2, "the window", seconds + 30)
        rates = [float(line) for line in loop.log.read_text().split()]
    shutil.rmtree(folder)
    return median(rates[2:])
