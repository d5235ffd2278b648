"""The quarantine through the page: listed, sent again, exported, deleted; each act noted."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors import Batch, Columns, Order, Refusal
from gateway.buffer.contract import STORE
from gateway.buffer.quarantine import Quarantine
from gateway.security import House
from gateway.security.audit import entries
from gateway.web.app import create_app
from gateway.web.view import View
from tests.asgi import Answer, ask
from tests.faults.buffer.lab import batch_of, opened
from tests.unit.web.people import as_user, take


def many(batch: Batch, rows: int) -> Batch:
    """The same numbers again and again, until there are so many."""
    part, text = batch.parts
    times = -(-rows // len(part))
    columns = (np.tile(each, times) for each in (part.tag, part.time, part.value, part.quality))
    return replace(batch, parts=(Columns(*columns), text))


@asynccontextmanager
async def refused(folder: Path, rows: int = 3) -> AsyncIterator[tuple[Any, House]]:
    """A store in which the platform refused so many rows of each of two batches."""
    async with opened(folder / STORE) as buffer:
        cursor = buffer.cursor("cloud", Order.STRICT, start="oldest")
        buffer.ready()
        for k in (1, 2):
            await (await buffer.append("src", many(batch_of(k), rows)))
        await cursor.next(1_000_000)
        named = np.arange(rows, dtype=np.int32)
        await cursor.ack([Refusal(0, named, "value out of range"), Refusal(1, named, "no such point")])
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


async def test_all_is_taken_away_however_many_there_are_and_nothing_is_deleted_unnamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_at_once: list[int] = []
    is_open, enter, leave = [0], Quarantine.__enter__, Quarantine.__exit__

    def entered(held: Quarantine) -> Quarantine:
        is_open[0] += 1
        opened_at_once.append(is_open[0])
        return enter(held)

    def left(held: Quarantine, *how: Any) -> None:
        is_open[0] -= 1
        leave(held, *how)

    async with refused(tmp_path, rows=60_000) as (call, _):
        monkeypatch.setattr(Quarantine, "__enter__", entered)
        monkeypatch.setattr(Quarantine, "__exit__", left)
        assert (await call("/file")).body.count(b"\n") == 120_000
        assert max(opened_at_once) == 1
        assert len(opened_at_once) == 3  # the numbers, and each entry by itself
        for named in ({}, {"entries": []}):
            assert (await call("/delete", {"sink": "cloud", **named})).status == 422
        assert (await call("")).json()["total"] == 2
