"""What the page's interface answers, times in ms since 1970 UTC; `typescript.py` tells the browser's side."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

Value = bool | int | float | str | None
"""None for a Bad row and before the first; an integer beyond 53 bits is text, or a browser would round it."""
LARGEST: Final = 2**53
"""The largest number a browser counts to without a gap; a database counts further."""
Whole = Annotated[int, Field(ge=0, le=LARGEST)]
LinkState = Literal["connecting", "connected", "waiting", "needs_a_person", "stopped"]
DeviceState = Literal["good", "uncertain", "partly", "bad", "waiting", "link"]
TrendForm = Literal["line", "step", "switch", "words"]
"""Joined by lines; holds until the next; on or off; text."""
StepState = Literal["good", "warning", "bad", "blocked", "unknown", "off"]


class Answer(BaseModel):
    """Docstrings become the descriptions of the interface."""

    model_config = ConfigDict(use_attribute_docstrings=True, frozen=True)


class Offset(Answer):
    """Plant time minus UTC, and a stretch of time in which no other holds."""

    ms: int
    since: int
    until: int


class Strip(Answer):
    """What never leaves the top of the page."""

    gateway: str
    site: str
    zone: str
    offset: Offset
    now: int
    """By the gateway's clock."""
    started: int
    answers: bool
    """False while the gateway's process says nothing; the rest is then as old as `now`."""
    sources_up: int
    sources: int
    sinks_up: int
    sinks: int
    lost: int
    """Rows that were dropped before a sink had them, since the store exists."""
    buffered: int
    """Rows the slowest sink has not acknowledged."""
    oldest_s: float
    """How long the oldest of them has waited."""
    quarantined: int
    alarms: int
    """That stand and are not shelved."""
    unacknowledged: int
    """Of these, what nobody has acknowledged."""
    rows_per_s: float | None
    """Stored rows; None until two looks at the gateway can be compared."""
    store_bytes: int
    max_bytes: int
    store_holds_s: float | None
    """How long an outage may last, at the pace of the last hour; None while nobody knows the pace."""
    good: int
    uncertain: int
    bad: int
    waiting: int
    """Tags by the quality of their newest row; waiting for the first."""


class Link(Answer):
    """A source or a sink."""

    name: str
    role: Literal["source", "sink", "thinner", "history"]
    kind: str
    peer: str
    state: LinkState
    since: int | None
    error: str
    error_zh: str
    """The same in Chinese, where there is a sentence for it."""
    rows: int
    lag_s: float
    buffered: int
    dropped: int
    quarantined: int
    bytes: int
    """On disk, of the history; 0 for the others."""


class Attention(Answer):
    """Something that needs a person, or at least a look; the most urgent first."""

    code: Literal[
        "gateway_silent",
        "last_good",
        "store",
        "store_full",
        "certificate",
        "certificate_own",
        "certificate_peer",
        "lost",
        "link_person",
        "link_down",
        "link_crashed",
        "sink_late",
        "sink_capped",
        "quarantined",
        "history_stopped",
        "history_late",
        "device_silent",
        "device_partly",
    ]
    urgent: bool
    subject: str
    """A link's name or a device's path."""
    reason: str
    """As the connector said it, or the name of a quality."""
    reason_zh: str
    """The same in Chinese, where there is a sentence for it."""
    since: int | None
    count: int


class Device(Answer):
    """A leaf of the plant tree."""

    path: str
    source: str
    state: DeviceState
    arrived: int | None
    """When any of its tags was last read."""
    tags: int
    bad: int
    uncertain: int


class Overview(Answer):
    """Everything the first view shows."""

    strip: Strip
    links: list[Link]
    attention: list[Attention]
    devices: list[Device]


class TagRow(Answer):
    """A line of the live table."""

    number: int
    path: str
    unit: str
    """Its symbol; empty where there is none."""
    kind: str
    counter: bool
    source: str
    value: Value
    quality: int | None
    """OPC UA StatusCode; None before the first row."""
    quality_name: str
    time: int | None
    """Source timestamp of the newest stored row."""
    arrived: int | None
    """When it was last read, changed or not."""


class TagPage(Answer):
    """A part of the live table."""

    total: int
    """How many match."""
    offset: int
    rows: list[TagRow]


class Fact(Answer):
    """A named figure of a step; the page knows the name's word."""

    name: str
    value: str | float
    unit: Literal["", "ms", "s", "bytes", "at"] = ""
    """`at` is a moment."""


class Step(Answer):
    """One station on a value's way."""

    step: Literal["link", "session", "request", "decode", "rule", "buffer", "sink", "history"]
    name: str
    """Of the link; empty for what has none."""
    state: StepState
    good_at: int | None
    """The last moment it is known to have worked in this run."""
    error: str
    """The last one in this run."""
    error_zh: str
    """The same in Chinese, where there is a sentence for it."""
    error_at: int | None
    clean: bool
    """No error in this run; false without an error means that past ones are not kept."""
    facts: list[Fact]


class Why(Answer):
    """Why a tag says what it says."""

    tag: TagRow
    steps: list[Step]
    cause: int | None
    """Index of the first step that is not well; None when all are."""
    action: str
    """What to do next; the page knows the code's sentence."""


class TrendLine(Answer):
    """One tag over a stretch of time: columns of equal length, by time; what has no row was not told."""

    number: int
    path: str
    unit: str
    kind: str
    counter: bool
    form: TrendForm
    width: float
    """ms a row stands for; 0: every row is one stored row."""
    time: list[int]
    """Where the row's stretch begins; the first may lie before `start`: what held then."""
    value: list[float | None]
    """The mean of the stretch; of states and counters the last. None: nothing is known from here on."""
    low: list[float | None]
    high: list[float | None]
    """Least and greatest; both empty where every row is one stored row."""
    text: list[str | None]
    """Instead of numbers."""
    good: list[int]
    """Usable rows in the stretch."""
    bad: list[int]
    """Bad rows in it: not 0 means that the line is broken there."""
    quality: list[int]
    """The worst StatusCode."""


class Trends(Answer):
    """What a chart is drawn from."""

    start: int
    end: int
    lines: list[TrendLine]
    unknown: list[str]
    """Paths no running source has."""


class Mistake(Answer):
    """Why something was not answered or not done."""

    detail: str
    """In English, for programs that know no `code`."""
    code: str
    en: str
    zh: str


class StreamEpoch(Answer):
    """A stretch of the log whose numbers continue each other."""

    epoch: str
    started: int
    first_seq: int
    why: str
    """Why it began."""


class StreamEnds(Answer):
    """What a subscriber can have now."""

    oldest: str
    """Position before everything that is stored."""
    newest: str
    """Position behind everything that is stored."""
    epochs: list[StreamEpoch]
    """Oldest first."""


class LostPlace(Answer):
    """Why nobody can go on from a position without a loss, and where one can."""

    detail: str
    reason: Literal["unknown", "expired", "ahead"]
    ends: StreamEnds
