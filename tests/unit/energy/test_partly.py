"""Intervals that were read for a part of their time: no figure takes them for whole ones."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from connectors import TagTable
from gateway.energy.bookkeeping import entered
from gateway.energy.bookkeeping.files import NAME
from gateway.energy.figures import Figure
from gateway.energy.flows import flows_of
from gateway.energy.pricing.booked import _peak, _whole
from gateway.energy.results.batches import Run, _output
from gateway.energy.watch import Watch
from gateway.sqlite import connect, transaction
from gateway.web.energy_figures import load_of
from tests.unit.energy.lab import MINUTE, Lab, plant_of

KWH: Any = {"e_import": {"unit": "kWh"}}
QUARTER = 15 * MINUTE


def lab(folder: Path, meters: dict[str, Any], tags: Any = None, *, now: str = "2026-04-20") -> Lab:
    return Lab(folder, plant_of({"meters": meters}, tags=tags), now=now)


def feed(  # noqa: PLR0917  in the order a sentence has them
    to: Lab, meter: str, first: str, last: str, rate: float = 1.0, every: int = MINUTE
) -> None:
    """Book readings of so many kWh a minute."""
    times = np.arange(to.at(first), to.at(last) + 1, every)
    to.book(to.delivery(meter, times, (times - to.at("2026-01-01")) / MINUTE * rate))


def close(to: Lab, first: str, last: str) -> None:
    """Close a period, as a person does."""
    span = {"first": to.at(first), "last": to.at(last)}
    db = connect(to.folder / NAME)
    with transaction(db):
        entered.enter(db, entered.CLOSE, to.clock.now(), "test", span)
    db.close()
    to.ledger.book(())


def figure(of: Lab, meter: str, interval: Any, first: str, last: str) -> tuple[Figure, Fraction | None]:
    answer = of.query.energy(meter, interval, of.at(first), of.at(last))
    (found,) = answer.figures
    return found, answer.amount(found)


def test_what_was_closed_before_it_was_read_to_its_end_stays_a_part(tmp_path: Path) -> None:
    book = lab(tmp_path, {"m": {}})
    feed(book, "m", "2026-03-06T08:00", "2026-03-06T13:50")
    close(book, "2026-03-06T00:00", "2026-03-06T14:00")
    feed(book, "m", "2026-03-06T13:51", "2026-03-06T18:00")
    found, amount = figure(book, "m", "60min", "2026-03-06T13:00", "2026-03-06T14:00")
    assert (amount, found.is_closed, found.is_whole) == (50, True, False)
    assert load_of(
        book.query.energy("m", "60min", book.at("2026-03-06T12:00"), book.at("2026-03-06T15:00"))
    ).values == [60, None, 60]


def test_what_was_closed_whole_stays_so_when_the_newest_reading_is_taken_back(tmp_path: Path) -> None:
    book = lab(tmp_path, {"m": {}})
    feed(book, "m", "2026-03-06T08:00", "2026-03-06T14:00")
    close(book, "2026-03-06T08:00", "2026-03-06T14:00")
    high = (book.at("2026-03-06T13:59:30") - book.at("2026-01-01")) / MINUTE + 5
    book.feed("m", [("2026-03-06T13:59:30", high)])
    found, amount = figure(book, "m", "60min", "2026-03-06T13:00", "2026-03-06T14:00")
    assert (amount, found.is_whole) == (60, True)


def test_days_missing_in_a_closed_period_are_missing_in_its_month_and_in_the_flows(tmp_path: Path) -> None:
    """One of two meters was away when the period was closed; what it then told is outside the closing."""
    book = lab(tmp_path, {"main": {"unaccounted": 5}, "b": {"parent": "main"}}, {"main": KWH, "b": KWH})
    feed(book, "main", "2026-02-28T23:00", "2026-04-02", every=QUARTER)
    feed(book, "b", "2026-02-28T23:00", "2026-03-08T12:00", 0.97, every=QUARTER)
    close(book, "2026-03-01", "2026-03-11")
    feed(book, "b", "2026-03-08T12:15", "2026-04-02", 0.97, every=QUARTER)
    assert figure(book, "main", "month", "2026-03-01", "2026-04-01")[0].is_whole
    assert not figure(book, "b", "month", "2026-03-01", "2026-04-01")[0].is_whole
    total = book.query.energy("b", "day", book.at("2026-03-07"), book.at("2026-03-13")).total
    assert not total.is_whole
    for first, last in (("2026-03-01", "2026-03-11"), ("2026-03-08", "2026-03-09")):
        found = flows_of(book.query, "electricity", book.at(first), book.at(last))
        assert {each.target for each in found.flows} == {"b"}
        assert found.partly == ("b",)
    whole = flows_of(book.query, "electricity", book.at("2026-03-12"), book.at("2026-03-14"))
    assert [each.share for each in whole.flows if not each.target] == [Fraction(3, 100)]


@pytest.mark.parametrize(
    ("first", "last", "amount", "is_whole"),
    [
        ("13:00", "13:50", 50, True), ("13:50", "14:00", 5, False), ("13:57", "14:00", None, False),
        ("12:10", "13:00", 50, True), ("12:00", "12:05", None, False), ("12:00", "12:10", 5, False),
    ],
)  # fmt: skip
def test_a_cut_off_the_grid_is_made_within_what_was_read(
    tmp_path: Path, first: str, last: str, amount: int | None, is_whole: bool
) -> None:
    book = lab(tmp_path, {"m": {}})
    feed(book, "m", "2026-03-06T12:05", "2026-03-06T13:55")
    found, shown = figure(book, "m", "whole", f"2026-03-06T{first}", f"2026-03-06T{last}")
    assert (shown, found.is_whole) == (amount, is_whole)


def test_power_not_known_for_a_while_is_no_whole_interval(tmp_path: Path) -> None:
    """A power meter tells nothing of the time in which it was not read."""
    tags = {"m": {"p": {"unit": "kW", "shape": "sine"}}}
    book = lab(tmp_path, {"m": {"power": "s/hall/line/m/p"}}, tags)
    book.feed("m", [(f"2026-03-06T{9 + i // 60:02}:{i % 60:02}", 60) for i in range(181) if not 70 < i < 110])
    assert figure(book, "m", "60min", "2026-03-06T09:00", "2026-03-06T10:00")[0].is_whole
    found, amount = figure(book, "m", "60min", "2026-03-06T10:00", "2026-03-06T11:00")
    assert amount is not None
    assert amount < 60
    assert not found.is_whole


def test_a_generator_that_stopped_makes_no_peak_and_no_day_of_the_difference(tmp_path: Path) -> None:
    meters = {"grid": {}, "pv": {}, "net": {"expression": "grid - pv"}}
    book = lab(tmp_path, meters, {"grid": KWH, "pv": KWH})
    feed(book, "grid", "2026-03-05T23:00", "2026-03-07T01:00", 10)
    feed(book, "pv", "2026-03-05T23:00", "2026-03-06T13:46", 9)
    first, last = book.at("2026-03-06"), book.at("2026-03-07")
    (peak,) = book.query.demand("net", "whole", first, last)
    assert peak.fixed == 60
    pieces = book.query.pieces("net", first, last)
    assert _peak(pieces, SimpleNamespace(first=first, last=last)) == 60  # type: ignore[arg-type]
    assert figure(book, "net", "day", "2026-03-06", "2026-03-07")[1] is None
    # What is known of it are the quarters of an hour in which both were read.
    hours = book.query.energy("net", "60min", first, last)
    assert hours.amount(hours.total) == 13 * 60 + 45
    assert not hours.total.is_whole
    running = book.query.demand("grid", "15min", book.at("2026-03-07T00:45"), book.at("2026-03-07T01:15"))
    assert [each.fixed for each in running] == [600, None]


@pytest.mark.parametrize(("begins", "kvarh"), [("2026-02-28T23:00", 44_640), ("2026-03-22", None)])
def test_a_bill_has_no_reactive_energy_of_another_time_than_its_active(
    tmp_path: Path, begins: str, kvarh: int | None
) -> None:
    meters = {
        "e": {"tag": "s/hall/line/e/e_import"},
        "r": {"tag": "s/hall/line/r/q_import", "medium": "electricity_reactive"},
    }
    book = lab(tmp_path, meters, {"e": KWH, "r": {"q_import": {"unit": "kvarh"}}})
    feed(book, "e", "2026-02-28T23:00", "2026-04-01T01:00", every=QUARTER)
    feed(book, "r", begins, "2026-04-01T01:00", every=QUARTER)
    bill: Any = SimpleNamespace(first=book.at("2026-03-01"), last=book.at("2026-04-01"))
    assert _whole(book.query, "s", bill, "electricity_reactive") == kvarh


@pytest.mark.parametrize(("until", "pieces"), [("2026-03-06T20:00", 480), ("2026-03-06T13:00", None)])
def test_a_batch_has_no_output_of_a_counter_that_stopped_within_it(
    tmp_path: Path, until: str, pieces: int | None
) -> None:
    meters = {
        "e": {"tag": "s/hall/line/e/e_import"},
        "c": {"tag": "s/hall/line/c/n", "medium": "production"},
    }
    book = lab(tmp_path, meters, {"e": KWH, "c": {"n": {"unit": "pcs"}}})
    feed(book, "c", "2026-03-06T08:00", until, 2)
    run = Run("s/hall/line/c", "b1", book.at("2026-03-06T12:00"), book.at("2026-03-06T16:00"), "p")
    assert _output(book.query, run)[0] == pieces


@pytest.mark.parametrize(("phase", "every", "late"), [(50, 30, 0), (59, 60, 0), (0, 1, 20)])
def test_the_balance_of_an_hour_waits_for_a_slow_meter(
    tmp_path: Path, phase: int, every: int, late: int
) -> None:
    meters = {"main": {"unaccounted": 5}, "c": {"parent": "main"}}
    book = lab(tmp_path, meters, {"main": KWH, "c": KWH}, now="2026-03-06T08:00")
    watch = Watch(book.query, book.meters, 95, "s")
    watch.begin(TagTable(), None)
    start, told, turned = book.at("2026-03-06T08:00"), 0, []
    for minute in range(8 * 60):
        now = book.clock.wall = start + minute * MINUTE
        some = [book.delivery("main", [now], [float(minute)])]
        was = minute - late
        if was >= 0 and was % every == phase % every:
            some.append(book.delivery("c", [start + was * MINUTE], [was * 0.1]))
        book.book(*some)
        look = watch.look(now)
        told += len(look.rows)
        turned += look.turned
    assert [(each.code, each.state.is_active) for each in turned] == [("E-EN-0006", True)]
    assert told >= 2 * 5
