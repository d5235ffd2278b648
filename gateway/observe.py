"""What the gateway tells about itself: one snapshot, read by /metrics, /healthz and the page."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from connectors import Clock
from gateway.alarms.keeper import AlarmKeeper
from gateway.buffer import DiskBuffer, LogCursor
from gateway.energy.bookkeeping.link import Bookkeeper
from gateway.history import Historian
from gateway.metered import Meter
from gateway.supervise import Link, LinkState

FATES: Final = ("acquired", "delivered", "buffered", "not_selected", "quarantined")
"""Of a row, beside being dropped for a reason."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One counted thing."""

    name: str
    value: float
    labels: dict[str, str] = field(default_factory=dict)
    is_counter: bool = True


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of everything at one instant, taken on the event loop."""

    healthy: bool
    health: dict[str, Any]
    samples: tuple[Sample, ...]


_Key = tuple[str, tuple[tuple[str, str], ...], bool]
"""Prefix, labels, whether it is a counter."""


class Observer:
    """Knows whom to ask; counts nothing itself."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self._asked: dict[_Key, Callable[[], dict[str, float]]] = {}
        self._degraded: list[Callable[[], str]] = []
        self._sampled: list[Callable[[], Iterable[Sample]]] = []

    def ask(
        self,
        prefix: str,
        labels: dict[str, str],
        values: Callable[[], dict[str, float]],
        *,
        is_counter: bool,
    ) -> None:
        """Ask this component at every snapshot, in an earlier one's place; its names follow the prefix."""
        self._asked[prefix, tuple(labels.items()), is_counter] = values

    def forget(self, direction: str, name: str) -> None:
        """Ask no more for a link that is gone."""
        self.links = [each for each in self.links if (each.direction, each.name) != (direction, name)]
        of_link = ((direction, name),)
        self._asked = {
            key: values
            for key, values in self._asked.items()
            if key[1] != of_link and not (key[0] == direction and not key[1])
        }

    def ask_health(self, reason: Callable[[], str]) -> None:
        """Ask at every snapshot for a reason not to be healthy; empty when there is none."""
        self._degraded.append(reason)

    def ask_samples(self, samples: Callable[[], Iterable[Sample]]) -> None:
        """Ask at every snapshot for samples with labels of their own."""
        self._sampled.append(samples)

    def snapshot(self) -> Snapshot:
        """Collect from everyone; call it on the event loop."""
        reasons = [reason for ask in self._degraded if (reason := ask())]
        links = {
            f"{link.direction}/{link.name}": {
                "state": link.state.value,
                "since": link.since,
                "error": link.error,
            }
            for link in self.links
        }
        health = {"status": "degraded" if reasons else "ok", "reasons": reasons, "links": links}
        return Snapshot(not reasons, health, tuple(self._samples()))

    def _samples(self) -> Iterator[Sample]:
        for link in self.links:
            label: dict[str, str] = {link.direction: link.name}
            yield Sample(f"{link.direction}_up", link.state is LinkState.CONNECTED, label, is_counter=False)
            yield Sample(f"{link.direction}_sessions", link.sessions_total, label)
            crashed = {"link": link.name, "direction": link.direction}
            yield Sample("link_crashes", link.crashes_total, crashed)
            yield Sample(f"{link.direction}_rows", link.rows_total, label)
            for name, rows in link.counts.items():
                yield Sample(f"{link.direction}_{name}_rows", rows, label)
        for (prefix, labels, is_counter), values in self._asked.items():
            for name, value in values().items():
                yield Sample(f"{prefix}_{name}", value, dict(labels), is_counter)
        for samples in self._sampled:
            yield from samples()


class PrometheusCollector(Collector):
    """A snapshot in Prometheus' own families; counters end in `_total`."""

    def __init__(self, samples: Callable[[], Iterable[Sample]]) -> None:
        self._samples = samples

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what there is depends on the plant."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return one family per name."""
        families: dict[tuple[str, tuple[str, ...]], Metric] = {}
        for sample in self._samples():
            key = (sample.name, tuple(sample.labels))
            family = families.get(key)
            if family is None:
                make = CounterMetricFamily if sample.is_counter else GaugeMetricFamily
                family = families[key] = make(
                    f"wanglian_{sample.name}", sample.name.replace("_", " "), labels=list(sample.labels)
                )
            family.add_metric(list(sample.labels.values()), sample.value)  # type: ignore[attr-defined]
        return families.values()


