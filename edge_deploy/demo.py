"""`make demo`: a simulated plant speaking real protocols, the gateway, its page, a platform that counts.

Everything listens on loopback and free ports and ends with Ctrl-C; nothing stays but a folder under the
system's temporary directory, which goes too. It needs Python and, to build the page, Node; nothing else.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, Final

import yaml
from rich.console import Console
from rich.live import Live

from edge_deploy import past
from edge_deploy.children import Children
from edge_deploy.plant.clock import ZONE, parse
from edge_deploy.stand_in import Platform
from gateway.security import House
from gateway.security.setup_code import new_code

console = Console()
_PATIENCE_S: Final = 90.0
_NAMES: Final = ("meters", "controllers", "broker", "status", "page")
SITE: Final = "demo_factory"
_HAS_LINES: Final = os.name == "posix"
"""Whether this machine has pseudo-terminals."""


def free_ports() -> dict[str, int]:
    """Return a port of loopback nobody listens on now, for each that is needed."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in _NAMES]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return {name: probe.getsockname()[1] for name, probe in zip(_NAMES, probes, strict=True)}


def wait_until(condition: Callable[[], bool], what: str, children: Children) -> None:
    """Return once it is so; end the demo with a word when it does not become so."""
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        gone = children.ended()
        if gone or time.monotonic() > deadline:
            logs = "\n".join(f"{name}:\n{children.log(name)}" for name in gone)
            raise SystemExit(f"{what} did not come up / 未能启动\n{logs}")
        time.sleep(0.05)


def listens(port: int) -> bool:
    """Tell whether somebody listens on a port of loopback."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def start_broker(children: Children, port: int, wanted: str | None) -> str:
    """Start mosquitto, or where there is none a broker in Python; return the newest MQTT it speaks."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
    mosquitto = shutil.which("mosquitto", path=path)
    if mosquitto is not None and wanted != "amqtt":
        children.start("broker", [mosquitto, "-p", str(port)])
        return "5"
    children.python("broker", "-m", "edge_deploy.plant", "broker", "--port", port)
    return "3.1.1"


def start_plant(children: Children, folder: Path, ports: dict[str, int], asked: argparse.Namespace) -> None:
    """Start the plant's servers, which share one clock and one seed."""
    clock: list[object] = ["--seed", asked.seed, "--start", asked.start, "--speed", asked.speed]
    clock += ["--began", asked.began or time.time_ns()]
    clock += [] if asked.hours is None else ["--hours", asked.hours]
    plant = ("-m", "edge_deploy.plant")
    children.python(
        "controllers", *plant, "opcua", *clock, "--port", ports["controllers"], "--folder", folder / "opcua"
    )
    children.python("meters", *plant, "modbus-tcp", *clock, "--port", ports["meters"])
    if _HAS_LINES:
        children.python("meter_line", *plant, "modbus-line", *clock, "--link", folder / "ttyLINE")
    children.python("sensors", *plant, "sensors", *clock, "--port", ports["broker"])


