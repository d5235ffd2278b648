"""How a sink came back after an outage: when live values flowed again, how late, how fast the rest came."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from tests.verify.recording import read

UNDER_WAY_NS = 5_000_000_000
"""Rows this much older than the return are the outage's, not what was just under way."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a subscriber saw after the broker's return."""

    live_after_s: float
    """From the return to the first value taken after it."""
    live_lag_p99_s: float
    live_lag_max_s: float
    """From the gateway's time to the subscriber, of the values taken from the return to the backlog's end."""
    backlog: int
    """Rows that came marked historical."""
    unmarked: int
    """Older rows that came without the mark: the broker had them already, or they were under way."""
    drain_s: float
    """From the first to the last of the backlog."""
    drain_per_s: float
    """Backlog over that time."""
    intake_per_s: float
    """Rows a second that were taken from the return on."""

    def text(self) -> str:
        return (
            f"live after {self.live_after_s:.1f} s; {self.backlog} rows of backlog in {self.drain_s:.2f} s, "
            f"{self.drain_per_s:,.0f} a second at an intake of {self.intake_per_s:,.0f}; live lag p99 "
            f"{self.live_lag_p99_s:.2f} s, at most {self.live_lag_max_s:.2f} s; {self.unmarked} unmarked"
        )


def recovery(recording: Path, back: int) -> Recovery:
    """Judge what came after `back`, ns UTC, when the broker took connections again."""
    received, taken, rows, historical = _columns(recording, back)
    live = ~historical & (taken >= back)
    if not live.any() or not historical.any():
        raise ValueError("nothing live, or no backlog, came after the return")
    begin, end = int(received[historical].min()), int(received[historical].max())
    beside = live & (taken <= max(end, int(taken[live].min())))
    lags = (received - taken)[beside] / 1e9
    drain_s = max((end - begin) / 1e9, 0.001)
    backlog = int(rows[historical].sum())
    return Recovery(
        live_after_s=(int(received[live].min()) - back) / 1e9,
        live_lag_p99_s=float(np.percentile(lags, 99)),
        live_lag_max_s=float(lags.max()),
        backlog=backlog,
        unmarked=int(rows[~historical & (taken < back - UNDER_WAY_NS)].sum()),
        drain_s=drain_s,
        drain_per_s=backlog / drain_s,
        intake_per_s=float(rows[taken >= back].sum()) / ((int(taken.max()) - back) / 1e9),
    )


def until_live(recording: Path, starts: Sequence[int]) -> list[float]:
    """Return for each start, ns UTC, the seconds until the first live value taken after it came, if any."""
    received, taken, _, historical = _columns(recording, 0)
    came = [received[~historical & (taken >= start)] for start in starts]
    return [(int(each.min()) - start) / 1e9 for each, start in zip(came, starts, strict=True) if len(each)]


@dataclass(frozen=True, slots=True)
class Run:
    """What a subscriber saw of the gateway between one start and the next."""

    doubled: int
    """Rows that had come before this run."""
    unsaved: int
    """Rows whose passing no cursor may have saved when the run ended: those of its last `save_s`, and if it
    was shorter, what the run before left so."""


def runs(recording: Path, starts: Sequence[int], save_s: float) -> list[Run]:
    """Judge each run, from its start, ns UTC, to the next; a cursor is saved at least every `save_s`."""
    rows = _rows(recording)
    told: list[Run] = []
    known: set[tuple[str, int, int]] = set()
    for start, end in zip(starts, [*starts[1:], 2**63 - 1], strict=True):
        mine = [each for each in rows if start <= each[0] < end]
        keys = {each[1:] for each in mine}
        first, last = (mine[0][0], mine[-1][0]) if mine else (start, start)
        late = {each[1:] for each in mine if each[0] > last - save_s * 1e9}
        before = told[-1].unsaved if told and last - first < save_s * 1e9 else 0
        told.append(Run(len(mine) - len(keys - known), len(late) + before))
        known |= keys
    return told


def _rows(recording: Path) -> list[tuple[int, str, int, int]]:
    """Return when each row came, and its key."""
    found = []
    for record in read(recording):
        if not record.topic.rpartition("/")[2].startswith("_"):
            said = orjson.loads(record.payload)
            numbers = said.get("row", range(len(said["v"])))
            found += [(record.received, said["epoch"], said["seq"], number) for number in numbers]
    return found


def _columns(recording: Path, back: int) -> tuple[NDArray[np.int64], ...]:
    """Return when each message after `back` came, its oldest time, its rows, whether it is historical."""
    found = []
    for record in read(recording):
        if record.received >= back and not record.topic.rpartition("/")[2].startswith("_"):
            said = orjson.loads(record.payload)
            oldest = said["t0"] + min(said.get("dt", [0]))
            found.append((record.received, oldest, len(said["v"]), said.get("hist", False)))
    received, taken, rows, historical = np.array(found, np.int64).reshape(-1, 4).T
    return received, taken, rows, historical.astype(np.bool_)
