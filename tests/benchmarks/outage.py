"""An outage in full length: the broker is away, comes back, and every value is accounted for."""

import json
import time
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.harness import rss_mb
from tests.benchmarks.polling import Load, running
from tests.processes import wait_for
from tests.system.rig import wait_until_quiet
from tests.verify.read_store import batches
from tests.verify.recovery import Recovery, recovery
from tests.verify.report import Report
from tests.verify.values import read_journals
from tests.verify.verify import verify

LOAD = Load("outage", 5, 100, "250ms")  # 2,000 values a second
AT_REST = 2 * LOAD.devices * LOAD.values
"""A backlog of this many rows is what is under way."""


def outage(folder: Path, away_s: float) -> tuple[Recovery, Report, dict[str, float]]:
    """Take the broker away for so long by the clock; return how it came back, the books, memory in MB."""
    with running(LOAD, folder, persistence=True) as run:
        wait_for(lambda: run.metrics()["sink_rows_total"] > 10_000, "rows at the broker", 60)
        memory = {"before": rss_mb(run.gateway)}
        run.broker.stop()
        began, most = time.monotonic(), 0.0
        while (left := began + away_s - time.monotonic()) > 0:
            time.sleep(min(left, 5.0))
            most = max(most, rss_mb(run.gateway))
        memory["away"] = most
        run.broker.start()
        back = time.time_ns()
        wait_for(lambda: run.metrics()["sink_up"] == 1, "the connection", 60)
        wait_for(lambda: run.metrics()["sink_backlog_rows"] < AT_REST, "the end of the backlog", 600)
        delivered = run.metrics()["sink_rows_total"]
        wait_for(
            lambda: run.metrics()["sink_rows_total"] > delivered + 10 * AT_REST, "live rows after it", 60
        )
        memory["after"] = rss_mb(run.gateway)
        assert run.gateway.end(within_s=60) == 0
        wait_until_quiet(folder / "received.bin")
    report = verify(
        [folder / "received.bin"],
        read_journals([folder / "journal.txt"]),
        [batches(folder / "data" / "buffer")],
    )
    return recovery(folder / "received.bin", back), report, memory


def text(folder: Path, away_s: float) -> str:
    """Return the page's sentences; the figures as JSON stay in the folder."""
    found, report, memory = outage(folder, away_s)
    figures = {"recovery": asdict(found), "report": json.loads(report.json()), "memory_mb": memory}
    (folder / "outage.json").write_text(json.dumps(figures, indent=2))
    books = f"{report.accepted} accepted, {report.lost} lost, {report.wrong + report.altered} wrong, "
    books += f"{report.reordered} out of order, {report.doubled} twice, "
    books += f"{report.doubled_after_upsert} after an upsert"
    kept = ", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in memory.items())
    return f"Broker away {away_s:.0f} s by the clock: {found.text()}. {books}. Memory: {kept}."
