"""What the energy page's questions cost, asked of its own process over HTTP as a browser asks."""

import json
import statistics
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.energy import CALENDAR, START
from tests.benchmarks.tariff import ENTRY
from tests.processes import python

RUNS: Final = 7
BARS_MS: Final = {"table": 300.0, "year": 1_000.0}
_MS: Final = 1_000_000


def plant_file(folder: Path, meters: int) -> Path:
    """Write the plant whose books `tests.benchmarks.energy` makes; m0 is the whole site's."""
    tag = {"e_import": {"shape": "counter", "unit": "kWh"}}
    devices = {f"m{i}": {"at": "a/l", "scan": "60s", "tags": tag} for i in range(meters)}
    found: dict[str, Any] = {
        f"m{i}": {"resolution": 0.01, "maximum": 1000, "parent": "m0"} for i in range(meters)
    }
    found["m0"] = {"resolution": 0.01, "maximum": 1000, "at": "-"}
    plant = {
        "gateway": {"id": "bench", "site": "s"},
        "sources": {"src": {"kind": "simulated", "devices": devices}},
        "energy": {"meters": found},
        "tariff": [ENTRY | {"use": "jiangsu-2025", "overlays_on": "base"}],
        "calendar": {"major_holidays": ["national_day"]},
    }
    file = folder / "plant.yaml"
    file.write_text(json.dumps(plant))
    return file


@contextmanager
def page(folder: Path, file: Path) -> Iterator[str]:
    """Run the page's process over a data directory; yield its address."""
    command = python("-m", "gateway.web", "--status-port", "1", "--directory", folder, "--plant", file)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        try:
            yield run.stdout.readline().strip()
        finally:
            run.stdin.close()
            run.wait(30)


def asked(url: str, path: str, start: int, end: int, **words: str) -> tuple[float, float, Any]:
    """Return the ms of the first answer, the median ms of the next ones, and what they say."""
    query = urllib.parse.urlencode({"start": start // _MS, "end": end // _MS} | words)
    times = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        with urllib.request.urlopen(f"{url}api/energy/{path}?{query}", timeout=120) as reply:
            body = reply.read()
        times.append(1e3 * (time.perf_counter() - began))
    return times[0], statistics.median(times[1:]), json.loads(body)


def many(folder: Path, meters: int) -> str:
    """Return the line of a month of daily totals of many meters."""
    with page(folder, plant_file(folder, meters)) as url:
        first, median, told = asked(url, "table", START, CALENDAR.moment(datetime(2025, 2, 1)))  # noqa: DTZ001
    assert len(told["names"]) == meters
    assert [len(row) for row in told["quanta"]] == [31] * meters
    assert all(None not in row for row in told["quanta"])
    what = f"a month of daily totals of {meters:,} meters through /api/energy/table"
    with_file = f"the first, which reads the plant file, {first:.0f} ms"
    return f"| {what} | {median:.0f} ms ({_verdict(median, 'table')}; {with_file}) |"


def year(folder: Path, meters: int) -> str:
    """Return the line of a year of cost of one plant."""
    last = CALENDAR.moment(datetime(2026, 1, 1))  # noqa: DTZ001
    with page(folder, plant_file(folder, meters)) as url:
        words = {"subject": "s", "metric": "cost"}
        by_day = asked(url, "figures", START, last, interval="day", **words)
        by_month = asked(url, "figures", START, last, interval="month", **words)
    assert by_day[2]["total"]["value"] == by_month[2]["total"]["value"]
    assert len(by_day[2]["rows"]) == 365
    times = f"{by_day[1]:.0f} and {by_month[1]:.0f} ms"
    verdict = _verdict(max(by_day[1], by_month[1]), "year")
    return f"| a year of cost of one plant of {meters} meters, by day and by month | {times} ({verdict}) |"


def _verdict(found: float, bar: str) -> str:
    return f"the bar is {BARS_MS[bar]:.0f} ms: {'kept' if found <= BARS_MS[bar] else 'missed'}"
