"""Every route, asked for nonsense by who may: it says what is wrong and never falls over."""

import json
import os
import random
import re
from pathlib import Path

import pytest

from gateway.security import House
from gateway.web.app import create_app
from tests.asgi import ask
from tests.unit.web.conftest import Plant
from tests.unit.web.people import as_user, take

ROUNDS = max(1, round(20 * float(os.environ.get("WL_SCALE", "0.1"))) // 2)
ENDLESS = {"/api/events", "/api/stream"}
LEAVING = {"/api/session", "/api/account/password"}
WORDS = (
    "", "0", "-1", "1e9", "x" * 500, "../..", "%00", "NaN", "2" * 30, "null", "[]", "**", "now", "1-1,2",
    "%ED%A0%80", "true", "day", "energy", "2026-01-01", "4102444800000",
)  # fmt: skip
PLACES = ("1", "-1", "a", "%2e%2e", "x" * 300, "é", "9" * 20)
BODIES = (
    b"", b"{", b"\xff\xfe", b"[" * 1000, b"null", b"1", b'"x"', b"{}", b"[{}]", b'{"name": "\\ud800"}',
    *(
        json.dumps(each).encode()
        for each in (
            {"name": 1, "password": {}}, {"role": "x"}, {"enabled": "maybe"},
            {"text": "a: [", "base": "", "note": "\0"},
            {"version": 10**30, "note": "x"}, {"name": "t", "scopes": ["users"], "days": 10**20},
        )
    ),
)  # fmt: skip


@pytest.mark.fault("S10")
async def test_nonsense_is_refused_with_a_reason(plant: Plant, tmp_path: Path, record_measure) -> None:
    rng = random.Random(7)
    asked = 0
    with House(tmp_path) as house:
        people = ("engineer", "administrator", "auditor")
        for role in people:
            take(house, role, role)
        headers = {role: as_user(house, role) for role in people}
        app = create_app(plant, directory=tmp_path, house=house, plant_file=tmp_path / "plant.yaml")
        for _ in range(ROUNDS):
            for path, methods in app.openapi()["paths"].items():
                for method, about in methods.items():
                    if path in ENDLESS or path in LEAVING:
                        continue
                    names = [each["name"] for each in about.get("parameters", ()) if each["in"] == "query"]
                    query = "&".join(f"{name}={rng.choice(WORDS)}" for name in names)
                    where = re.sub(r"\{\w+\}", rng.choice(PLACES), path)
                    body = rng.choice(BODIES) if method == "post" else b""
                    for role in people:
                        target = f"{where}?{query}"
                        answer = await ask(app, target, method=method.upper(), body=body, **headers[role])
                        asked += 1
                        # 503: there is no gateway behind this page.
                        assert answer.status < 500 or answer.status == 503, (method, target, body)
                        assert (
                            answer.headers["content-type"].startswith("application/") or answer.status == 200
                        )
    record_measure(f"{asked} malformed requests at every route: none falls over", row="S10")
