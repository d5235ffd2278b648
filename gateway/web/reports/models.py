"""What the routes under /api/reports take and answer; times in ms since 1970 UTC."""

from typing import Annotated, Literal

from pydantic import Field

from gateway.web.models import Answer

Kind = Literal["ledger", "carbon", "networking"]
Wording = Literal["zh", "en", "both"]
Ending = Literal["xlsx", "pdf"]
Interval = Literal["15min", "60min", "day", "week", "month", "shift", "billing"]


class ReportOrder(Answer):
    """A report as it is asked for."""

    kind: Kind
    period: Annotated[str, Field(min_length=4, max_length=60)]
    """2026, 2026-10, 2026-10-03, 2026-10-01..2026-10-15."""
    interval: Interval | None = None
    """None: by the period's length."""
    language: Wording = "zh"
    ending: Ending = "xlsx"


class ReportJob(Answer):
    """A report that was ordered."""

    number: int
    name: str
    """Of the file."""
    state: Literal["gathering", "writing", "done", "failed"]
    rows: int
    """Done in this step …"""
    total: int | None
    """… of so many."""
    hash: str
    """SHA-256 of its content, once it is done."""
    code: str
    """Why it failed."""
    en: str
    zh: str


class ReportKept(Answer):
    """A report that was made and can be fetched."""

    number: int
    name: str
    kind: Kind
    period: str
    interval: str
    """Empty: by the period's length."""
    language: Wording
    ending: Ending
    who: str
    """Who ordered it; empty before there was a user."""
    made: int
    rows: int
    bytes: int
    hash: str
    """SHA-256 of its content: of every figure, not of layout, language and format."""


class Reports(Answer):
    """What is kept, the newest first, and what is being made."""

    reports: list[ReportKept]
    making: ReportJob | None
    bytes: int
    """Of all of them."""
    most: int
    most_bytes: int
    """Beyond either the oldest go."""


class ReportVerdict(Answer):
    """What came of comparing a file with its own content, and with the books as they are now."""

    name: str
    kind: Kind
    period: str
    made: int
    """As the file says."""
    hash: str
    today: str
    """Hash of what the books give now for the same question."""
    changed: list[str]
    """Where the file is not what its content makes; empty: it was not changed."""
    kept: list[int]
    """Numbers of kept reports with this very content."""


class ReportGone(Answer):
    """A report that was deleted."""

    number: int