def write_plant(folder: Path, ports: dict[str, int], mqtt: str) -> Path:
    """Write the shipped demo plant with the places of this run."""
    text = (resources.files("config") / "data" / "plants" / "demo.yaml").read_text(encoding="utf-8")
    plant: dict[str, Any] = yaml.safe_load(text)
    sources = plant["sources"]
    plant["gateway"]["http_port"] = ports["status"]
    plant["page"] = {"port": ports["page"]}
    sources["line_plc"]["endpoint"] = f"opc.tcp://127.0.0.1:{ports['controllers']}/plant"
    sources["meters"]["port"] = ports["meters"]
    for connection in (sources["sensors"], plant["sinks"]["broker"]):
        connection |= {"port": ports["broker"], "version": mqtt}
    if _HAS_LINES:
        sources["meter_line"]["port"] = str(folder / "ttyLINE")
    else:
        del sources["meter_line"]
        console.print("本机没有伪终端，略去串口。 No pseudo-terminals here: the serial line is left out.")
    file = folder / "plant.yaml"
    file.write_text(yaml.safe_dump(plant, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return file


def trust(folder: Path) -> None:
    """Trust the controllers' certificate, as a person does who has compared its thumbprint."""
    trusted = folder / "data" / "pki" / "opcua" / "trusted"
    trusted.mkdir(parents=True)
    shutil.copy(folder / "opcua" / "certificate.der", trusted)


def run(folder: Path, children: Children, asked: argparse.Namespace) -> None:
    """Start everything, say where the page is, and show what arrives until it is stopped."""
    ports = free_ports()
    computing = past.begin(children, folder, asked.seed, asked.start, asked.past) if asked.past else []
    mqtt = start_broker(children, ports["broker"], asked.broker)
    start_plant(children, folder, ports, asked)
    plant = write_plant(folder, ports, mqtt)
    for name in ("broker", "controllers", "meters"):
        wait_until(lambda port=ports[name]: listens(port), name, children)  # type: ignore[misc]
    if _HAS_LINES:
        wait_until((folder / "ttyLINE").exists, "meter_line", children)
    trust(folder)
    if computing:
        wait_until(lambda: children.are_done(computing), "past", children)
        lived = past.gathered(folder, computing, asked.seed, parse(asked.start))
        asyncio.run(past.fill(plant, folder / "data", lived))
        past.enter_orders(folder / "data", SITE, lived)
    platform = Platform(ports["broker"])
    children.python("gateway", "-m", "gateway", "run", plant)
    wait_until(lambda: listens(ports["page"]), "page", children)
    with House(folder / "data") as house:
        code = new_code(house)
    print(f"页面 page  http://127.0.0.1:{ports['page']}/     Ctrl-C 退出 ends it all", flush=True)
    print(
        f"登录 login {code} 建立第一位管理员之前，本机可以只看 until a user is made with it, only looking",
        flush=True,
    )
    print(f"消息 data  mosquitto_sub -p {ports['broker']} -v -t 'wanglian/#'   files: {folder}", flush=True)
    began = time.monotonic()
    with Live(console=console, refresh_per_second=2) as live:
        while (passed := time.monotonic() - began) < asked.seconds:
            gone = children.ended()
            if "gateway" in gone:
                raise SystemExit(children.log("gateway"))
            live.update(platform.table(passed, f"已结束 ended: {', '.join(gone)}" if gone else ""))
            time.sleep(0.5)


def main() -> None:
    """Run until Ctrl-C, or for as many seconds as asked."""
    now = datetime.now(ZONE).replace(microsecond=0, tzinfo=None)
    parser = argparse.ArgumentParser(prog="edge_deploy.demo", description=__doc__)
    parser.add_argument("--speed", type=int, default=1, help="seconds of the plant in one of ours")
    parser.add_argument(
        "--start", help="the plant's local time at its beginning; now, at another speed 10:00"
    )
    parser.add_argument("--began", type=int, help="this machine's time then, ns since 1970; now")
    parser.add_argument("--seed", type=int, default=1, help="another seed is another day")
    parser.add_argument(
        "--past", type=int, help="days before to fill in; as many as this machine is quick at"
    )
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end by itself")
    parser.add_argument("--hours", type=float, help="the plant stands still after so many of its hours")
    parser.add_argument("--broker", choices=("mosquitto", "amqtt"), help="mosquitto where it is installed")
    asked = parser.parse_args()
    if asked.start is None and asked.speed == 1 and asked.began is None:
        # The plant's time is the wall's: sun, shifts and prices fall on the hours that the books know.
        asked.start, asked.began = now.isoformat(), parse(now.isoformat())
        asked.past = past.days_for(os.cpu_count() or 1) if asked.past is None else asked.past
    elif asked.past:
        parser.error("--past needs a plant whose time is this machine's: no --start, no --speed")
    asked.start = asked.start or f"{now.date()}T10:00"
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # a shell lets what runs in its background ignore SIGINT
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    with (
        contextlib.suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory(prefix="wanglian-demo-", ignore_cleanup_errors=True) as name,
        Children(Path(name)) as children,
    ):
        run(Path(name), children, asked)


if __name__ == "__main__":
    main()
