"""`wanglian report`: energy ledger, carbon inventory and networking rate as Excel or PDF."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from config.problems import Language
from connectors import SystemClock
from gateway.console import PlantFile, data_dir, fail, load, say
from gateway.sqlite import NewerFormat

if TYPE_CHECKING:
    from gateway.reports.desk import Checked

ReportKind = Annotated[
    Literal["ledger", "carbon", "networking"],
    typer.Option("--kind", help="ledger 能源台账, carbon 碳排放清单, networking 设备联网率."),
]
PeriodText = Annotated[
    str | None,
    typer.Option("--period", help="Such as 2026, 2026-10, 2026-10-03, 2026-10-01..2026-10-15. 统计时段。"),
]
ReportWords = Annotated[
    Literal["zh", "en", "both"] | None, typer.Option("--lang", help="Language of the report. 报告语言。")
]
Every = Annotated[
    Literal["15min", "60min", "day", "week", "month", "shift", "billing"] | None,
    typer.Option("--interval", help="How it is cut; by the period's length. 统计间隔。"),
]
Target = Annotated[Path | None, typer.Option("--output", "-o", help="file.xlsx or file.pdf. 输出文件。")]
Equipment = Annotated[
    Path | None, typer.Option(help="Production equipment, CSV: equipment,device. 生产设备清单。")
]
Verify = Annotated[Path | None, typer.Option(help="Check this report instead. 核对一份已有的报告。")]


def report(
    plant_file: PlantFile,
    *,
    kind: ReportKind = "ledger",
    period: PeriodText = None,
    lang: ReportWords = None,
    interval: Every = None,
    output: Target = None,
    equipment: Equipment = None,
    verify: Verify = None,
) -> None:
    """Make a report from the energy books, or check one. 由能源台账出报告，或核对一份报告。"""
    # What reports need no running gateway does.
    from gateway.reports.desk import Desk, Order  # noqa: PLC0415
    from gateway.reports.refused import Refused  # noqa: PLC0415

    plant, language = load(plant_file, None if lang == "both" else lang)
    desk = Desk(plant, plant_file.resolve().parent, data_dir(plant_file, plant), SystemClock())
    file = output or Path(f"{plant.gateway.site}-{kind}-{period}.xlsx")
    order = Order(kind, period or "–", interval, lang or language)
    show = partial(_progress, language)
    try:
        if verify is not None:
            _say(desk.verify(verify, equipment, show), language)
            return
        done = desk.make(order, file, equipment, show)
    except Refused as exc:
        fail(say(language, "report.refused", reason=exc.text(language)))
    except OSError as exc:
        reason = Refused("E-RP-0006", file=exc.filename or file, reason=exc.strerror or exc)
        fail(say(language, "report.refused", reason=reason.text(language)))
    except (NewerFormat, sqlite3.Error) as exc:
        fail(say(language, "report.refused", reason=exc))
    typer.echo(say(language, "report.made", file=file, rows=done.rows, hash=done.hash))


def _say(found: "Checked", language: Language) -> None:
    """Say what came of checking a report; end with 1 where it differs from itself or from the books."""
    if found.changed:
        fail(say(language, "report.tampered", what=", ".join(found.changed)))
    typer.echo(say(language, "report.sound", hash=found.hash))
    if found.today != found.hash:
        fail(say(language, "report.differs", hash=found.today))
    typer.echo(say(language, "report.same"))


@contextmanager
def _progress(language: Language, key: str, total: int | None) -> Iterator[Callable[[], None]]:
    """Show how far it is, on a terminal only."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(say(language, key), total=total)
        yield lambda: progress.advance(task)
