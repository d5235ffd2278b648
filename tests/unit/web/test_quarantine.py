"""The quarantine through the page: listed, sent again, exported, deleted; each act noted."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from connectors import Order, Refusal
from gateway.buffer.contract import STORE
from gateway.security import House
from gateway.security.audit import entries
from gateway.web.app import create_app
from gateway.web.view import View
from tests.asgi import Answer, ask
from tests.faults.buffer.lab import fill, opened
from tests.unit.web.people import as_user, take


@asynccontextmanager
async def refused(folder: Path) -> AsyncIterator[tuple[Any, House]]:
    """A store in which the platform refused three rows of each of two batches."""
    async with opened(folder / STORE) as buffer:
        cursor = buffer.cursor("cloud", Order.STRICT, start="oldest")
        buffer.ready()
        await fill(buffer, [1, 2])
        await cursor.next(10_000)
        rows = np.arange(3, dtype=np.int32)
        await cursor.ack([Refusal(0, rows, "value out of range"), Refusal(1, rows, "no such point")])
        with House(folder) as house:
            app = create_app(View(folder, 0), directory=folder, house=house)
            for role in ("engineer", "viewer"):
                take(house, role, role)

            async def call(path: str, body: dict[str, Any] | None = None, who: str = "engineer") -> Answer:
                method, sent = ("GET", b"") if body is None else ("POST", json.dumps(body).encode())
                return await ask(
                    app, f"/api/quarantine{path}", method=method, body=sent, **as_user(house, who)
                )

            yield call, house


async def test_what_was_refused_is_listed_with_its_devices_and_taken_away_as_lines(tmp_path: Path) -> None:
    async with refused(tmp_path) as (call, _):
        said = (await call("", who="viewer")).json()
        assert said["total"] == 2
        assert [(each["rows"], each["reason"], each["devices"]) for each in said["entries"]] == [
            (3, "value out of range", ["s/a/l/d"]),
            (3, "no such point", ["s/a/l/d"]),
        ]
        lines = [json.loads(line) for line in (await call("/file")).body.splitlines()]
        assert [each["path"] for each in lines[:3]] == ["s/a/l/d/v_0", "s/a/l/d/v_1", "s/a/l/d/v_2"]
        assert (await call("?sink=nobody")).json() == {"total": 0, "entries": []}


async def test_entries_are_sent_again_or_deleted_by_number_and_that_is_noted(tmp_path: Path) -> None:
    async with refused(tmp_path) as (call, house):
        first, second = (each["entry"] for each in (await call("")).json()["entries"])
        chosen = {"sink": "cloud", "entries": [first]}
        assert (await call("/retry", chosen)).json() == {"rows": 3}
        assert (await call("/delete", chosen | {"entries": [second]})).json() == {"rows": 3}
        assert [each["entry"] for each in (await call("")).json()["entries"]] == [first]
        assert (await call("/delete", chosen, who="viewer")).status == 403
        noted = [each.what for each in entries(house.directory) if each.what.startswith("quarantine")]
        assert sorted(noted) == ["quarantine.deleted", "quarantine.retried"]
