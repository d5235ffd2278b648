"""The books of all sources and sinks: they balance when nothing is wrong, and name every kind of defect."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.verify.accounts import Accounts, Line
from tests.verify.plant_truth import Truth
from tests.verify.recording import pack
from tests.verify.values import Journal

MS = 1_000_000
T0 = 1_764_000_000_000 * MS
EPOCH = "1-00000000000000aa"
BAD_DATA_LOST = 0x809D0000
MODULUS = 1 << 24


def modbus(device: int, version: int, i: int) -> float:
    return float((version + (7919 * i + 104_729 * device if i else 0)) % MODULUS)


def opcua(i: int, ms: int) -> Any:
    n = (ms + 7919 * i) % MODULUS
    return (n / 8, float(n), n - 2**23, n, 2**53 + 1 + n, bool(n & 256), f"s{n}")[i % 7]


def sensor(s: int, ms: int, i: int) -> float:
    return ((2_654_435_761 * ms + 40_503 * s + 7919 * i) % MODULUS) / 8


class World:
    """A store, what a subscriber recorded of it, what the database holds; before it is spoiled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.batches: list[tuple[str, int, str, int, list[tuple[str, int, Any, int]]]] = []
        self.messages: list[dict[str, Any]] = []
        self.points: dict[str, dict[int, list[float]]] = {}
        served = np.zeros(50, np.int64)
        for step in range(8):
            time = T0 + 100 * step * MS
            ms, version = time // MS, step + 1
            served[version] = time - 3 * MS
            self._add("plc", "m0", time, {f"v_{i}": modbus(0, version, i) for i in range(4)})
            self._add("line", "r0", time + 5, {f"v_{i}": modbus(0, version, i) for i in range(3)})
            self._add("cell", "press_1", time, {f"x_{i}": opcua(i, ms) for i in range(14)})
            self._add("sensors", "sensor_7", time, {f"v{i}": sensor(7, ms, i) for i in range(3)})
        self._add("plc", "m0", T0 + 900 * MS, {"v_1": 0.0}, quality=BAD_DATA_LOST)
        journal = Journal({0: served})
        self.truth = Truth({"m": journal, "r": journal})
        self.published = [(7, (T0 + 100 * step * MS) // MS, step + 1) for step in range(8)]

    def _add(self, source: str, name: str, time: int, values: dict[str, Any], quality: int = 0) -> None:
        seq, device = len(self.batches) + 1, f"cz/a/b/{name}"
        said = {"gw": "g", "epoch": EPOCH, "seq": seq, "dev": device, "t0": time, "tags": list(values)}
        said["v"] = [None if quality else value for value in values.values()]
        if quality:
            said["q"] = [quality] * len(values)
        self.messages.append(said)
        rows = [
            (f"{device}/{tag}", time, float(v) if isinstance(v, bool) else v, quality)
            for tag, v in values.items()
        ]
        self.batches.append((EPOCH, seq, source, time, rows))
        for path, _, value, _ in rows:
            if not quality and not isinstance(value, str):
                self.points.setdefault(path, {}).setdefault(time // MS, []).append(float(value))

    def books(self) -> Accounts:
        recording = self.folder / "received.bin"
        with recording.open("wb") as file:
            file.write(pack(T0, b"wanglian/cz/a/b/m0/_tags", b"{}"))
            for message in self.messages:
                file.write(pack(T0, b"wanglian/" + message["dev"].encode(), json.dumps(message).encode()))
        books = Accounts([self.batches, self.batches], self.truth)
        books.take_mqtt(recording)
        books.take_points(self.points)
        return books

    def message(self, device: str, step: int = 3) -> dict[str, Any]:
        return [each for each in self.messages if each["dev"].endswith(device)][step]

    def series(self, tag: str) -> dict[int, list[float]]:
        return self.points[f"cz/a/b/{tag}"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def bad(books: Accounts) -> dict[tuple[str, str], dict[str, int]]:
    kinds = ("lost", "doubled", "reordered", "wrong", "altered", "unaccounted")
    found = {}
    for line in books.lines:
        counts = {kind: getattr(line, kind) for kind in kinds if getattr(line, kind)}
        assert line.ok == (not counts)
        if counts:
            found[line.source, line.sink] = counts
    return found


def test_an_unspoiled_world_balances(world: World) -> None:
    books = world.books()
    assert bad(books) == {}
    assert len(books.lines) == 4 * 3
    (cell,) = [line for line in books.lines if (line.source, line.sink) == ("cell", "influx")]
    assert cell == Line("cell", "influx", accepted=8 * 14, untold=8 * 2, delivered=8 * 12)
    assert books.published(world.published, 3) == (0, 0)
    assert "| cell | influx | 112 | 16 | 96 |" in books.markdown()


def test_what_comes_again_unchanged_is_repeated_and_not_wrong(world: World) -> None:
    world.messages.append(world.message("press_1") | {"hist": True})
    series = world.series("m0/v_2")
    next(iter(series.values())).append(next(iter(series.values()))[0])
    books = world.books()
    assert bad(books) == {}
    assert sum(line.repeated for line in books.lines) == 15


def lose_a_message(world: World) -> None:
    world.messages.remove(world.message("sensor_7"))


def lose_a_point(world: World) -> None:
    world.series("r0/v_1").popitem()


def swap_two_messages(world: World) -> None:
    first, second = (world.messages.index(world.message("r0", step)) for step in (3, 4))
    world.messages[first], world.messages[second] = world.messages[second], world.messages[first]


def change_a_number(world: World) -> None:
    world.message("m0")["v"][2] += 1.0


def change_a_text(world: World) -> None:
    world.message("press_1")["v"][6] = "s0"


def shift_a_time(world: World) -> None:
    world.message("sensor_7")["t0"] += MS


def say_an_old_value(world: World) -> None:
    """A late reply: the values of one scan under another's time, stored and sent alike."""
    for part in (world.batches, world.messages):
        for i, each in enumerate(part):
            of = each["dev"] if isinstance(each, dict) else each[4][0][0]
            if "sensor_7" in of and isinstance(each, dict):
                each["t0"] += 7 * MS
            elif "sensor_7" in of:
                part[i] = (*each[:4], [(path, time + 7 * MS, v, q) for path, time, v, q in each[4]])


def store_a_reading_twice(world: World) -> None:
    epoch, _, source, arrived, rows = next(b for b in world.batches if b[2] == "plc")
    world.batches.append((epoch, 100, source, arrived, rows))
    world.messages.append(world.message("m0", 0) | {"seq": 100})


def change_a_point(world: World) -> None:
    series = world.series("sensor_7/v1")
    series[next(iter(series))] = [1.0]


def make_up_a_point(world: World) -> None:
    world.series("m0/v_1")[1] = [1.0]


def make_up_a_message(world: World) -> None:
    world.messages.append(world.message("press_1", 7) | {"seq": 200, "t0": T0 + 700 * MS})


def say_a_bad_value(world: World) -> None:
    world.messages[-1]["v"] = [0.0]


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lose_a_message, {("sensors", "mqtt"): {"lost": 3}}),
        (lose_a_point, {("line", "influx"): {"lost": 1}}),
        (swap_two_messages, {("line", "mqtt"): {"reordered": 1}}),
        (change_a_number, {("plc", "mqtt"): {"wrong": 1, "altered": 1}}),
        (change_a_text, {("cell", "mqtt"): {"wrong": 1, "altered": 1}}),
        (shift_a_time, {("sensors", "mqtt"): {"wrong": 3, "altered": 3}}),
        (
            say_an_old_value,
            {
                ("sensors", "store"): {"wrong": 24},
                ("sensors", "mqtt"): {"wrong": 24},
                ("sensors", "influx"): {"lost": 24, "unaccounted": 24},
            },
        ),
        (
            store_a_reading_twice,
            {
                ("plc", "store"): {"doubled": 4},
                ("plc", "mqtt"): {"doubled": 4},
                ("plc", "influx"): {"doubled": 4},
            },
        ),
        (change_a_point, {("sensors", "influx"): {"wrong": 1, "altered": 1}}),
        (make_up_a_point, {("plc", "influx"): {"unaccounted": 1}}),
        (make_up_a_message, {("cell", "mqtt"): {"doubled": 14, "unaccounted": 14}}),
        (say_a_bad_value, {("plc", "mqtt"): {"altered": 1}}),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_every_defect_is_found_where_it_is(
    world: World, spoil: Callable[[World], None], found: dict[tuple[str, str], dict[str, int]]
) -> None:
    spoil(world)
    books = world.books()
    assert bad(books) == found
    assert books.findings


def test_a_version_that_was_served_long_before_is_wrong(world: World) -> None:
    world.truth._journals["m"].times[0][4] -= 3_000 * MS
    world.truth = Truth({"m": world.truth._journals["m"], "r": world.truth._journals["m"]})
    assert {line.wrong for line in world.books().lines if line.source == "plc"} == {4}


def test_a_reply_to_the_gateway_before_is_wrong(world: World) -> None:
    journal = world.truth._journals["m"]
    world.truth = Truth({"m": journal, "r": journal}, [T0 - 50 * MS, T0 + 298 * MS])
    # The scan at +300 ms was served 3 ms before it, when the second gateway had not been started.
    assert {line.wrong for line in world.books().lines if line.source == "plc"} == {4}


def test_a_published_message_that_is_missing_or_there_twice_is_found(world: World) -> None:
    lost = [*world.published, (7, 5, 99)]
    assert world.books().published(lost, 3) == (1, 0)
    epoch, _, source, arrived, rows = next(b for b in world.batches if b[2] == "sensors")
    world.batches.append((epoch, 100, source, arrived, rows))
    assert world.books().published(world.published, 3) == (0, 1)
