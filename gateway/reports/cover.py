"""What identifies a report: site, gateway, period, zone, when and by which release it was made, its hash."""

import json
from dataclasses import dataclass

from config.problems import Phrase
from gateway.reports.content import Cell, Content, Moment, Wording


@dataclass(frozen=True, slots=True)
class Made:
    """When and by what a report was made; no part of its hash."""

    at: int
    """ns UTC."""
    release: str
    identifier: str = ""
    """The site's industrial-internet identifier, where it has one."""
    wording: Wording = "zh"
    """Language of the report."""


def made_line(made: Made) -> bytes:
    """Return when and by what a report was made, as its file keeps it before the lines of the hash."""
    told = {name: getattr(made, name) for name in made.__slots__}
    return json.dumps({"made": told}, ensure_ascii=False, sort_keys=True).encode()


def made_from(line: bytes) -> Made:
    """Return what `made_line` wrote; ValueError for anything else."""
    told = json.loads(line)
    if not isinstance(told, dict) or not isinstance(told.get("made"), dict):
        raise ValueError("it does not say when it was made")  # noqa: TRY004  the lines are wrong, not we
    return Made(**told["made"])


def cover(content: Content, made: Made) -> list[tuple[Cell, Cell]]:
    """Return names and values of a report's first page; times are shown in the plant's zone."""
    head = content.head()
    lines: list[tuple[Cell, Cell]] = [
        (Phrase("report.cover.site"), head.site),
        (Phrase("report.cover.identifier"), made.identifier or "–"),
        (Phrase("report.cover.gateway"), head.gateway),
        (Phrase("report.cover.period"), head.period),
        (Phrase("report.cover.first"), Moment(head.first)),
        (Phrase("report.cover.last"), Moment(head.last)),
        (Phrase("report.cover.zone"), head.zone),
        (Phrase("report.cover.interval"), Phrase(f"report.interval.{head.interval}")),
        (Phrase("report.cover.made"), Moment(made.at)),
        (Phrase("report.cover.release"), f"Wanglian {made.release}"),
        (Phrase("report.cover.hash"), content.hash),
        (Phrase("report.cover.about_hash"), Phrase("report.cover.hash_says")),
        (Phrase("report.cover.legend"), Phrase("report.cover.legend_says")),
    ]
    return lines
