"""An hour of history from before the gateway began: with an outage, and a stretch that is uncertain."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from config.plant import HistoryOptions
from connectors import (
    DTYPE_OF_PART,
    PART_OF_KIND,
    Batch,
    Columns,
    Delivery,
    Epoch,
    Kind,
    SystemClock,
    Tag,
    TagTable,
)
from connectors.quality import BAD_NO_COMMUNICATION, UNCERTAIN_ENGINEERING_UNITS_EXCEEDED
from gateway.buffer.contract import STORE
from gateway.buffer.state import NAME, State
from gateway.history import HISTORY
from gateway.history.store import Store

SECOND: Final = 1_000_000_000
OUTAGE: Final = (1200, 1800)
"""Seconds after the beginning in which nothing came; a Bad row says when it began."""
UNCERTAIN: Final = (2400, 2700)
LONG: Final = 3600
METER: Final = "cz_plant/utilities/power/meter_1"
PRESS: Final = "cz_plant/press_shop/line_1/press_1"
OVEN: Final = "cz_plant/paint_shop/line_1/oven"
TAGS: Final = {
    f"{METER}/voltage": (Kind.FLOAT64, "VLT"),
    f"{OVEN}/zone_1": (Kind.FLOAT64, "CEL"),
    f"{PRESS}/running": (Kind.BOOL, "C62"),
    f"{PRESS}/order": (Kind.TEXT, "C62"),
}
VALUES: Final[dict[str, Callable[[int], Any]]] = {
    f"{METER}/voltage": lambda i: 232.0 if UNCERTAIN[0] <= i < UNCERTAIN[1] else 230 + (i % 40) / 10,
    f"{OVEN}/zone_1": lambda i: 180 + (i % 60) / 20,
    f"{PRESS}/running": lambda i: float(i // 300 % 2),
    f"{PRESS}/order": lambda i: f"order {i // 600}",
}


def write(data: Path) -> int:
    """Write the catalogue and a row a second; return when the hour began, ms since 1970."""
    begun = (time.time_ns() // SECOND - LONG) * SECOND
    (data / STORE).mkdir(parents=True)
    tags = TagTable()
    numbers = tags.announce([Tag(path, kind, unit, "machines") for path, (kind, unit) in TAGS.items()])
    state = State(data / STORE / NAME)
    state.persist([(n, tags[n]) for n in numbers.tolist()])
    state.close()
    store = Store(data / HISTORY, HistoryOptions(), tags, SystemClock())
    store.open()
    for seq, number in enumerate(numbers.tolist()):
        kept = [i for i in range(LONG) if not OUTAGE[0] < i < OUTAGE[1]]
        quality = np.zeros(len(kept), np.uint32)
        at = np.array(kept)
        quality[(at >= UNCERTAIN[0]) & (at < UNCERTAIN[1])] = UNCERTAIN_ENGINEERING_UNITS_EXCEEDED
        quality[at == OUTAGE[0]] = BAD_NO_COMMUNICATION
        value = np.empty(len(kept), DTYPE_OF_PART[PART_OF_KIND[tags[number].kind]])
        value[:] = [VALUES[tags[number].path](i) for i in kept]
        rows = Columns(np.full(len(kept), number, np.int32), begun + at * SECOND, value, quality)
        delivery = Delivery(Batch((rows,), begun + LONG * SECOND), Epoch(0, 1), seq + 1)
        store.book([delivery], delivery)
    store.put_away(60, everything=True)
    store.close()
    return begun // 1_000_000
