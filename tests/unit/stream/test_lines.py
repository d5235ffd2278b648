"""What subscribers read of a tag is what the catalogue tells now, however long the page runs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from connectors import Delivery, Epoch, Kind, Tag, TagTable
from gateway.buffer.contract import STORE
from gateway.collect import bad_batch
from gateway.live import LiveValues
from gateway.mapped import live_folder
from gateway.stream import KnownTags, Lines, catalogue_lines
from tests.fakes import T0
from tests.faults.buffer.lab import opened

TAG = Tag("s/a/l/d/power", Kind.FLOAT64, "KWT", "src")


@pytest.mark.parametrize(
    ("changed", "device", "unit"),
    [
        (replace(TAG, unit="WTT"), "s/a/l/d", ["KWT"]),
        (replace(TAG, path="s/a/l/e/power", was=TAG.path), "s/a/l/e", None),
    ],
)
async def test_a_row_of_before_is_told_by_the_catalogue_of_now(
    tmp_path: Path, changed: Tag, device: str, unit: list[str] | None
) -> None:
    async with opened(tmp_path / STORE) as buffer:
        tags = TagTable(buffer.catalogue(), buffer.persist)
        live = LiveValues(live_folder(tmp_path, make=True), tags)
        try:
            numbers = tags.announce([TAG])
            live.put(None, None)
            delivery = Delivery(bad_batch(tags, numbers, T0, 0, T0), Epoch(1, 1), 1)
            lines = Lines("g", KnownTags(tmp_path), [])
            (before,) = map(json.loads, lines.of(delivery))
            assert (before["dev"], before.get("unit")) == ("s/a/l/d", None)
            tags.announce([changed])
            live.put(None, None)
            assert [json.loads(each)["dev"] for each in catalogue_lines("g", tmp_path)] == [device]
            (after,) = map(json.loads, lines.of(delivery))
            assert (after["dev"], after.get("unit")) == (device, unit)
        finally:
            live.close()
