"""What the gateway's state says to who reads its log: epochs, what each file should hold, gaps."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from connectors import Epoch
from gateway.buffer.records import EpochRecord
from gateway.buffer.state import NAME
from gateway.ledger import Gap
from gateway.ledger.gap import COLUMNS, from_row
from gateway.sqlite import connect_for_reading
from gateway.stream.position import Position


class StateReader:
    """One connection, for one read; raises sqlite3.Error where no gateway has run."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def __enter__(self) -> Self:
        """Open it."""
        self._connection = connect_for_reading(self._path, sealed=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close it."""
        self._connection.close()

    def epochs(self) -> list[EpochRecord]:
        """Return the epochs, oldest first."""
        rows = self._rows("SELECT ordinal, random, started, first_seq, reason FROM epochs ORDER BY ordinal")
        return [
            EpochRecord(Epoch(ordinal, int(random, 16)), started, first, reason)
            for ordinal, random, started, first, reason in rows
        ]

    def is_whole(self, first_seq: int) -> bool:
        """Tell whether a file holds every seq between its first and its last: so it is until a repair."""
        known = self._rows("SELECT batches, last_seq FROM segments WHERE first_seq = ?", first_seq)
        return not known or int(known[0][0]) == int(known[0][1]) - first_seq + 1

    def losses(self, after: int, last: int) -> list[Gap]:
        """Return what the log has lost among (after, last], by its first seq."""
        return self._gaps("first_seq > 0 AND last_seq > ? AND first_seq <= ? ORDER BY first_seq", after, last)

    def missing(self, position: Position, epoch: str, last: int | None) -> list[Gap]:
        """Return the gaps of what never reached the log that nobody at this position was told of.

        Of the running `epoch` the position says how far it was told; of an earlier one, or where it says what
        never was, what was noted since its row counts. They are told before the rows behind `last`, all of
        them where it is None.
        """
        newest = int(self._rows("SELECT ifnull(max(revision), 0) FROM gaps")[0][0])
        is_known = position.epoch == epoch and 0 <= position.told <= newest
        since = ("revision > ?", position.told) if is_known else ("place > ?", position.seq)
        behind = 2**62 if last is None else last + 1
        return self._gaps(f"first_seq = 0 AND {since[0]} AND place <= ? ORDER BY revision", since[1], behind)

    def _gaps(self, where: str, *values: int) -> list[Gap]:
        query = f"SELECT {COLUMNS} FROM gaps WHERE {where}"  # noqa: S608  our own words
        return [from_row(row) for row in self._rows(query, *values)]

    def _rows(self, sql: str, *values: int) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()
