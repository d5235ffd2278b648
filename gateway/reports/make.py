"""Makes a report: gathers its content from the books, then writes it as its file's name asks for."""

from collections.abc import Callable, Iterator
from pathlib import Path

from gateway.reports.carbon import carbon_tables
from gateway.reports.content import Content, Head, Kind, Table
from gateway.reports.cover import Made
from gateway.reports.excel import write_excel
from gateway.reports.ground import Ground
from gateway.reports.ledger import ledger_tables
from gateway.reports.networking import networking_tables
from gateway.reports.pdf import write_pdf
from gateway.reports.refused import Refused

ENDINGS = (".xlsx", ".pdf")


def check_ending(target: Path) -> None:
    """Raise Refused, E-RP-0004, for a file whose format we don't write."""
    if target.suffix.lower() not in ENDINGS:
        raise Refused("E-RP-0004", file=target.name)


def gather(content: Content, kind: Kind, ground: Ground, tick: Callable[[], None] = lambda: None) -> None:
    """Take a report's tables into `content`; `tick` is called once a row. Raises as the books do."""
    gateway, period = ground.plant.gateway, ground.period
    head = Head(
        kind, gateway.site, gateway.id, gateway.time_zone,
        period.first, period.last, period.label, ground.interval,
    )  # fmt: skip
    content.write(head, _tables(kind, ground), tick)


def write(content: Content, target: Path, made: Made, tick: Callable[[], None] = lambda: None) -> None:
    """Write a report; the file appears whole or not at all.

    Raises:
        Refused: E-RP-0003 too long, E-RP-0004 no format of ours.
        OSError: it can't be written.
    """
    check_ending(target)
    part = target.with_name(f".{target.name}.part")
    try:
        if target.suffix.lower() == ".xlsx":
            write_excel(content, part, made, tick)
        else:
            write_pdf(content, part, made, tick)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def expected(kind: Kind, ground: Ground) -> int | None:
    """Return about how many rows a report has, for whoever waits; None: it is a short one."""
    if kind != "ledger":
        return None
    spans = len(ground.calendar.spans(ground.interval, ground.period.first, ground.period.last))
    return sum(spans + 2 for _ in ground.subjects())


def _tables(kind: Kind, ground: Ground) -> Iterator[Table]:
    match kind:
        case "ledger":
            return ledger_tables(ground)
        case "carbon":
            return carbon_tables(ground)
        case "networking":
            return networking_tables(ground)
