"""One server of the plant, a process of its own, or the plant's truth.

    python -m edge_deploy.plant modbus-tcp --port 5020 --speed 60
    python -m edge_deploy.plant modbus-line --link ./line_1
    python -m edge_deploy.plant opcua --port 4840 --folder ./opcua
    python -m edge_deploy.plant sensors --port 1883
    python -m edge_deploy.plant broker --port 1883
    python -m edge_deploy.plant past --start 2026-06-21T10:00 --day 0 --day 1 --file ./days.npz
    python -m edge_deploy.plant truth --start 2026-06-21T10:00 --from 2026-06-21T10:00 --to 2026-06-21T11:00

Servers that are given the same --seed, --start, --began and --speed are one plant.
"""

import argparse
import asyncio
import contextlib
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from edge_deploy.plant.clock import HOUR, Clock, parse
from edge_deploy.plant.model import Plant
from edge_deploy.plant.truth import between


def main() -> None:
    """Run one server until SIGTERM or Ctrl-C, or print the truth."""
    asked = _parser().parse_args()
    if asked.what == "truth":
        first = parse(asked.first) if asked.first else parse(asked.start)
        last = parse(asked.last) if asked.last else first + HOUR
        told = between(asked.seed, parse(asked.start), first, last)
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
        return
    if asked.what == "past":
        past = importlib.import_module("edge_deploy.plant.past")
        begin = parse(asked.start)
        days = past.spans(begin, asked.days)
        past.save(asked.file, [past.compute(asked.seed, *days[each]) for each in asked.day])
        return
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(_until_stopped(_server(asked)))


def _server(asked: argparse.Namespace) -> Coroutine[Any, Any, None]:
    # Each server imports what it needs only: asyncua alone takes a second.
    def module(name: str) -> Any:
        return importlib.import_module(f"edge_deploy.plant.{name}")

    if asked.what == "broker":
        return module("broker").serve(asked.port)
    length = None if asked.hours is None else round(asked.hours * HOUR)
    clock = Clock(parse(asked.start), asked.began or time.time_ns(), asked.speed, length)
    plant = Plant(asked.seed, clock.start)
    match asked.what:
        case "modbus-tcp":
            return module("modbus").serve_tcp(plant, clock, asked.port)
        case "modbus-line":
            return module("modbus").serve_line(plant, clock, asked.link)
        case "opcua":
            return module("opcua").serve(plant, clock, asked.port, asked.folder)
        case _:
            return module("sensors").publish(plant, clock, asked.port)


async def _until_stopped(serving: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(serving)
    if os.name == "posix":
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await task


def _parser() -> argparse.ArgumentParser:
    plant = argparse.ArgumentParser(add_help=False)
    plant.add_argument("--seed", type=int, default=1)
    plant.add_argument("--start", default="2026-06-21T10:00", help="the plant's local time at its beginning")
    clock = argparse.ArgumentParser(add_help=False)
    clock.add_argument("--began", type=int, help="this machine's time then, ns since 1970; now")
    clock.add_argument("--speed", type=int, default=1, help="60: a minute in a second")
    clock.add_argument("--hours", type=float, help="stand still after so much of the plant's time")
    parser = argparse.ArgumentParser(
        prog="edge_deploy.plant", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    what = parser.add_subparsers(dest="what", required=True)
    for name in ("modbus-tcp", "opcua", "sensors"):
        what.add_parser(name, parents=[plant, clock]).add_argument("--port", type=int, required=True)
    what.choices["opcua"].add_argument("--folder", type=Path, required=True)
    what.add_parser("modbus-line", parents=[plant, clock]).add_argument("--link", type=Path, required=True)
    past = what.add_parser("past", parents=[plant])
    past.add_argument("--days", type=int, default=7, help="whole days before the start's own")
    past.add_argument(
        "--day", type=int, action="append", required=True, help="0 is the oldest; more than once"
    )
    past.add_argument("--file", type=Path, required=True, help="where to write them")
    what.add_parser("broker").add_argument("--port", type=int, required=True)
    truth = what.add_parser("truth", parents=[plant])
    truth.add_argument("--from", dest="first", help="plant time; the start")
    truth.add_argument("--to", dest="last", help="plant time; an hour later")
    return parser


if __name__ == "__main__":
    main()
