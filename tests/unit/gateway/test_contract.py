"""Which tags a contract is for."""

from pathlib import Path

import pytest

from config.load import load_plant
from connectors import Kind, Tag, TagTable
from gateway.buffer.contract import STORE
from gateway.collect import bad_batch
from gateway.contracts import stored_tags
from gateway.live import LiveValues
from gateway.mapped import live_folder
from tests.fakes import T0
from tests.faults.buffer.lab import opened

PLANT = """
gateway: {id: g1, site: s}
sources:
  meters: {kind: simulated, devices: {d: {tags: {x: {}}}}}
  slow: {kind: simulated, devices: {e: {tags: {x: {}}}}}
"""


@pytest.mark.parametrize("begun", [[], ["meters"]])
async def test_a_gateway_that_is_still_starting_has_the_tags_of_all_its_sources(
    tmp_path: Path, begun: list[str]
) -> None:
    (tmp_path / "plant.yaml").write_text(PLANT, "utf-8")
    plant = load_plant(tmp_path / "plant.yaml")
    announced = [Tag(f"s/a/l/{name}/x", Kind.FLOAT64, "C62", name) for name in ("meters", "slow", "gone")]
    async with opened(tmp_path / STORE) as buffer:
        tags = TagTable(buffer.catalogue(), buffer.persist)
        tags.announce(announced)
    running = TagTable([(number, tags[number]) for number in range(len(tags))])
    numbers = running.announce([each for each in announced if each.source in begun])
    live = LiveValues(live_folder(tmp_path, make=True), running)
    try:
        live.put(None, bad_batch(running, numbers, T0, 0x80000000, T0) if begun else None)
        found = stored_tags(tmp_path, plant)
        assert {found[number].path for number in found.active().tolist()} == {
            "s/a/l/meters/x",
            "s/a/l/slow/x",
        }
    finally:
        live.close()
