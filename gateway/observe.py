"""What the gateway tells about itself: one snapshot, read by /metrics, /healthz and the page."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.supervise import Link, LinkState


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


class Observer:
    """Knows whom to ask; counts nothing itself."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self._asked: list[tuple[str, dict[str, str], Callable[[], dict[str, float]], bool]] = []
        self._degraded: list[Callable[[], str]] = []

    def ask(
        self,
        prefix: str,
        labels: dict[str, str],
        values: Callable[[], dict[str, float]],
        *,
        is_counter: bool,
    ) -> None:
        """Ask this component at every snapshot; its names follow the prefix."""
        self._asked.append((prefix, labels, values, is_counter))

    def ask_health(self, reason: Callable[[], str]) -> None:
        """Ask at every snapshot for a reason not to be healthy; empty when there is none."""
        self._degraded.append(reason)

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
            yield Sample("link_crashes", link.crashes_total, {"link": link.name})
            yield Sample(f"{link.direction}_rows", link.rows_total, label)
            for name, rows in link.counts.items():
                yield Sample(f"{link.direction}_{name}_rows", rows, label)
        for prefix, labels, values, is_counter in self._asked:
            for name, value in values().items():
                yield Sample(f"{prefix}_{name}", value, labels, is_counter)


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
