"""The demo's plant with hours behind it: what a page shows that has run for a shift, made in a few minutes.

First the plant runs fast, over its real protocols, into the gateway's history. Then the history's times are
stretched to the plant's own, and the same plant goes on at the clock's pace where it was.
"""

import argparse
import contextlib
import shutil
import signal
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from config.plant import HistoryOptions
from connectors import DTYPE_OF_PART, Batch, Columns, Delivery, Epoch, Part, SystemClock, TagTable
from edge_deploy import demo
from edge_deploy.children import Children
from edge_deploy.plant.clock import HOUR, SECOND, ZONE
from gateway.history import HISTORY, Reader
from gateway.history.store import Store

SPEED = 120
ROWS = 50_000
OURS = Epoch(0, 1)


@contextlib.contextmanager
def running(folder: Path, start: int, began: int, speed: int) -> Iterator[tuple[str, Children]]:
    """Run the demo's processes; yield the page's address and them; times in ns, the plant's and ours then."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    text = datetime.fromtimestamp(start / SECOND, ZONE).strftime("%Y-%m-%dT%H:%M:%S")
    asked = argparse.Namespace(seed=1, start=text, speed=speed, began=began, hours=None)
    with Children(folder) as children:
        ports = demo.free_ports()
        mqtt = demo.start_broker(children, ports["broker"], None)
        demo.start_plant(children, folder, ports, asked)
        file = demo.write_plant(folder, ports, mqtt)
        for name in ("broker", "controllers", "meters"):
            demo.wait_until(lambda port=ports[name]: demo.listens(port), name, children)
        demo.wait_until((folder / "ttyLINE").exists, "meter_line", children)
        demo.trust(folder)
        children.python("gateway", "-m", "gateway", "run", file)
        demo.wait_until(lambda: demo.listens(ports["page"]), "page", children)
        yield f"http://127.0.0.1:{ports['page']}/", children
    for number, handler in handlers.items():
        signal.signal(number, handler)


@contextlib.contextmanager
def stage(folder: Path, hours: float = 8.0, speed: int = SPEED) -> Iterator[tuple[str, Children]]:
    """Yield the address of a page behind which the plant has worked for so long, and the processes."""
    long = round(hours * HOUR)
    # The plant's clock will be the wall's when the fast part is over.
    end = (time.time_ns() + 20 * SECOND + long // speed) // SECOND * SECOND
    began = end - long // speed
    with running(folder, end - long, began, speed):
        while time.time_ns() < end:
            time.sleep(1)
    stretch(folder / "data", began, end, speed)
    for left in ("ttyLINE", "data/pki", "opcua"):
        path = folder / left
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    with running(folder, end - long, end - long, 1) as shown:
        yield shown


def stretch(data: Path, began: int, end: int, speed: int) -> None:
    """Write the history anew, each row as long before the end in the plant's time as it was in ours."""
    source = data / HISTORY
    reader = Reader(source)
    tags = reader.tags()
    table = TagTable(sorted(tags.items()))
    options = HistoryOptions()
    old = Store(source, options, table, SystemClock())
    old.open()
    booked = dict(old.booked)
    old.close()
    epoch, seq = max(booked.items(), key=lambda item: item[1])
    parts: dict[Part, list[tuple[Any, ...]]] = {}
    for number in tags:
        rows = reader.read_now(number, began, end)
        part = Part(int(table.part(np.array([number], np.int32))[0]))
        columns = (rows.tag, end - (end - rows.time) * speed, rows.value, rows.quality)
        parts.setdefault(part, []).append(columns)
    shutil.rmtree(source)
    new = Store(source, options, table, SystemClock())
    new.open()
    made = 0
    for part, found in parts.items():
        tag, moved, value, quality = (np.concatenate(column) for column in zip(*found, strict=True))
        for first in range(0, len(tag), ROWS):
            some, made = slice(first, first + ROWS), made + 1
            rows = Columns(tag[some], moved[some], value[some].astype(DTYPE_OF_PART[part]), quality[some])
            delivery = Delivery(Batch((rows,), end), OURS, made)
            new.book([delivery], delivery)
    # What was read fast is not read again.
    new.book([], Delivery(Batch((), end), epoch, seq))
    new.put_away(600, everything=True)
    new.close()
