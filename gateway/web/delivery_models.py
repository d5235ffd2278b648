"""What /api/delivery, /api/gaps and /api/ledger answer, times in ms since 1970 UTC."""

from typing import Literal

from gateway.web.models import Answer, LinkState

SinkRole = Literal["sink", "history", "energy", "reader", "removed"]
"""A platform; our own trends; our own books of energy; what computes thinned and derived tags; a sink the
plant file no longer names, whose place is kept for seven days."""


class Counted(Answer):
    """Something counted, by a code the page knows a word for."""

    code: str
    count: int


class LedgerLine(Answer):
    """What became of the rows of one source at one sink; rows, since the books began."""

    source: str
    """Empty in a sum, and of what an earlier release counted without its source."""
    acquired: int
    """Stored for this sink: the sum of the next five."""
    delivered: int
    buffered: int
    not_selected: int
    quarantined: int
    """In quarantine now."""
    dropped: int
    dropped_by: list[Counted]
    """By reason; max_bytes, max_age, min_free, disk_full, not_required, damaged, missing, directory_lost,
    parked, discarded, quarantine_full, unknown."""
    again: int
    """Counted in `acquired` a second time, because the sink asked for them again."""
    holds: bool
    """Whether the sum is right."""


class Refused(Answer):
    """Refused rows that lie in quarantine, by what the platform said."""

    reason: str
    entries: int
    rows: int
    first: int
    last: int
    retry: int
    """Rows of them that wait to be sent again."""


class SinkLedger(Answer):
    """One sink: its books, what waits, and how long that will take."""

    sink: str
    role: SinkRole
    kind: str
    peer: str
    state: LinkState | None
    """None where the gateway tells none."""
    error: str
    error_zh: str
    """The same in Chinese, where there is a sentence for it."""
    since: int
    """When the books began."""
    removed: int | None
    """Since when the plant file no longer names it."""
    holds: bool
    """Whether every line's sum is right, and what waits by the books is what waits in the log."""
    total: LedgerLine
    lines: list[LedgerLine]
    """By source."""
    backlog: int
    """Rows that wait, as the cursor's place in the log counts them."""
    lag_s: float | None
    """How long the oldest of them has waited; None where nobody measures it."""
    in_rows_per_s: float | None
    """Stored for it lately; None until two looks at the gateway can be compared."""
    out_rows_per_s: float | None
    """Gone from its backlog lately, in whichever way."""
    left_s: float | None
    """Until the backlog is gone, at this pace; None where it does not shrink, or there is none."""
    room_s: float | None
    """Until the oldest of the backlog has to go, at this pace; None where there is none, or nobody knows."""
    refused: list[Refused]


class South(Answer):
    """What a source did not hand to the store, and so is in nobody's books; since the gateway started."""

    source: str
    refused: list[Counted]
    """By the name of the metric without source_ and _total: malformed, too_large, over_limit, overflows …"""


class Gap(Answer):
    """For which time, of what and why values are missing."""

    id: int
    noted: int
    reason: str
    """gateway_away, link_down, source_lost; or why the store lost rows, as in `dropped_by`."""
    start: int | None
    end: int | None
    """None while it lasts, or when it is not known."""
    lasts: bool
    sources: list[Counted]
    """Sources, with the rows lost; 0 where they could not be counted."""
    devices: list[str]
    """Empty is every device of the sources."""
    tags: int
    """How many are concerned; 0 is not known."""
    sinks: list[Counted]
    """Sinks that never get the rows; empty: the values never reached the store, so nobody gets them."""
    rows: int
    batches: int
    first_seq: int | None
    last_seq: int | None
    """Of the lost batches, where the store had them."""


class GapPage(Answer):
    """A part of the gaps, the newest first."""

    total: int
    lasting: int
    """How many go on."""
    offset: int
    gaps: list[Gap]


class Delivery(Answer):
    """Everything the Delivery view shows at once; gaps and days are asked for apart."""

    now: int
    """By the gateway's clock."""
    answers: bool
    """False while the gateway's process says nothing; the rest is then as old as `now`."""
    holds: bool
    """Whether all books hold."""
    sinks: list[SinkLedger]
    """Platforms first, then our own books, then readers, then removed ones; each by name."""
    south: list[South]
    gaps: int
    gaps_lasting: int


class LedgerDay(Answer):
    """One source at one sink on one day of the plant's time zone."""

    day: str
    """2026-11-29"""
    sink: str
    noted: int
    """When it was written last; the running day is written once a minute."""
    holds: bool
    """Whether the sink's books held then."""
    line: LedgerLine
    """What the day moved; buffered and quarantined are by how much they grew, and may be negative."""
    buffered: int
    """At the day's end, or now."""
    quarantined: int
    """At the day's end, or now."""


class LedgerDays(Answer):
    """A stretch of days, the newest first; per day by sink and source."""

    days: list[LedgerDay]
