"""The tags a plant has now, from the store's catalogue: what equipment announced is in no file."""

from pathlib import Path
from typing import Final

import numpy as np

from config.plant import Plant
from connectors import Tag, TagTable
from gateway.buffer.codec import tag_from_json
from gateway.buffer.contract import STORE
from gateway.buffer.state import NAME
from gateway.derive import DERIVED
from gateway.live import LiveReader
from gateway.mapped import live_folder
from gateway.sqlite import connect_for_reading
from gateway.thin import thinned_source

OWN: Final = "gateway/"
"""Sources of what the gateway tells of itself begin so; no link of a plant file can."""


def stored_tags(directory: Path, plant: Plant | None = None) -> TagTable:
    """Return the table as stored; active are the tags the running gateway has.

    Where none runs: of each path the newest tag, if this plant (any, when none is given) still has its
    source. A tag that was taken out of a source's part of the file is then still among them. Raises
    sqlite3.Error where nothing has run yet.
    """
    connection = connect_for_reading(directory / STORE / NAME, sealed=False)
    try:
        rows = connection.execute("SELECT number, record FROM tags ORDER BY number").fetchall()
    finally:
        connection.close()
    known = [(number, tag_from_json(record)) for number, record in rows]
    table = TagTable(known)
    running = _running(directory)
    if running is None:
        newest = {(tag.path, tag.for_sink): tag for _, tag in known}.values()
        table.announce([tag for tag in newest if plant is None or _is_of(plant, tag)])
    else:
        table.announce([tag for number, tag in known if number in running])
    return table


def _running(directory: Path) -> set[int] | None:
    with LiveReader(live_folder(directory)) as reader:
        values = reader.snapshot()
    return None if values is None else set(np.flatnonzero(values.active).tolist())


def _is_of(plant: Plant, tag: Tag) -> bool:
    if tag.source == thinned_source(tag.for_sink):
        sink = plant.sinks.get(tag.for_sink)
        return sink is not None and any(rule.every for rule in sink.select)
    if tag.source == DERIVED:
        return bool(plant.derived)
    return tag.source in plant.sources or tag.source.startswith(OWN)
