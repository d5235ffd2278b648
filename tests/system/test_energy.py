"""The energy ledger over kill -9: the books are those of the stored rows, to the last bit."""

import json
import os
import random
import signal
from pathlib import Path

import numpy as np
import pytest

from config.energy_meters import meters
from config.load import load_plant
from connectors import Batch, Columns, Delivery, Epoch, Kind, SystemClock, Tag, TagTable
from gateway.energy.bookkeeping.ledger import Ledger
from gateway.energy.periods import calendar_of
from gateway.energy.query import Query
from tests.processes import free_port, python, started, wait_for
from tests.verify.metrics import metric
from tests.verify.read_store import batches

KILLS = max(2, round(20 * float(os.environ.get("WL_SCALE", "0.1"))))


@pytest.mark.fault("A1", "E7")
@pytest.mark.system
@pytest.mark.timeout(600)
def test_after_kills_the_books_are_those_of_the_stored_rows(tmp_path: Path) -> None:
    """FAULTS E7, A: whatever was killed when, each stored reading counts once."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    port = free_port()
    tags = {"e_import": {"shape": "counter", "unit": "kWh", "high_value": 50, "period": "60s"}}
    plant = {
        "gateway": {"id": "g1", "site": "cz", "http_port": port},
        "page": {"enabled": False},
        "history": {"enabled": False},
        "sources": {"sim": {"kind": "simulated", "devices": {"m_{1..5}": {"scan": "50ms", "tags": tags}}}},
        "buffer": {"segment_bytes": "64KiB", "segment_age": "2s"},
        # Boundaries at every minute, so that short runs have some.
        "energy": {"shifts": {"one": {"from": "00:01", "to": "00:02"}}},
    }
    file = tmp_path / "plant.yaml"
    file.write_text(json.dumps(plant))

    for _ in range(KILLS):
        enough = chance.uniform(20, 300)
        with started("gateway", python("-m", "gateway", "run", file), tmp_path) as gateway:
            wait_for(lambda: metric(port, "source_rows_total") > enough, "some rows", 60)  # noqa: B023
            gateway.end(signal.SIGKILL)
    with started("gateway", python("-m", "gateway", "run", file), tmp_path) as gateway:
        wait_for(lambda: metric(port, "energy_rows_total") > 0, "the last booking", 60)
        assert gateway.end(signal.SIGTERM) == 0, gateway.log.read_text()

    loaded = load_plant(file)
    found, calendar = meters(loaded), calendar_of(loaded.energy, loaded.gateway.zone)
    table = TagTable()
    numbers = dict(
        zip(
            [each.tag for each in found.values()],
            table.announce([Tag(each.tag, Kind.FLOAT64, "KWH", "sim") for each in found.values()]).tolist(),
            strict=True,
        )
    )
    rows = [
        (numbers[path], time, value, quality)
        for *_, some in batches(tmp_path / "data" / "buffer")
        for path, time, value, quality in some
        if path in numbers and quality < 0x80000000
    ]
    tag, time, value, quality = (np.array(column) for column in zip(*rows, strict=True))
    columns = Columns(tag.astype(np.int32), time, value.astype(float), quality.astype(np.uint32))
    again = Ledger(tmp_path / "again", found, calendar, table, SystemClock())
    again.open()
    assert again.book([Delivery(Batch((columns,), int(time.max())), Epoch(1, 1), 0)]) == len(rows)
    booked = Ledger(tmp_path / "data" / "energy", found, calendar, table, SystemClock())
    booked.open()
    assert booked.digest() == again.digest()
    assert booked.booked
    booked.close()
    again.close()
    query = Query(tmp_path / "data" / "energy", found, calendar)
    first = calendar.days(int(time.min()), int(time.max()))[0]
    day = query.energy("m_1", "day", first, int(time.max()))
    hours = query.energy("m_1", "60min", first, int(time.max()))
    assert day.total.quanta == hours.total.quanta
    assert (day.total.quanta or 0) > 0
