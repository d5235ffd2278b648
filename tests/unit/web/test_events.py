import asyncio

import numpy as np
import orjson
import pytest

from gateway.web.app import create_app
from gateway.web.catalogue import Catalogue
from gateway.web.events import MOST_LISTENERS, Events, Full
from tests.asgi import hear
from tests.fakes import T0
from tests.unit.web.conftest import Plant, tag

QUICK = 0.01


async def heard(listening, kind: str, count: int = 1) -> list:
    """Return the data of the next events of a kind."""
    found = []
    async with asyncio.timeout(5):
        async for event in listening:
            name, _, data = event.decode().partition("\n")
            if name == f"event: {kind}":
                found.append(orjson.loads(data.removeprefix("data: ")))
                if len(found) == count:
                    break
    return found


async def test_a_listener_hears_states_once_and_then_only_what_changed(plant: Plant) -> None:
    plant.add_link("meters")
    first, second, other = plant.announce(*(tag(f"cz/a/l/d/{name}") for name in "xyz"))
    for number in (first, second, other):
        plant.put(number, 1.0)
    listening = Events(plant, QUICK).listen(np.array([first, second], np.int32), devices=True)
    (devices,) = await heard(listening, "devices")
    assert [device["path"] for device in devices] == ["cz/a/l/d"]
    (state,) = await heard(listening, "state")
    assert state["strip"]["site"] == "cz"
    (values,) = await heard(listening, "values")
    assert [piece[:4] for piece in values] == [[first, 0, "Good", 1.0], [second, 0, "Good", 1.0]]
    plant.put(other, 2.0, time=T0 + 10**9)
    plant.put(second, 2.0, time=T0 + 10**9)
    (values,) = await heard(listening, "values")
    assert [piece[0] for piece in values] == [second]
    await listening.aclose()


async def test_who_hears_of_no_change_hears_so_at_every_look(plant: Plant) -> None:
    """Else a browser could not tell a quiet plant from a network that broke off."""
    (number,) = plant.announce(tag("cz/a/l/d/x"))
    plant.put(number, 1.0)
    listening = Events(plant, QUICK).listen(np.array([number], np.int32), devices=True)
    await heard(listening, "values")
    assert await heard(listening, "same", 3) == [{}, {}, {}]
    plant.put(number, 2.0, time=T0 + 10**9)
    await heard(listening, "values")
    await listening.aclose()


async def test_a_page_is_told_what_a_listener_hears_first_and_all_who_ask_share_a_look(plant: Plant) -> None:
    plant.add_link("meters")
    (number,) = plant.announce(tag("cz/a/l/d/x"))
    plant.put(number, 1.0)
    events = Events(plant, 3600.0)
    told = {await each for each in [asyncio.create_task(events.newest()) for _ in range(3)]}
    told.add(await events.newest())
    listening = events.listen(np.array([], np.int32), devices=True)
    (devices,), (state,) = await heard(listening, "devices"), await heard(listening, "state")
    assert [orjson.loads(each) for each in told] == [{"devices": devices, "state": state}]
    assert plant.looks == 1
    await listening.aclose()


async def test_a_page_is_told_nothing_before_the_gateway_has_answered(plant: Plant) -> None:
    plant.told = None
    assert await Events(plant, 3600.0).newest() == b""


async def test_a_page_is_told_although_the_last_listener_leaves_within_a_look(plant: Plant) -> None:
    (number,) = plant.announce(tag("cz/a/l/d/x"))
    plant.put(number, 1.0)
    looking, answered = asyncio.Event(), asyncio.Event()

    async def look(within_s: float = 1.0) -> None:
        del within_s
        looking.set()
        await answered.wait()

    plant.fresh = look
    events = Events(plant, 3600.0)
    listening = events.listen(np.array([], np.int32), devices=True)
    await anext(listening)
    await looking.wait()
    told = asyncio.create_task(events.newest())
    await asyncio.sleep(0)
    await listening.aclose()
    answered.set()
    async with asyncio.timeout(5):
        assert b'"site":"cz"' in await told