def observe_store(observer: Observer, buffer: DiskBuffer) -> None:
    """Ask the store for its sizes and losses."""

    def gauges() -> dict[str, float]:
        stats, holds = buffer.stats(), buffer.holds_ns()
        return {
            "segments": stats.segments,
            "bytes": stats.bytes,
            "memory_bytes": stats.memory_bytes,
            "queued_bytes": stats.queued_bytes,
            "degraded": bool(stats.degraded),
            "full": stats.full,
        } | ({} if holds is None else {"holds_seconds": holds / 1e9})

    def counters() -> dict[str, float]:
        stats = buffer.stats()
        return {"batches": stats.batches, "rows": stats.rows, "commits": stats.commits}

    observer.ask("store", {}, gauges, is_counter=False)
    observer.ask("store", {}, counters, is_counter=True)
    observer.ask_samples(
        lambda: [
            Sample("sink_dropped_rows", rows, {"sink": sink, "reason": reason})
            for (sink, reason), rows in buffer.stats().dropped.items()
        ]
    )
    observer.ask_health(lambda: buffer.stats().degraded)


def observe_books(observer: Observer, buffer: DiskBuffer) -> None:
    """Ask the store what became of every row, by source and sink."""

    def samples() -> Iterator[Sample]:
        for account in buffer.accounts():
            yield Sample("ledger_holds", account.holds, {"sink": account.sink}, is_counter=False)
            for entry in account.entries:
                fates = [(fate, "", getattr(entry, fate)) for fate in FATES]
                fates += [("dropped", reason, rows) for reason, rows in entry.dropped.items()]
                for fate, reason, rows in fates:
                    where = {"source": entry.source, "sink": account.sink, "fate": fate, "reason": reason}
                    yield Sample("ledger_rows", rows, where, is_counter=False)

    observer.ask_samples(samples)


def observe_connector(observer: Observer, direction: str, name: str, running: Callable[[], object]) -> None:
    """Ask a source or sink for its own counters while it runs; over sessions they only grow."""
    past: dict[str, float] = {}
    last: dict[str, float] = {}
    asked: list[object] = [None]

    def counters() -> dict[str, float]:
        connector = running()
        if connector is not asked[0] and connector is not None:
            for key, value in last.items():
                past[key] = past.get(key, 0.0) + value
            last.clear()
            asked[0] = connector
        ask = getattr(connector, "statistics", None)
        if ask is not None:
            last.update(ask())
        return {key: past.get(key, 0.0) + last.get(key, 0.0) for key in past | last}

    observer.ask(direction, {direction: name}, counters, is_counter=True)


def observe_backlog(observer: Observer, name: str, cursor: LogCursor, clock: Clock) -> None:
    """Ask a sink's cursor what waits for it."""

    def gauges() -> dict[str, float]:
        waiting = cursor.backlog()
        return {"backlog_rows": waiting.rows, "backlog_oldest_seconds": waiting.age_s(clock.now())}

    observer.ask("sink", {"sink": name}, gauges, is_counter=False)


def observe_meter(observer: Observer, name: str, meter: Meter) -> None:
    """Ask a sink's meter for today's bytes and their cap."""

    def gauges() -> dict[str, float]:
        return {"bytes": meter.today(), "cap_bytes": meter.cap or 0}

    observer.ask("sink_day", {"sink": name}, gauges, is_counter=False)


def observe_history(observer: Observer, historian: Historian) -> None:
    """Ask the history for its rows, lag and size."""
    observer.ask("history", {}, historian.gauges, is_counter=False)
    observer.ask("history", {}, historian.counters, is_counter=True)


def observe_ledger(observer: Observer, keeper: Bookkeeper) -> None:
    """Ask the ledger for its lag, revisions and demand alarms."""
    observer.ask("energy", {}, keeper.gauges, is_counter=False)
    observer.ask("energy", {}, keeper.counters, is_counter=True)


def observe_alarms(observer: Observer, keeper: AlarmKeeper) -> None:
    """Ask for the alarms that stand."""
    observer.ask("alarms", {}, keeper.gauges, is_counter=False)
