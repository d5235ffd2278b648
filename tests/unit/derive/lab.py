"""A plant with derived tags, and stored batches of its sources, for tests."""

from pathlib import Path

import numpy as np

from config.formulas import formulas
from config.load import read_plant_bytes
from connectors import Batch, Clock, Columns, Delivery, Epoch, Kind, Origin, Tag, TagTable
from gateway.derive import Deriver
from gateway.pipeline import ClockWatch
from tests.conftest import FakeClock

T0 = 1_790_000_000_000_000_000
SECOND = 1_000_000_000
DERIVED = "d/t"
PLANT = """
gateway: {{id: g, site: s}}
sources:
  one: {{kind: simulated, devices: {{d: {{scan: 1s, tags: {{a: {{}}, b: {{}}, k: {{}}}}}}}}}}
  two: {{kind: simulated, devices: {{e: {{scan: 20s, tags: {{c: {{}}}}}}}}}}
derived: {{t: {{tags: {{{tags}}}}}}}
"""
INPUTS = ("d/a", "d/b", "d/k", "e/c")


class Lab:
    """A Deriver and its tag table; rows are written as (input, seconds, value[, quality])."""

    def __init__(self, *tags: str, known: TagTable | None = None, clock: Clock | None = None) -> None:
        outcome = read_plant_bytes(PLANT.format(tags=", ".join(tags)).encode(), "plant.yaml", Path())
        assert outcome.plant is not None, [each.render("en") for each in outcome.problems]
        self.tags = known or TagTable()
        kinds = {"d/k": Kind.UINT64}
        self.tags.announce([Tag(f"s/-/-/{p}", kinds.get(p, Kind.FLOAT64), "C62", p[0]) for p in INPUTS])
        self.formulas = formulas(outcome.plant)
        self.clock = clock or FakeClock(T0 + 2000 * SECOND)
        self.deriver = self.again()

    def again(self) -> Deriver:
        """Return a Deriver that knows nothing yet, as after a start."""
        return Deriver(self.formulas, self.tags, ClockWatch(self.clock))

    def stored(
        self,
        seq: int,
        *rows: tuple[str, float, float] | tuple[str, float, float, int],
        arrived: float | None = None,
        origin: Origin = Origin.LIVE,
    ) -> Delivery:
        """Return a stored batch; it arrived with its newest row where nothing else is said."""
        parts = []
        for is_int in (False, True):
            mine = [row for row in rows if (row[0] == "d/k") == is_int]
            if mine:
                parts.append(
                    Columns(
                        np.array([self.tags.number(f"s/-/-/{row[0]}") for row in mine], np.int32),
                        np.array([T0 + round(row[1] * SECOND) for row in mine], np.int64),
                        np.array([row[2] for row in mine], np.int64 if is_int else np.float64),
                        np.array([row[3] if len(row) > 3 else 0 for row in mine], np.uint32),
                    )
                )
        newest = max(row[1] for row in rows) if arrived is None else arrived
        return Delivery(Batch(tuple(parts), T0 + round(newest * SECOND), origin), Epoch(1, 1), seq)

    def shown(self, batch: Batch | None) -> list[tuple[str, float, float, int]]:
        """Return the rows a batch has: name, seconds, value, quality."""
        rows = []
        for part in batch.parts if batch is not None else ():
            for tag, time, value, quality in zip(
                *(column.tolist() for column in (part.tag, part.time, part.value, part.quality)), strict=True
            ):
                rows.append((self.tags[tag].name, round((time - T0) / SECOND, 6), value, quality))
        return rows

    def add(self, seq, *rows, **options) -> list[tuple[str, float, float, int]]:
        """Store and return what is derived."""
        return self.shown(self.deriver.add(self.stored(seq, *rows, **options)))
