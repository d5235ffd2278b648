"""A book of every row: accepted by the gateway, arrived at each sink, once, in order and right; by source.

A row is known by (epoch, seq, row) in the store and at MQTT. VictoriaMetrics keeps milliseconds: there a row
is (path, ms). Imports nothing of the gateway; rules of values come from `plant_truth`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import orjson

from tests.verify.plant_truth import Truth, Value
from tests.verify.recording import read

BAD = 0x80000000
FINDINGS = 20
FLOAT_DIGITS = 2.0**-52
"""VictoriaMetrics keeps every number as a float64."""

Row = tuple[str, int, Any, int]
"""path, time in ns, value, quality"""
Key = tuple[str, int, int]
StoredBatch = tuple[str, int, str, int, Sequence[Row]]
"""epoch, seq, source, arrived, rows"""
Points = Mapping[str, Mapping[int, Sequence[float]]]
"""By path and ms: every value that is stored there."""


@dataclass(slots=True)
class Line:
    """What became of one source's rows at one sink."""

    source: str
    sink: str
    accepted: int = 0
    untold: int = 0
    """Accepted rows this sink has no form for: Bad ones and texts in VictoriaMetrics."""
    delivered: int = 0
    lost: int = 0
    repeated: int = 0
    """Came again, the same; an upsert makes them one."""
    doubled: int = 0
    """The same reading twice, after the upsert."""
    reordered: int = 0
    wrong: int = 0
    altered: int = 0
    unaccounted: int = 0
    """Arrived, but no copy of the store has it."""

    @property
    def ok(self) -> bool:
        bad = (self.lost, self.doubled, self.reordered, self.wrong, self.altered, self.unaccounted)
        return self.delivered > 0 and not any(bad)


