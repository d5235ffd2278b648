"""Bytes by the plant's day: kept over restarts, begun anew at its midnight, never a reason not to start."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo

import pytest

from connectors import Delivery, NotConnected, Order
from gateway.metered import Days, Meter
from gateway.metered.days import TRAFFIC

ZONE = ZoneInfo("Asia/Shanghai")


def at(clock: Any, *when: int) -> None:
    """Set the clock to a time in the plant's zone."""
    clock.wall = int(datetime(*when, tzinfo=ZONE).astimezone(UTC).timestamp() * 1e9)  # type: ignore[arg-type, misc]


class Sending:
    """A sink that has moved what it is told."""

    order = Order.STRICT

    def __init__(self) -> None:
        self.moved = 0

    def traffic(self) -> int:
        return self.moved

    async def __aenter__(self) -> Self:
        return self

    async def write(self, deliveries: Sequence[Delivery]) -> None:
        pass

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        pass


def test_a_day_is_the_plants_and_survives_restarts(tmp_path: Path, clock: Any) -> None:
    at(clock, 2026, 11, 29, 23, 50)
    sink = Sending()
    with Days(tmp_path, clock, ZONE) as days:
        meter = Meter("cloud", sink, days, peer="h:1", cap=None)
        sink.moved = 1_000
        assert meter.today() == 1_000
    again = Sending()
    with Days(tmp_path, clock, ZONE) as days:
        meter = Meter("cloud", again, days, peer="h:1", cap=None)
        assert meter.today() == 1_000
        again.moved = 5
        assert meter.today() == 1_005
        assert days.seconds_left() == 600
        at(clock, 2026, 11, 30, 0, 0)
        assert meter.today() == 0
        again.moved = 12
        assert meter.today() == 7
        at(clock, 2026, 11, 29, 23, 59)  # a clock that is set back
        assert meter.today() == 1_005


def test_what_moves_is_saved_before_the_end_comes(tmp_path: Path, clock: Any) -> None:
    sink = Sending()
    with Days(tmp_path, clock, ZONE) as days:
        Meter("cloud", sink, days, peer="h:1", cap=None)
        sink.moved = 77
        days._look()
        days._save(days._taken())
        with sqlite3.connect(tmp_path / TRAFFIC) as beside:
            assert beside.execute("SELECT sink, bytes FROM moved").fetchall() == [("cloud", 77)]
        beside.close()


def test_a_damaged_book_is_put_aside(tmp_path: Path, clock: Any) -> None:
    (tmp_path / TRAFFIC).write_bytes(b"no database at all" * 500)
    with Days(tmp_path, clock, ZONE) as days:
        assert days.moved("cloud") == 0
    assert (tmp_path / f"{TRAFFIC}.damaged").exists()


def test_a_sink_that_begins_anew_loses_nothing_of_the_old_one(tmp_path: Path, clock: Any) -> None:
    old, new = Sending(), Sending()
    with Days(tmp_path, clock, ZONE) as days:
        Meter("cloud", old, days, peer="h:1", cap=None)
        old.moved = 40
        meter = Meter("cloud", new, days, peer="h:1", cap=None)
        new.moved = 2
        assert meter.today() == 42


def test_a_cap_stops_until_the_plants_midnight_and_needs_nobody(tmp_path: Path, clock: Any) -> None:
    at(clock, 2026, 11, 29, 23, 55)
    sink = Sending()
    with Days(tmp_path, clock, ZONE) as days:
        meter = Meter("cloud", sink, days, peer="h:1883", cap=50_000_000)
        sink.moved = 49_999_999
        meter.check()
        assert meter.most_rows(20_000) == 1
        sink.moved += 1
        with pytest.raises(NotConnected) as raised:
            meter.check()
        assert not raised.value.needs_a_person
        assert raised.value.retry_after_s == 300
        said = "h:1883: the daily cap of 50 MB is used up; it goes on at 2026-11-30 00:00 CST by itself"
        assert str(raised.value).startswith(said)
        at(clock, 2026, 11, 29, 8, 0)  # long before: it looks again in between, the clock may be wrong
        with pytest.raises(NotConnected) as raised:
            meter.check()
        assert raised.value.retry_after_s == 600
        at(clock, 2026, 11, 30, 0, 0)
        meter.check()


def test_rows_shrink_with_what_is_left_of_the_day(tmp_path: Path, clock: Any) -> None:
    sink = Sending()
    with Days(tmp_path, clock, ZONE) as days:
        meter = Meter("cloud", sink, days, peer="h:1", cap=1_000_000)
        assert meter.most_rows(20_000) == 100
        assert meter.most_rows(50) == 50
        sink.moved = 400_000
        meter.passed(10_000)
        assert meter.most_rows(20_000) == 250
        sink.moved = 600_000
        meter.passed(2_000)
        assert meter.most_rows(20_000) == 100, "rows that cost more than they did on average"
        sink.moved = 996_000
        meter.passed(7_920)
        assert meter.most_rows(20_000) == 40, "half of what is left"
        sink.moved = 999_999
        meter.passed(80)
        assert meter.most_rows(20_000) == 1


def test_a_backlog_gets_what_the_day_so_far_has_left_over(tmp_path: Path, clock: Any) -> None:
    at(clock, 2026, 11, 29, 0, 0)
    sink = Sending()
    with Days(tmp_path, clock, ZONE) as days:
        free = Meter("free", Sending(), days, peer="h:1", cap=None)
        meter = Meter("cloud", sink, days, peer="h:1", cap=1_000_000)
        assert (free.backlog_waits(), meter.backlog_waits()) == (0, 0)
        sink.moved = 250_000
        assert meter.backlog_waits() == 600, "until six, looked at every ten minutes"
        at(clock, 2026, 11, 29, 5, 59)
        assert meter.backlog_waits() == pytest.approx(60)
        at(clock, 2026, 11, 29, 6, 0)
        assert meter.backlog_waits() == 0
    with Days(tmp_path, clock, ZoneInfo("Europe/Berlin")) as days:
        clock.wall = int(datetime(2026, 3, 29, 12, tzinfo=UTC).timestamp() * 1e9)
        assert days.length_s() == 23 * 3600
