"""The tags a plant has now, from the store's catalogue: what equipment announced is in no file."""

from pathlib import Path

import numpy as np

from config.plant import Plant
from connectors import Tag, TagTable
from gateway.buffer.contract import STORE
from gateway.buffer.known_tags import is_own, read_tags
from gateway.derive import DERIVED
from gateway.live import LiveReader
from gateway.mapped import live_folder
from gateway.thinning import thinned_source


def stored_tags(directory: Path, plant: Plant | None = None) -> TagTable:
    """Return the table as stored; active are the tags the running gateway has.

    Where none runs: of each path the newest tag, if this plant (any, when none is given) still has its
    source. A tag that was taken out of a source's part of the file is then still among them. The same goes
    for a source of the plant that has no tag yet: the gateway has just been started. Raises sqlite3.Error
    where nothing has run yet.
    """
    known = list(read_tags(directory / STORE).items())
    table = TagTable(known)
    running = _running(directory)
    newest = {(tag.path, tag.for_sink): tag for _, tag in known}.values()
    if running is None:
        table.announce([tag for tag in newest if plant is None or _is_of(plant, tag)])
    else:
        active = [tag for number, tag in known if number in running]
        begun = {tag.source for tag in active}
        waiting = [tag for tag in newest if plant and tag.source not in begun and _is_of(plant, tag)]
        table.announce([*active, *waiting])
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
    return tag.source in plant.sources or is_own(tag.source)