class Accounts:
    """Everything that was accepted, and the lines of every sink that is compared with it."""

    def __init__(self, stores: Iterable[Iterable[StoredBatch]], truth: Truth) -> None:
        """Take in what copies of the store hold, each as `read_store.batches` yields it."""
        self.truth = truth
        self.accepted: dict[Key, Row] = {}
        self.source: dict[tuple[str, int], str] = {}
        self.source_of_device: dict[str, str] = {}
        self.lines: list[Line] = []
        self.findings: list[str] = []
        for store in stores:
            for epoch, seq, source, _arrived, rows in store:
                if (epoch, seq) not in self.source:
                    self.source[epoch, seq] = source
                    self.accepted |= {(epoch, seq, number): row for number, row in enumerate(rows)}
        for (epoch, seq, _), row in self.accepted.items():
            self.source_of_device[row[0].rpartition("/")[0]] = self.source[epoch, seq]
        lines = self._lines("store")
        for epoch, seq, _ in self.accepted:
            lines[self.source[epoch, seq]].delivered += 1
        self._judge(lines, self.accepted)

    def take_mqtt(self, recording: Path) -> None:
        """Compare what a subscriber recorded."""
        lines = self._lines("mqtt")
        arrived: dict[Key, Row] = {}
        last: dict[tuple[str, bool], tuple[int, int, int]] = {}
        for record in read(recording):
            if record.topic.endswith(("/_tags", "/_status", "/_gaps")):
                continue
            said = orjson.loads(record.payload)
            device, epoch, seq = said["dev"], said["epoch"], said["seq"]
            line = lines[self.source_of_device[device]]
            n = len(said["v"])
            numbers, delta, quality = (
                said.get("row", range(n)),
                said.get("dt", [0] * n),
                said.get("q", [0] * n),
            )
            fresh = []
            columns = zip(numbers, said["tags"], delta, said["v"], quality, strict=True)
            for number, name, dt, value, code in columns:
                row = (f"{device}/{name}", said["t0"] + dt, value, code)
                before = arrived.setdefault((epoch, seq, number), row)
                if before is not row:
                    line.repeated += 1
                    if before != row:
                        line.altered += 1
                        self._found("altered", line, f"{epoch}/{seq}/{number}: {before} became {row}")
                else:
                    fresh.append(number)
            if fresh:
                stream = (device, said.get("hist", False))
                place = (int(epoch.split("-")[0]), seq, fresh[0])
                if place <= last.get(stream, (0, 0, -1)):
                    line.reordered += 1
                    self._found("reordered", line, f"{stream}: {place} after {last[stream]}")
                last[stream] = place
        for key, row in arrived.items():
            line = lines[self.source_of_device[row[0].rpartition("/")[0]]]
            line.delivered += 1
            stored = self.accepted.get(key)
            if stored is None:
                line.unaccounted += 1
                self._found("unaccounted", line, f"{key}: {row}")
            elif not _is_told(stored, row):
                line.altered += 1
                self._found("altered", line, f"{key}: stored {stored}, arrived {row}")
        for key in self.accepted.keys() - arrived.keys():
            line = lines[self.source[key[0], key[1]]]
            line.lost += 1
            self._found("lost", line, f"{key}: {self.accepted[key]}")
        self._judge(lines, arrived)

    def take_points(self, points: Points) -> None:
        """Compare what VictoriaMetrics holds."""
        lines = self._lines("influx")
        told: set[tuple[str, int]] = set()
        arrived: dict[Key, Row] = {}
        for key, (path, time, value, quality) in self.accepted.items():
            line = lines[self.source[key[0], key[1]]]
            if quality >= BAD or isinstance(value, str):
                line.untold += 1
                continue
            place = (path, time // 1_000_000)
            told.add(place)
            values = points.get(path, {}).get(place[1], ())
            if not values:
                line.lost += 1
                self._found("lost", line, f"{key}: {path} at {time}")
                continue
            line.delivered += 1
            line.repeated += len(values) - 1
            if any(abs(each - value) > FLOAT_DIGITS * abs(value) for each in values):
                line.altered += 1
                self._found("altered", line, f"{key}: {path} at {time}: stored {value}, there {values}")
            arrived[key] = (path, time, values[0], quality)
        for path, by_ms in points.items():
            for ms in by_ms:
                if (path, ms) not in told:
                    line = lines[self.source_of_device.get(path.rpartition("/")[0], "nobody")]
                    line.unaccounted += 1
                    self._found("unaccounted", line, f"{path} at {ms} ms: {by_ms[ms]}")
        self._judge(lines, arrived, digits=FLOAT_DIGITS)

    def published(self, journal: Sequence[tuple[int, int, int]], values: int) -> tuple[int, int]:
        """Return how many messages a sensor saw acknowledged are missing, and how many are there twice."""
        times: defaultdict[tuple[str, int], int] = defaultdict(int)
        for path, time, _, _ in self.accepted.values():
            if "/sensor_" in path:
                times["/".join(path.split("/")[-2:]), time] += 1
        missing = doubled = 0
        for sensor, ms, seq in journal:
            counts = [times[f"sensor_{sensor}/v{i}", ms * 1_000_000] for i in range(values)]
            missing += min(counts) == 0
            doubled += max(counts) > 1
            if set(counts) != {1} and len(self.findings) < FINDINGS:
                self.findings.append(
                    f"published: sensor {sensor} message {seq} at {ms}: stored {counts} times"
                )
        return missing, doubled

    def markdown(self) -> str:
        """Return the table."""
        titles = [field.name for field in fields(Line)]
        table = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
        table += ["| " + " | ".join(map(str, asdict(line).values())) + " |" for line in self.lines]
        return "\n".join([*table, "", *(f"- {finding}" for finding in self.findings)])

    def _lines(self, sink: str) -> dict[str, Line]:
        lines = {name: Line(name, sink) for name in sorted(set(self.source.values()))}
        lines = defaultdict(lambda: Line("nobody", sink), lines)
        for epoch, seq, _ in self.accepted:
            lines[self.source[epoch, seq]].accepted += 1
        self.lines += lines.values()
        return lines

    def _judge(self, lines: Mapping[str, Line], rows: Mapping[Key, Row], *, digits: float = 0.0) -> None:
        """Count values that are not what the device said, and those that are there under two keys."""
        groups: defaultdict[tuple[str, str, int], list[Value]] = defaultdict(list)
        for (epoch, seq, _), (path, time, value, quality) in rows.items():
            device, _, name = path.rpartition("/")
            if quality < BAD:
                groups[device, epoch, seq].append((name, time, value))
        seen: dict[tuple[str, str, int], str] = {}
        for (device, epoch, seq), values in groups.items():
            line = lines[self.source_of_device[device]]
            name = device.rpartition("/")[2]
            for what in self.truth.wrong(name, values, digits=digits):
                line.wrong += 1
                self._found("wrong", line, f"{epoch}/{seq}: {what}")
            version = self.truth.version(name, values)
            for tag, time, _ in values:
                identity = (device, tag, time if version is None else version)
                if identity in seen:
                    line.doubled += 1
                    self._found("doubled", line, f"{identity}: {seen[identity]} and {epoch}/{seq}")
                seen[identity] = f"{epoch}/{seq}"

    def _found(self, kind: str, line: Line, what: str) -> None:
        if len(self.findings) < FINDINGS:
            self.findings.append(f"{kind}, {line.source} at {line.sink}: {what}")


def _is_told(stored: Row, row: Row) -> bool:
    """Tell whether MQTT says what is stored; a Bad row's value is null, bools are stored as numbers."""
    if (stored[0], stored[1], stored[3]) != (row[0], row[1], row[3]):
        return False
    if row[3] >= BAD:
        return row[2] is None
    if type(stored[2]) is int and type(row[2]) is int and stored[2] < 0 <= row[2]:
        return row[2] - stored[2] == 1 << 64  # a uint64 beyond int64
    return row[2] is not None and bool(row[2] == stored[2])
