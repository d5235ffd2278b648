"""What is looked at beside the values, once a second: links, store, certificates, demand, balance, clock."""

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from config.alarms import Severity
from connectors import Certificate, Clock
from gateway.alarms.condition import Condition, Facts, Key, Standing
from gateway.buffer.stats import BufferStats
from gateway.supervise import Link, LinkState

_SECOND_NS: Final = 1_000_000_000
_DAY_NS: Final = 86_400 * _SECOND_NS
CALM_NS: Final = 30 * _SECOND_NS
"""A link is back once it has stayed so long."""
AFTERWARDS_NS: Final = 600 * _SECOND_NS
"""What happens in a moment (rows lost, a clock set) stands for so long after it happened last."""
STEP_NS: Final = 2 * _SECOND_NS
"""The clock was set when it moved further than time passed."""
_TOGETHER_NS: Final = 100_000_000
EXPIRING_DAYS: Final = 30
URGENT_DAYS: Final = 3


def links(found: Iterable[Link], after: int, stands: Container[Key]) -> Iterator[Condition]:
    """Yield links that are not well, and well ones whose alarm stands.

    Away is an alarm after a while, sooner when only a person can help.
    """
    for link in found:
        subject = f"{link.direction}/{link.name}"
        if link.state is LinkState.CONNECTED and ("link", subject) not in stands:
            continue  # nearly all, each second
        needs_a_person = link.state is LinkState.NEEDS_A_PERSON
        holds = None if link.state is LinkState.STOPPED else link.state is not LinkState.CONNECTED
        yield Condition(
            "link",
            subject,
            holds,
            "link_person" if needs_a_person else "link_down",
            "urgent" if needs_a_person else "warning",
            {"reason": link.error or link.last_error or "-"},
            min(after, 10 * _SECOND_NS) if needs_a_person else after,
            CALM_NS,
        )


def certificates(found: Iterable[tuple[str, Certificate]], now: int) -> Iterator[Condition]:
    """Yield every certificate of a running connection: of link and its whose."""
    for link, each in found:
        yield _expiring(f"{link}/{each.whose}", f"certificate_{each.whose}", each.ends, now)


def page_certificate(ends: datetime | None, now: int) -> Iterator[Condition]:
    """Yield the certificate browsers see, where the page has one."""
    if ends is not None:
        yield _expiring("page", "certificate_page", int(ends.timestamp()) * _SECOND_NS, now)


def _expiring(subject: str, code: str, ends: int, now: int) -> Condition:
    days = (ends - now) / _DAY_NS
    severity: Severity = "urgent" if days < URGENT_DAYS else "warning"
    facts: Facts = {"ends": f"{datetime.fromtimestamp(ends / 1e9, UTC):%Y-%m-%d}"}
    return Condition("certificate", subject, days < EXPIRING_DAYS, code, severity, facts)


def energy(found: Iterable[Standing]) -> Iterator[Condition]:
    """Yield what the books' watch has judged, with its own delays."""
    for each in found:
        yield Condition(each.kind, each.subject, each.is_active, each.kind, "warning", each.facts)


class Store:
    """The store's health, and rows that were lost since the last look; `stats` is the first."""

    def __init__(self, stats: BufferStats) -> None:
        self._lost = _lost(stats)

    def look(self, stats: BufferStats) -> Iterator[Condition]:
        """Yield degraded, full, and every sink that lost rows."""
        facts: Facts = {"reason": stats.degraded}
        yield Condition("store", "disk", bool(stats.degraded), "store_degraded", "urgent", facts)
        yield Condition("store", "full", stats.full, "store_full", "urgent", {}, 0, CALM_NS)
        before, self._lost = self._lost, _lost(stats)
        for sink, rows in self._lost.items():
            came = rows - before.get(sink, 0)
            facts = {"rows": came}
            yield Condition(
                "store", f"loss/{sink}", came > 0, "store_loss", "urgent", facts, 0, AFTERWARDS_NS
            )


def _lost(stats: BufferStats) -> Mapping[str, int]:
    lost: dict[str, int] = {}
    for (sink, _), rows in stats.dropped.items():
        lost[sink] = lost.get(sink, 0) + rows
    return lost


class Wall:
    """Whether the wall clock was set since the last look."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.now() - clock.monotonic()

    def look(self) -> Condition:
        """Return the clock's state; a look during which the process was held up says nothing."""
        before = self._clock.monotonic()
        wall = self._clock.now()
        steady = self._clock.monotonic()
        step = 0
        if steady - before < _TOGETHER_NS:
            step = wall - steady - self._offset
            if abs(step) > STEP_NS:
                self._offset += step
            else:  # it is steered, slowly
                self._offset, step = wall - steady, 0
        facts: Facts = {"by": round(step / _SECOND_NS, 1)}
        return Condition("clock", "", step != 0, "clock_set", "warning", facts, 0, AFTERWARDS_NS)
