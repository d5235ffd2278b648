from dataclasses import replace

import numpy as np

from connectors import Order, Refusal
from gateway.buffer import DiskBuffer
from gateway.ledger import Account, Entry
from gateway.web.app import create_app
from tests.asgi import ask
from tests.fakes import T0
from tests.faults.buffer.lab import fill, opened
from tests.unit.web.conftest import Plant

SECOND = 1_000_000_000


def entry(source: str, acquired: int, delivered: int, buffered: int, **more) -> Entry:
    rest = {"not_selected": 0, "quarantined": 0, "dropped": {}, "again": 0} | more
    return Entry(source, acquired, delivered, buffered, **rest)


def tell(plant: Plant, now: int, *accounts: Account) -> None:
    plant.told = replace(plant.told, now=now, accounts=accounts)


async def test_every_sink_shows_its_books_its_sum_and_whether_they_hold(plant: Plant) -> None:
    plant.add_link("meters", counts={"malformed": 3.0, "rows": 100.0})
    plant.add_link("cloud", "sink", counts={"backlog_oldest_seconds": 4.26})
    good = entry("meters", 100, 60, 20, not_selected=5, quarantined=4, dropped={"max_age": 11})
    lines = (good, entry("derive/tags", 7, 7, 0))
    tell(
        *(plant, T0),
        Account("thin/cloud", T0, (entry("meters", 9, 9, 0),), 0),
        Account("cloud", T0 - SECOND, lines, 20),
        Account("gone", T0, (), 0, parked=T0 - SECOND),
    )
    said = (await ask(create_app(plant), "/api/delivery")).json()
    assert [(each["sink"], each["role"]) for each in said["sinks"]] == [
        ("cloud", "sink"),
        ("thin/cloud", "reader"),
        ("gone", "removed"),
    ]
    cloud = said["sinks"][0]
    assert (cloud["holds"], cloud["backlog"], cloud["lag_s"], said["holds"]) == (True, 20, 4.3, True)
    assert cloud["total"]["acquired"] == 107
    assert cloud["lines"][0]["dropped_by"] == [{"code": "max_age", "count": 11}]
    assert said["south"] == [{"source": "meters", "refused": [{"code": "malformed", "count": 3}]}]
    assert said["sinks"][1]["lag_s"] is None, "no link tells it, which is not 0 s"
    assert said["sinks"][2]["removed"] == (T0 - SECOND) // 1_000_000


async def test_books_that_do_not_add_up_are_shown_as_such(plant: Plant) -> None:
    plant.add_link("cloud", "sink")
    tell(plant, T0, Account("cloud", T0, (entry("meters", 100, 60, 40),), 41))
    said = (await ask(create_app(plant), "/api/delivery")).json()
    assert (said["holds"], said["sinks"][0]["holds"]) == (False, False)


async def test_the_pace_tells_how_long_a_backlog_takes(plant: Plant) -> None:
    plant.add_link("cloud", "sink")
    app = create_app(plant)
    tell(plant, T0, Account("cloud", T0, (entry("meters", 1000, 0, 1000),), 1000))
    (first,) = (await ask(app, "/api/delivery")).json()["sinks"]
    assert (first["in_rows_per_s"], first["left_s"]) == (None, None)
    tell(plant, T0 + 10 * SECOND, Account("cloud", T0, (entry("meters", 1100, 600, 500),), 500))
    (then,) = (await ask(app, "/api/delivery")).json()["sinks"]
    assert (then["in_rows_per_s"], then["out_rows_per_s"], then["left_s"]) == (10.0, 60.0, 10.0)


async def test_a_backlog_tells_in_how_much_time_the_buffer_is_full(plant: Plant) -> None:
    plant.add_link("cloud", "sink", counts={"backlog_oldest_seconds": 600.0})
    plant.add_link("idle", "sink", counts={"backlog_oldest_seconds": 0.0})
    for holds, left in ((None, None), (7200.0, 6600.0), (300.0, 0.0)):
        plant.told = replace(plant.told, store={} if holds is None else {"holds_seconds": holds})
        waits, idle = (
            Account(name, T0, (entry("m", 100, 0, n),), n) for name, n in (("cloud", 100), ("idle", 0))
        )
        tell(plant, T0, waits, idle)
        said = (await ask(create_app(plant), "/api/delivery")).json()["sinks"]
        assert [each["room_s"] for each in said] == [left, None]
        overview = (await ask(create_app(plant), "/api/overview")).json()
        assert overview["strip"]["store_holds_s"] == holds


async def test_quarantine_and_gaps_come_from_the_store(plant: Plant) -> None:
    async with opened(plant.store, segment_bytes=2048) as buffer:
        cursor = buffer.cursor("cloud", Order.STRICT)
        buffer.ready()
        await fill(buffer, range(1, 3))
        await cursor.next(10_000)
        await cursor.ack([Refusal(0, np.array([0, 1], np.int32), "too odd")])
        for k in range(3, 30):
            await fill(buffer, [k])
        await drop_oldest(buffer)
        tell(plant, T0, *buffer.accounts())
        app = create_app(plant)
        said = (await ask(app, "/api/delivery")).json()
        (cloud,) = said["sinks"]
        assert [(each["reason"], each["entries"], each["rows"]) for each in cloud["refused"]] == [
            ("too odd", 1, 2)
        ]
        assert cloud["holds"]
        assert said["gaps"] == 1
        (gap,) = (await ask(app, "/api/gaps")).json()["gaps"]
        lost = cloud["total"]["dropped"]
        assert lost > 0
        assert (gap["reason"], gap["sinks"]) == ("max_age", [{"code": "cloud", "count": lost}])
        assert (gap["first_seq"], gap["lasts"]) == (1, False)


async def drop_oldest(buffer: DiskBuffer) -> None:
    shelf = buffer._shelf
    await shelf._in_writer(lambda: buffer._retention.drop(shelf.segments[0], "max_age"))