async def test_after_a_look_that_fails_listeners_are_let_go_and_come_again(plant: Plant) -> None:
    """A stream that stays open and says nothing more is drawn as a plant that is well."""
    (number,) = plant.announce(tag("cz/a/l/d/x"))
    plant.put(number, 1.0)
    fresh = plant.fresh

    async def fails(within_s: float = 1.0) -> None:
        raise RuntimeError(within_s)

    events = Events(plant, QUICK)
    first, second = (events.listen(np.array([number], np.int32), devices=True) for _ in range(2))
    await heard(first, "values")
    plant.fresh = fails
    async with asyncio.timeout(5):
        async for _ in first:
            pass
    # Nor does one wait that had not begun to when it failed.
    await anext(second)
    plant.fresh = fresh
    await heard(events.listen(np.array([number], np.int32), devices=True), "values")


async def test_who_comes_between_two_looks_hears_the_last_at_once(plant: Plant) -> None:
    (number,) = plant.announce(tag("cz/a/l/d/x"))
    plant.put(number, 1.0)
    events = Events(plant, 3600.0)
    first, second = (events.listen(np.array([number], np.int32), devices=True) for _ in range(2))
    await heard(first, "values")
    await heard(second, "values")
    assert plant.looks == 1
    for each in (first, second):
        await each.aclose()


async def test_twenty_listeners_cost_one_look_and_one_encoding_each_second(plant: Plant, monkeypatch) -> None:
    from gateway.web import events as module

    (number,) = plant.announce(tag("cz/a/l/d/x"))
    plant.put(number, 1.0)
    encoded = []
    monkeypatch.setattr(module, "newest", lambda *of: encoded.append(of) or (0, 1.0, 1, 1))
    events = Events(plant, 0.2)
    listeners = [events.listen(np.array([number], np.int32), devices=False) for _ in range(20)]
    await asyncio.gather(*(heard(each, "values") for each in listeners))
    assert plant.looks <= 2
    assert len(encoded) == 1
    for each in listeners:
        await each.aclose()


async def test_a_slow_listener_finds_the_newest_and_nothing_queued(plant: Plant) -> None:
    (number,) = plant.announce(tag("cz/a/l/d/x"))
    plant.put(number, 0.0)
    events = Events(plant, QUICK)
    slow = events.listen(np.array([number], np.int32), devices=False)
    await heard(slow, "values")
    quick = events.listen(np.array([number], np.int32), devices=False)
    for i in range(1, 6):
        plant.put(number, float(i), time=T0 + i)
        await heard(quick, "values")
    ((piece,),) = await heard(slow, "values")
    assert piece[3] == 5.0
    await slow.aclose()
    await quick.aclose()


async def test_a_browser_that_was_there_before_the_process_hears_of_its_tags(plant: Plant) -> None:
    (number,) = plant.announce(tag("cz/a/l/d/x"))
    plant.put(number, 4.5)
    known, plant.catalogue = plant.catalogue, Catalogue({}, -1)

    async def look(within_s: float = 1.0) -> None:
        del within_s
        plant.catalogue = known

    plant.fresh = look
    said = await hear(create_app(plant), f"/api/events?tags={number}", b"event: values")
    assert b'[[0,0,"Good",4.5,' in said


async def test_nobody_looks_at_the_gateway_when_the_last_browser_has_gone(plant: Plant) -> None:
    events = Events(plant, QUICK)
    listening = events.listen(np.zeros(0, np.int32), devices=False)
    await heard(listening, "state")
    await listening.aclose()
    assert events._task is None


async def test_more_browsers_than_planned_are_refused(plant: Plant) -> None:
    events = Events(plant, QUICK)
    listeners = [events.listen(np.zeros(0, np.int32), devices=False) for _ in range(MOST_LISTENERS)]
    for each in listeners:
        await anext(each)
    with pytest.raises(Full):
        await anext(events.listen(np.zeros(0, np.int32), devices=False))
    for each in listeners:
        await each.aclose()
