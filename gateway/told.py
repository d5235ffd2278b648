"""What the gateway's process tells the page's once a second: states, sizes, counts; a contract, so typed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from pydantic import BaseModel, TypeAdapter

from connectors.contract import Whose
from gateway.ledger import Account
from gateway.observe import Observer, Sample, Snapshot
from gateway.supervise import Link, LinkState

LinkKind = Literal["source", "sink", "thinner", "history"]


@dataclass(frozen=True, slots=True)
class About:
    """What the plant file says of a link; it does not change while the gateway runs."""

    role: LinkKind
    kind: str
    """Of connection, e.g. modbus_tcp; empty for a thinner."""
    peer: str = ""
    """Where it leads, as a person would write it."""
    select: tuple[tuple[str, str | None, int | None], ...] = ()
    """A sink's or the history's rules: path glob, class, window in ns."""


@dataclass(frozen=True, slots=True)
class LinkTold:
    """One link; times are ns UTC, 0 is not in this run."""

    name: str
    about: About
    state: LinkState
    since: int
    """Since when it is connected, or is not: attempts in between don't count."""
    error: str
    connected_at: int
    moved_at: int
    last_error: str
    failed_at: int
    counts: dict[str, float] = field(default_factory=dict)
    """Its metrics without the prefix, e.g. rows, sessions, backlog_rows, dropped_rows, timeouts."""


@dataclass(frozen=True, slots=True)
class Told:
    """Everything at one instant."""

    gateway: str
    site: str
    zone: str
    now: int
    started: int
    reasons: tuple[str, ...]
    """Why the gateway isn't well; empty when it is."""
    links: tuple[LinkTold, ...]
    store: dict[str, float]
    """The store's metrics without the prefix."""
    max_bytes: int
    accounts: tuple[Account, ...] = ()
    """What became of every row, a sink each."""
    alarms: dict[str, float] = field(default_factory=dict)
    """How many alarms are `active`, and how many of them `unacknowledged`."""
    last_good: int = 0
    """The version that runs because the plant file has mistakes; 0 when the file runs."""


TOLD: Final = TypeAdapter(Told)


def links_told(observer: Observer, snapshot: Snapshot, about: dict[tuple[str, str], About]) -> list[LinkTold]:
    """Return every link `about` knows, with its own counts out of the snapshot's samples."""
    counts: dict[tuple[str, str], dict[str, float]] = {}
    for sample in snapshot.samples:
        if sample.name.startswith("ledger_"):
            continue  # told apart, as accounts
        direction = next((each for each in ("source", "sink", "history") if _is_of(sample, each)), "")
        if direction:
            # Of the history there is one, so its own figures name none.
            mine = counts.setdefault((direction, sample.labels.get(direction, "local")), {})
            name = sample.name.removeprefix(f"{direction}_")
            # Dropped rows come once per reason; the page tells their sum.
            mine[name] = mine.get(name, 0.0) + sample.value
    return [
        _told(link, found, counts)
        for link in observer.links
        if (found := about.get((link.direction, link.name))) is not None
    ]


def certificate_days(link: LinkTold) -> Iterator[tuple[Whose, float]]:
    """Yield whose certificates protect the connection that stands, and in how many days each of them ends."""
    whose: Whose
    for whose in get_args(Whose):
        days = link.counts.get(f"certificate_{whose}_days")
        if days is not None:
            yield whose, days


def _is_of(sample: Sample, direction: str) -> bool:
    return direction in sample.labels or (direction == "history" and sample.name.startswith("history_"))


def _told(link: Link, about: About, counts: dict[tuple[str, str], dict[str, float]]) -> LinkTold:
    return LinkTold(
        link.name,
        about,
        link.state,
        link.down_since or link.connected_at,
        link.error,
        link.connected_at,
        link.moved_at,
        link.last_error,
        link.failed_at,
        counts.get((link.direction, link.name), {}) | {"crashes": float(link.crashes_total)},
    )


def peer(options: BaseModel) -> str:
    """Return where a connection leads: its URL, or host and port, or a serial line's device."""
    for name in ("url", "endpoint"):
        if getattr(options, name, None):
            return str(getattr(options, name))
    ports = (getattr(options, name, None) for name in ("broker_port", "tcp_port", "port"))
    port = next((each for each in ports if each), None)
    host = getattr(options, "host", None)
    return ":".join(str(each) for each in (host, port) if each is not None)


def store_told(snapshot: Snapshot) -> dict[str, float]:
    """Return the store's own figures out of the snapshot's samples."""
    return {
        sample.name.removeprefix("store_"): sample.value
        for sample in snapshot.samples
        if sample.name.startswith("store_")
    }
