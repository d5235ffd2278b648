"""What a browser gets to draw: from a history that was written by hand."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import orjson
import pytest

from config.plant import HistoryOptions
from connectors import Delivery, Kind, Tag
from connectors.quality import BAD_DATA_LOST, BAD_NO_COMMUNICATION, UNCERTAIN
from gateway.history import HISTORY, Reader, Trend
from gateway.history.store import Store
from gateway.web import trends as module
from gateway.web.app import create_app
from gateway.web.models import Trends
from gateway.web.trends import MOST_POINTS, MOST_TAGS, TrendReader, form_of
from tests.asgi import ask
from tests.conftest import FakeClock
from tests.unit.history.lab import delivery
from tests.unit.web.conftest import Plant, tag

SECOND = 1_000_000_000
NOW = 1_790_000_000_000_000_000
START = NOW // 1_000_000


class Kept:
    """A plant whose history is written here."""

    def __init__(self, plant: Plant, folder: Path, clock: FakeClock) -> None:
        self.plant = plant
        plant.add_link("local", "history")
        self._store = Store(folder / HISTORY, HistoryOptions(), plant.tags, clock)
        self._store.open()
        self._seq = 0

    def put(self, number: int, *rows: tuple[float, object, int]) -> None:
        """Give rows as (seconds after NOW, value, quality)."""
        self._seq += 1
        told = [(number, NOW + round(at * SECOND), value, quality) for at, value, quality in rows]
        made: Delivery = delivery(self.plant.tags, self._seq, told)
        self._store.book([made], made)

    def close(self) -> None:
        self._store.close()

    async def ask(self, paths: list[str], start: float, end: float, points: int = 1000):
        wanted = "&".join(f"tags={quote(path)}" for path in paths)
        stretch = f"start={START + round(1000 * start)}&end={START + round(1000 * end)}&points={points}"
        return await ask(create_app(self.plant), f"/api/trend?{wanted}&{stretch}")


@pytest.fixture
def kept(plant: Plant, tmp_path: Path) -> Iterator[Kept]:
    clock = FakeClock()
    clock.wall = NOW + 86_400 * SECOND
    made = Kept(plant, tmp_path, clock)
    yield made
    made.close()


async def test_few_rows_come_as_they_are_and_a_bad_one_has_no_value(kept: Kept) -> None:
    (number,) = kept.plant.announce(tag("cz/a/l/d/x"))
    kept.put(number, (0, 1.5, 0), (1, 2.5, UNCERTAIN), (2, 0.0, BAD_NO_COMMUNICATION), (9, 3.5, 0))
    answer = (await kept.ask(["cz/a/l/d/x"], 0, 10)).json()
    (line,) = answer["lines"]
    assert (line["width"], line["time"]) == (0, [START, START + 1000, START + 2000, START + 9000])
    assert line["value"] == [1.5, 2.5, None, 3.5]
    assert (line["good"], line["bad"]) == ([1, 1, 0, 1], [0, 0, 1, 0])
    assert line["quality"] == [0, UNCERTAIN, BAD_NO_COMMUNICATION, 0]
    assert (line["low"], line["high"]) == ([], [])


async def test_many_rows_come_as_mean_least_and_greatest_of_equal_stretches(kept: Kept) -> None:
    (number,) = kept.plant.announce(tag("cz/a/l/d/x", unit="CEL"))
    kept.put(number, *((i / 10, float(i), 0) for i in range(100)))
    (line,) = (await kept.ask(["cz/a/l/d/x"], 0, 10, points=10)).json()["lines"]
    assert line["width"] == 1000
    assert line["value"] == [10 * i + 4.5 for i in range(10)]
    assert (line["low"][3], line["high"][3], line["good"][3]) == (30, 39, 10)


async def test_of_states_and_counters_the_last_stands_and_never_a_mean(kept: Kept) -> None:
    tags = [
        Tag("cz/a/l/d/state", Kind.INT32, "1", "meters", tag_class="state"),
        Tag("cz/a/l/d/energy", Kind.FLOAT64, "KWH", "meters", counter=True),
        Tag("cz/a/l/d/on", Kind.BOOL, "1", "meters"),
    ]
    numbers = kept.plant.announce(*tags)
    for number in numbers:
        kept.put(number, *((i, float(i % 2), 0) for i in range(100)))
    lines = (await kept.ask([each.path for each in tags], 0, 100, points=10)).json()["lines"]
    assert [line["form"] for line in lines] == ["step", "step", "switch"]
    assert [set(line["value"]) for line in lines] == [{1.0}] * 3
    assert (lines[0]["low"][0], lines[0]["high"][0]) == (0, 1)


async def test_text_comes_as_words(kept: Kept) -> None:
    (number,) = kept.plant.announce(tag("cz/a/l/d/order", Kind.TEXT, "1"))
    kept.put(number, (0, "订单 7", 0), (5, "", BAD_NO_COMMUNICATION), (6, "订单 8", 0))
    (line,) = (await kept.ask(["cz/a/l/d/order"], 0, 10)).json()["lines"]
    assert (line["form"], line["text"], line["value"]) == ("words", ["订单 7", None, "订单 8"], [])


@pytest.mark.parametrize(
    ("made", "form"),
    [
        (tag("cz/a/l/d/x", unit="KWT"), "step"),
        (tag("cz/a/l/d/x", unit="CEL"), "line"),
        (tag("cz/a/l/d/x", unit="1"), "line"),
        (tag("cz/a/l/d/x", unit="odd"), "line"),
    ],
)
def test_power_holds_until_the_next_reading_and_a_temperature_runs_there(made: Tag, form: str) -> None:
    assert form_of(made) == form


async def test_what_held_when_the_stretch_began_is_told_first(kept: Kept) -> None:
    path = "cz/a/l/d/x"
    (number,) = kept.plant.announce(tag(path))
    kept.put(number, (0, 1.0, 0), (60, 2.0, 0), (300, 3.0, 0))
    (line,) = (await kept.ask([path], 200, 400)).json()["lines"]
    assert (line["time"], line["value"]) == ([START + 60_000, START + 300_000], [2.0, 3.0])
    (line,) = (await kept.ask([path], 400, 500)).json()["lines"]
    assert line["value"] == [3.0]
    # More than an hour later nobody knows whether it still held.
    (line,) = (await kept.ask([path], 5000, 6000)).json()["lines"]
    assert line["value"] == []


async def test_what_was_lost_before_the_stretch_does_not_hold(kept: Kept) -> None:
    (number,) = kept.plant.announce(tag("cz/a/l/d/x"))
    kept.put(number, (0, 1.0, 0), (60, 0.0, BAD_DATA_LOST))
    (line,) = (await kept.ask(["cz/a/l/d/x"], 200, 400)).json()["lines"]
    assert line["value"] == []


async def test_lines_come_in_the_order_asked_each_once_and_unknown_tags_are_named(kept: Kept) -> None:
    kept.plant.announce(tag("cz/a/l/d/x"), tag("cz/a/l/d,e/y"))
    answer = (await kept.ask(["cz/a/l/d,e/y", "cz/none", "cz/a/l/d/x", "cz/a/l/d/x"], 0, 10)).json()
    assert [line["path"] for line in answer["lines"]] == ["cz/a/l/d,e/y", "cz/a/l/d/x"]
    assert answer["unknown"] == ["cz/none"]


async def test_the_answer_is_what_the_browsers_types_say(kept: Kept) -> None:
    numbers = kept.plant.announce(*(tag(f"cz/a/l/d/t{kind}", kind) for kind in Kind), tag("cz/a/l/d/never"))
    for number in numbers[:-1]:
        value = "x" if kept.plant.tags[number].kind is Kind.TEXT else 1
        kept.put(number, *((i, value, 0 if i % 3 else BAD_DATA_LOST) for i in range(50)))
    for points in (10, 1000):
        answer = await kept.ask([kept.plant.tags[number].path for number in numbers], 0, 50, points)
        said = Trends.model_validate_json(answer.body, strict=True)
        assert [line.number for line in said.lines] == numbers
        for line in said.lines:
            columns = (line.text if line.form == "words" else line.value, line.good, line.bad, line.quality)
            assert {len(column) for column in columns} == {len(line.time)}


async def test_numbers_are_told_exactly(kept: Kept) -> None:
    (number,) = kept.plant.announce(tag("cz/a/l/d/x", unit="CEL"))
    values = np.random.default_rng(1).normal(size=50).tolist()
    kept.put(number, *((i, value, 0) for i, value in enumerate(values)))
    (line,) = (await kept.ask(["cz/a/l/d/x"], 0, 50)).json()["lines"]
    assert line["value"] == values


@pytest.mark.parametrize(
    "query",
    [
        "start=0&end=1000",
        "tags=a&start=1000&end=1000",
        "tags=a&start=1000&end=999",
        "tags=a&start=0&end=34560000001",
        "tags=a&start=-1&end=5",
        "tags=a&start=0&end=9999999999999",
        f"tags=a&start=0&end=1000&points={MOST_POINTS + 1}",
        "tags=a&start=0&end=1000&points=1",
        "tags=" + "x" * 401 + "&start=0&end=1000",
        "&".join(f"tags=t{i}" for i in range(MOST_TAGS + 1)) + "&start=0&end=1000",
    ],
)
async def test_a_question_out_of_bounds_is_refused(kept: Kept, query: str) -> None:
    assert (await ask(create_app(kept.plant), f"/api/trend?{query}")).status == 422


async def test_without_a_history_the_answer_says_so(plant: Plant) -> None:
    answer = await ask(create_app(plant), "/api/trend?tags=a&start=0&end=1000")
    assert (answer.status, answer.json()["code"]) == (404, "E-PG-0021")


async def test_many_who_ask_at_once_are_read_for_one_after_the_other(kept: Kept, monkeypatch) -> None:
    kept.plant.announce(tag("cz/a/l/d/x"))
    inside: list[int] = []
    most: list[int] = []

    def read(*_: object) -> list[Trend]:
        inside.append(1)
        most.append(len(inside))
        threading.Event().wait(0.01)  # long enough for another to come in, if it could
        inside.pop()
        return [Reader(Path("nowhere")).trend_now([0], 0, 10, 10)[0]]

    monkeypatch.setattr(module, "_read", read)
    reader = TrendReader(kept.plant)
    answers = await asyncio.gather(*(reader.read(["cz/a/l/d/x"], 0, 10, 10) for _ in range(20)))
    assert {orjson.loads(each)["end"] for each in answers} == {10}
    assert set(most) == {1}


async def test_a_long_stretch_of_many_tags_is_read_a_few_at_a_time(kept: Kept, monkeypatch) -> None:
    asked: list[int] = []
    was = Reader.trend_now

    def trend_now(self: Reader, tags, *more):
        asked.append(len(tags))
        return was(self, tags, *more)

    monkeypatch.setattr(Reader, "trend_now", trend_now)
    paths = [f"cz/a/l/d/t{i}" for i in range(20)]
    kept.plant.announce(*map(tag, paths))
    await kept.ask(paths, 0, 3600)
    await kept.ask(paths, -30 * 86_400, 0)
    assert asked == [20, 20, *[1] * 20, 20]
