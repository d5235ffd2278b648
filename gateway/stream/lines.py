"""Stored batches as lines of JSON, the same objects MQTT subscribers get (docs/reference/mqtt-json.md)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import orjson

from config.select import SelectRule
from connectors import Delivery, TagTable
from connectors.factory import row_catalogues, row_encoder
from gateway.contracts import stored_tags
from gateway.ledger import Gap
from gateway.ledger.news import record
from gateway.live import LiveReader
from gateway.mapped import live_folder
from gateway.select import Rules, Selection

MOST_GLOBS: Final = 20


class KnownTags:
    """The table all subscribers share, read anew when tags have changed.

    A renamed one keeps its number; an old backlog must say its unit as soon as the catalogue tells another.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._live = LiveReader(live_folder(directory))
        self._version: int | None = None
        self.table = TagTable()

    def of(self, delivery: Delivery) -> TagTable:
        """Return a table that knows every tag of this delivery; raises sqlite3.Error."""
        newest = max(int(part.tag.max()) for part in delivery.batch.parts)
        version = self._live.version()
        if newest >= len(self.table) or version != self._version:
            self.table, self._version = stored_tags(self._directory), version
        return self.table


class Lines:
    """Encodes for one subscriber."""

    def __init__(self, gateway: str, tags: KnownTags, globs: Sequence[str]) -> None:
        self._gateway = gateway
        self._tags = tags
        self._rules = [SelectRule(path=glob) for glob in globs] or [SelectRule()]
        self._table: TagTable | None = None

    def of(self, delivery: Delivery) -> list[bytes]:
        """Return a line a device, without its end; none when the selection leaves nothing."""
        table = self._tags.of(delivery)
        if table is not self._table:
            self._table = table
            self._select = Selection(Rules("", self._rules, table))
            self._encoder = row_encoder(self._gateway, table)
        chosen = self._select(delivery)
        return [] if chosen is None else [each.payload for each in self._encoder.messages(chosen)]

    def gap(self, gap: Gap) -> bytes:
        """Return what tells of a gap, in the same words as any subscriber is told."""
        return orjson.dumps({"gap": record(self._gateway, gap, gap.rows)})


def catalogue_lines(gateway: str, directory: Path) -> Iterator[bytes]:
    """Return what every device's tags are now; raises sqlite3.Error where it can't be read."""
    return row_catalogues(gateway, stored_tags(directory))
