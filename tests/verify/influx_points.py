"""Compare what a time-series database holds with what the gateway had accepted and what the plant had served.

The database keeps no keys and milliseconds only, so rows are compared as a bag of (series, ms, value). What
was accepted and is not there is lost; what is there and was not accepted is doubled or invented. The last
copy of the store is of a gateway that ended with nothing waiting. Imports nothing of the gateway.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.servers.victoria import Victoria
from tests.verify.values import Journal, device_index, expected, value_indexes, version_of
from tests.verify.verify import BAD, StoredBatch

_SCAN_MS = 60_000
"""A scan lies no further from when its version was served."""


@dataclass
class PointReport:
    accepted: int = 0
    """Good rows of the stores, each (epoch, seq, row) once."""
    there: int = 0
    lost: int = 0
    surplus: int = 0
    """Points that no accepted row explains: doubled after the upsert, or invented."""
    wrong: int = 0
    """Points that are not what the plant served in the version their device told at that millisecond, or
    where it told none, in no version served about then."""
    examples: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not (self.lost or self.surplus or self.wrong)

    def found(self, what: str) -> None:
        if len(self.examples) < 20:
            self.examples.append(what)


Row = tuple[str, int, float]
"""Path, ms, value."""


def accepted_rows(stores: Iterable[Iterable[StoredBatch]]) -> Counter[Row]:
    """Return the Good numbers of all stores."""
    seen: set[tuple[str, int]] = set()
    rows: Counter[Row] = Counter()
    for store in stores:
        for epoch, seq, _source, _arrived, batch in store:
            if (epoch, seq) not in seen:
                seen.add((epoch, seq))
                good = ((path, time // 1_000_000, value) for path, time, value, q in batch if q < BAD)
                rows.update((path, ms, float(value)) for path, ms, value in good)
    return rows


def points(database: Victoria) -> Counter[Row]:
    """Return every sample of the field `value`."""
    rows: Counter[Row] = Counter()
    for series in database.export('{__name__="wanglian_value"}'):
        levels = (series.labels[name] for name in ("site", "area", "line", "device", "tag"))
        path = "/".join(levels)
        rows.update((path, *each) for each in zip(series.times, series.values, strict=True))
    return rows


def compare(stores: Iterable[Iterable[StoredBatch]], database: Victoria, journal: Journal) -> PointReport:
    """Compare; each of `stores` is what `read_store.batches` yields of one copy."""
    report = PointReport()
    accepted, there = accepted_rows(stores), points(database)
    report.accepted, report.there = accepted.total(), there.total()
    for row, count in (accepted - there).items():
        report.lost += count
        report.found(f"lost: {row} × {count}")
    for row, count in (there - accepted).items():
        report.surplus += count
        report.found(f"surplus: {row} × {count}")
    versions = {
        (path.rpartition("/")[0], ms): int(value) for path, ms, value in there if path.endswith("/v_0")
    }
    for path, ms, value in there:
        where, _, name = path.rpartition("/")
        device, index = device_index(where), value_indexes([name])
        if device is None:
            report.wrong += 1
            report.found(f"wrong: {path} at {ms} is of no device")
            continue
        version = versions.get((where, ms))
        if version is None:
            # The request that has value 0 was not answered: then the row itself says what it is of.
            version = version_of(device, int(index[0]), value)
        served = journal.time(device, version)
        is_near = abs(served // 1_000_000 - ms) < _SCAN_MS
        if not served or not is_near or value != expected(device, index, version)[0]:
            report.wrong += 1
            report.found(f"wrong: {path} at {ms} = {value} in version {version}")
    return report
