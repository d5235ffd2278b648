"""A look at a plant file while it is read: what is no plant ends there, and a plant never does."""

import os
import time
import tracemalloc
from importlib import resources
from pathlib import Path

import pytest

from config.load import Outcome, read_plant, read_plant_bytes
from config.plant import Plant
from config.problems import Problem
from config.reading import plausible, yaml_tree
from config.reading.document import Document
from config.reading.document import Path as Steps
from config.reading.yaml_tree import MOST_PROBLEMS, read_document
from tests.unit.config.bombs import HEAD, HEAVY, LIKE_PLANTS, SINK
from tests.unit.config.test_corpus import FILES

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
ENDED = "E-CF-0019"
READ_WHOLE = [file for file in FILES if "expect: E-CF-00" not in file.read_text("utf-8")]
"""A mistake in the YAML itself ends the reading before anything is validated."""
SHIPPED = [
    Path(str(resources.files("config") / "data" / "plants" / f"{name}.yaml"))
    for name in ("demo", "quickstart")
]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WL_TEST_SECRET", "s3cret-value")
    monkeypatch.setenv("WL_TEST_TOKEN_IN_LINES", "s3cret\nvalue")
    monkeypatch.setenv("WL_TEST_WEBHOOK", "http://robot.example/send?key=s3cret")
    monkeypatch.setenv("WL_TEST_NUMBER", "1")
    monkeypatch.delenv("WL_TEST_UNSET", raising=False)
    monkeypatch.setenv("WL_TEST_KIND", "modbus_tcp")


def read(text: str) -> Outcome:
    return read_plant_bytes(text.encode(), "p.yaml", Path())


def cost(text: str) -> tuple[Outcome, float]:
    """Return what comes of it, and s of a core."""
    data = text.encode()
    begin = time.process_time()
    outcome = read_plant_bytes(data, "p.yaml", Path())
    return outcome, time.process_time() - begin


def most_mb(text: str) -> float:
    """Return what reading it takes at most; tracing takes four times as long."""
    tracemalloc.start()
    read(text)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 1e6


@pytest.mark.fault("S5")
def test_what_is_no_plant_is_refused_at_once_whatever_its_size(record_measure) -> None:
    read("gateway: {ide: g}")  # the messages and the schema, which are read once
    slowest = largest = 0.0
    for text in HEAVY:
        assert len(text.encode()) < 2_000_000
        # The least of three: a collection of the whole test run is not its own.
        outcome, took = min((cost(text) for _ in range(3)), key=lambda each: each[1])
        most = most_mb(text)
        assert outcome.plant is None
        assert 0 < len(outcome.problems) <= 1_000
        # 0.1 s is the promise; the other bar is for a machine that does other things too.
        assert took < (0.1 if SCALE >= 1 else 0.25), text[:200]
        assert most < 50, text[:200]
        slowest, largest = max(slowest, took), max(largest, most)
    record_measure(
        f"{len(HEAVY)} files that are right as YAML and no plant, up to 2 MB: refused in "
        f"{1e3 * slowest:.0f} ms of a core and {largest:.0f} MB at most",
        row="S5",
    )


@pytest.mark.fault("S5")
def test_what_looks_like_a_plant_costs_no_more_than_one(record_measure) -> None:
    slowest = largest = 0.0
    for text in LIKE_PLANTS[: None if SCALE >= 1 else 1]:
        assert len(text.encode()) < 2_000_000
        outcome, took = cost(text)
        assert outcome.plant is None
        assert took < 10
        most = most_mb(text) if SCALE >= 1 else 0.0
        assert most < 200
        slowest, largest = max(slowest, took), max(largest, most)
    record_measure(
        "no plants either, but only to who reads them whole, mistakes in thousands of parts: "
        f"{slowest:.1f} s and {largest:.0f} MB at most, as a plant of that size",
        row="S5",
    )


def test_the_first_mistakes_are_told_at_their_places_and_where_the_reading_ended() -> None:
    outcome = read(
        SINK + HEAD + "      d: {tags: {" + ", ".join(f"t{i}: {{adress: 0}}" for i in range(9_000)) + "}}\n"
    )
    codes = [each.code for each in outcome.problems]
    assert len(codes) == MOST_PROBLEMS + 1
    assert set(codes) == {"E-CF-0101", "E-CF-0102", ENDED}
    assert codes[-1] == ENDED
    assert outcome.problems[0].path == "sources.a.devices.d.tags.t0.address"


def test_one_misspelled_section_of_thousands_of_entries_is_one_mistake() -> None:
    outcome = read(
        SINK
        + HEAD.replace("sources", "sourcse")
        + "".join(f"      d{i}: {{tags: {{}}}}\n" for i in range(2_000))
    )
    assert [each.code for each in outcome.problems] == ["E-CF-0102", ENDED]


def test_a_few_mistakes_among_thousands_of_right_entries_are_all_told() -> None:
    tags = "".join(f"          t{i}: {{address: {'x' if i % 100 == 7 else i}}}\n" for i in range(9_000))
    outcome = read(SINK + HEAD + "      d:\n        tags:\n" + tags)
    assert {each.code for each in outcome.problems} == {"E-CF-0104"}
    assert len(outcome.problems) == 90


def test_a_plant_written_backwards_with_references_and_ranges_everywhere_is_read_to_its_end() -> None:
    tags = "{x: {address: '${env:WL_TEST_NUMBER}'}}"
    sources = "".join(
        f"  a{i}:\n    devices:\n"
        + "".join(f"      m{i}_{j}_{{1..2}}: {{unit_id: {2 * j + 1}, tags: {tags}}}\n" for j in range(100))
        + f"    host: 192.0.2.{i}\n    kind: '${{env:WL_TEST_KIND}}'\n"
        for i in range(1, 11)
    )
    outcome = read("sources:\n" + sources + "gateway: {site: s, id: g}\n" + SINK)
    assert outcome.plant is not None, outcome.problems[:3]
    assert sum(len(each.devices) for each in outcome.plant.sources.values()) == 2_000


@pytest.mark.parametrize("file", [*READ_WHOLE, *SHIPPED], ids=lambda file: file.stem)
def test_wherever_a_look_is_taken_it_finds_nothing_that_the_whole_file_has_not(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Problem] = []

    def look(document: Document, opened: Steps, _: int) -> list[Problem]:
        found.extend(plausible.look(document, opened, 0, Plant, file.parent))
        return []

    told = {(each.code, each.line, each.column) for each in read_plant(file).problems}
    data = file.read_bytes()
    monkeypatch.setattr(yaml_tree, "LOOK_AT", range(1, len(data), 1 if len(data) < 5_000 else 41))
    read_document(data, str(file), look)
    assert {(each.code, each.line, each.column) for each in found} <= told
