"""How long an outage may last, from the files there are."""

import shutil
from pathlib import Path

import pytest

from config.plant import BufferOptions
from connectors import Epoch
from gateway.buffer.room import holds_ns
from gateway.buffer.segment import Segment

HOUR = 3_600_000_000_000
MIB = 2**20
EPOCH = Epoch(1, 7)


def segment(size: int, start: float, end: float) -> Segment:
    """Return a file of so many bytes, from one hour to another."""
    return Segment(
        Path("1.segment"),
        1,
        EPOCH,
        2,
        bytes=size,
        first_arrived=round(start * HOUR),
        last_arrived=round(end * HOUR),
    )


def held(place: Path, *segments: Segment, max_bytes: int = 2**30, max_age: int = 720 * HOUR) -> float | None:
    options = BufferOptions().model_copy(update={"min_free": 0, "max_bytes": max_bytes, "max_age": max_age})
    found = holds_ns(place, segments, options)
    return None if found is None else found / HOUR


def test_it_is_what_the_bound_leaves_at_the_pace_of_the_last_hour(tmp_path: Path) -> None:
    old, new = segment(500 * MIB, 0, 1), segment(20 * MIB, 1, 2)
    assert held(tmp_path, old, new, max_bytes=1024 * MIB) == pytest.approx((1024 - 64) / 20)
    assert held(tmp_path, new, max_bytes=16 * MIB) == pytest.approx((16 - 2) / 20)


def test_time_the_gateway_was_away_is_no_pace(tmp_path: Path) -> None:
    before, after = segment(5 * MIB, 0, 0.5), segment(5 * MIB, 200, 200.5)
    assert held(tmp_path, before, after, max_bytes=1024 * MIB) == pytest.approx(96)


def test_what_is_too_old_goes_too(tmp_path: Path) -> None:
    assert held(tmp_path, segment(MIB, 0, 1), max_bytes=1024 * MIB, max_age=30 * HOUR) == 30


def test_a_disk_with_little_room_bounds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, 84 * MIB))
    assert held(tmp_path, segment(20 * MIB, 0, 1), max_bytes=1024 * MIB) == pytest.approx((20 + 84 - 64) / 20)


def test_nobody_knows_a_pace_in_the_first_quarter_of_an_hour_nor_without_a_disk(tmp_path: Path) -> None:
    assert held(tmp_path) is None
    assert held(tmp_path, segment(MIB, 0, 0.24)) is None
    assert held(tmp_path / "gone", segment(MIB, 0, 1)) is None
