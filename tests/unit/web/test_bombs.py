"""Plant files that are bombs, sent to the page: refused with their places, in bounded memory."""

import os
import time
import tracemalloc
from pathlib import Path

import orjson
import pytest

from gateway.security import House
from gateway.web.app import create_app
from tests.asgi import ask
from tests.unit.config.bombs import BOMBS, HEAVY
from tests.unit.web.conftest import Plant
from tests.unit.web.people import as_user, take

RUNNING = "gateway: {id: g, site: s}\nsources: {a: {kind: simulated, devices: {d: {tags: {x: {}}}}}}\n"


SENT = (*BOMBS, *HEAVY)[:: 1 if float(os.environ.get("WL_SCALE", "0.1")) >= 1 else 6]


@pytest.mark.fault("S5")
@pytest.mark.timeout(600)
async def test_a_bomb_sent_to_the_page_is_refused_and_costs_little(
    plant: Plant, tmp_path: Path, record_measure
) -> None:
    file = tmp_path / "plant.yaml"
    file.write_text(RUNNING)
    slowest, most = 0.0, {True: 0, False: 0}
    with House(tmp_path) as house:
        take(house, "eva", "engineer")
        headers = as_user(house, "eva")
        app = create_app(plant, directory=tmp_path, house=house, plant_file=file)
        for bomb in SENT:
            body = orjson.dumps({"text": bomb})
            tracemalloc.start()
            begin = time.process_time()
            answer = await ask(app, "/api/config/check", method="POST", body=body, **headers)
            slowest = max(slowest, time.process_time() - begin)
            is_bomb = bomb in BOMBS
            most[is_bomb] = max(most[is_bomb], tracemalloc.get_traced_memory()[1] - len(body))
            tracemalloc.stop()
            told = answer.json()
            assert answer.status == 200, bomb[:60]
            assert not told["can_apply"], bomb[:60]
            assert 0 < len(told["problems"]) <= 2_000, bomb[:60]
        for bomb in BOMBS[:4]:  # a draft is text: kept, and as harmless when it is looked at
            body = orjson.dumps({"text": bomb, "base": ""})
            assert (await ask(app, "/api/config/draft", method="POST", body=body, **headers)).status == 200
            body = orjson.dumps({"text": bomb, "base": "", "note": ""})
            assert (await ask(app, "/api/config/apply", method="POST", body=body, **headers)).status == 503
    assert most[True] < 50e6
    assert most[False] < 50e6
    told = (
        f"{len(SENT)} bombs at /api/config/check: refused, {most[True] / 1e6:.0f} MB at most, answer included"
    )
    told += f"; right as YAML and no plant {most[False] / 1e6:.0f} MB; {slowest:.1f} s at most, memory traced"
    record_measure(told, row="S5")
