"""The ledger: exactly once, whatever fails; what people enter; what it keeps and lets go."""

import logging
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from config.problems import catalogue
from connectors.quality import BAD
from gateway.energy.bookkeeping import pages
from gateway.energy.bookkeeping.books import FOLD_AT, Books
from gateway.energy.bookkeeping.entered import entries
from gateway.energy.bookkeeping.files import NAME
from gateway.energy.bookkeeping.manual import (
    Refused,
    book_now,
    closing_of,
    from_csv,
    outcomes,
    reading,
    write_down,
)
from gateway.energy.flags import MANUAL, MISSING
from gateway.energy.periods import DAY_NS
from gateway.energy.query import NoBooks, NoSuchFigure
from tests.unit.energy.lab import EPOCH, MINUTE, Lab, plant_of

DAY = "2026-03-01"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(
        tmp_path, plant_of({"meters": {"gas": {"manual": True, "medium": "natural_gas"}}}), now="2026-03-05"
    )


def test_what_was_booked_is_not_booked_again_after_a_restart(lab: Lab) -> None:
    first = lab.delivery("m", [lab.at(DAY)], [1.0])
    second = lab.delivery("m", [lab.at(DAY) + 15 * MINUTE], [2.0])
    assert lab.book(first) == 1
    lab.reopen()
    assert lab.ledger.booked == {EPOCH: 1}
    assert lab.ledger.book([first, second], second) == 1
    assert lab.ledger.booked == {EPOCH: 2}
    lab.ledger.close()


def test_rows_that_are_all_bad_are_passed_and_the_place_moves_on(lab: Lab) -> None:
    """A whole plant without power: nothing but Bad rows of its meters comes."""
    dead = lab.delivery("m", [lab.at(DAY)], [0.0], [BAD])
    assert lab.book(dead) == 0
    assert lab.ledger.booked == {EPOCH: 1}
    lab.ledger.close()


def test_a_booking_that_fails_leaves_everything_as_it_was(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = lab.delivery("m", [lab.at(DAY) + i * 15 * MINUTE for i in range(8)], range(8))
    before = lab.ledger.digest()

    def full(_: Books) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(Books, "write", full)
        with pytest.raises(sqlite3.OperationalError):
            lab.book(rows)
    assert lab.ledger.digest() == before
    assert lab.ledger.booked == {}
    assert lab.book(rows) == 8
    straight = lab.query.energy("m", "day", lab.at(DAY), lab.at("2026-03-02"))
    assert straight.decimal(straight.total) == 7
    lab.ledger.close()


@pytest.mark.parametrize("at", ["2026-03-01T00:20", "2026-03-01T23:55", "2026-03-31T23:55"])
@pytest.mark.fault("E7")
def test_a_late_reading_takes_back_a_boundary_nobody_reached(at: str, tmp_path: Path) -> None:
    """E7: 100, then 130; late between them 500: the 130 has to wait, and what was booked up to it is gone."""
    plant = plant_of({"meters": {"m": {"maximum": 3000}}})
    late, straight = (Lab(tmp_path / name, plant, now="2026-04-02") for name in ("late", "straight"))
    begun = late.at(at) - 5 * MINUTE
    rows = [[begun, 100], [begun + 8 * MINUTE, 500], [begun + 16 * MINUTE, 130]]
    late.feed("m", [rows[0], rows[2]])
    late.feed("m", [rows[1]])
    straight.feed("m", rows)
    assert late.ledger.digest() == straight.ledger.digest()
    late.ledger.close()
    straight.ledger.close()


def test_damaged_books_are_set_aside_and_said(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    lab.feed("m", [[DAY, 1]])
    lab.ledger.close()
    path = lab.folder / NAME
    data = bytearray(path.read_bytes())
    data[4096:8192] = bytes(4096)
    path.write_bytes(data)
    with caplog.at_level(logging.ERROR):
        lab.reopen()
    assert {record.__dict__.get("code") for record in caplog.records} == {"E-EN-0001"}
    assert list(lab.folder.glob("*.bad"))
    assert lab.ledger.booked == {}
    lab.ledger.close()


def test_readings_come_too_late_when_those_around_them_are_gone(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    lab.clock.wall = lab.at("2026-06-01")
    lab.feed("m", [[DAY, 1], ["2026-05-30", 900]])
    before = lab.ledger.digest()
    with caplog.at_level(logging.WARNING):
        lab.feed("m", [["2026-03-02", 5]])
    assert lab.ledger.too_late == 1
    assert "E-EN-0003" in {record.__dict__.get("code") for record in caplog.records}
    assert lab.ledger.digest() == before
    lab.ledger.close()


def test_readings_are_kept_and_then_let_go(lab: Lab) -> None:
    lab.feed("m", [[DAY, 1], ["2026-03-01T12:00", 2]])
    assert len(lab.query.readings("m", 0, lab.clock.now()).time) == 2
    lab.clock.wall = lab.at("2026-04-20")
    lab.feed("m", [["2026-04-19", 9]])
    assert lab.query.readings("m", 0, lab.clock.now()).raw.tolist() == [900_000]
    assert lab.query.energy("m", "day", lab.at(DAY), lab.at("2026-03-02")).total.quanta is not None
    lab.ledger.close()


def test_small_pieces_are_folded_and_say_the_same(lab: Lab) -> None:
    times = [lab.at(DAY) + i * MINUTE for i in range(FOLD_AT + 20)]
    for i, time in enumerate(times):
        lab.book(lab.delivery("m", [time], [i / 10]))
    kept = lab.query.readings("m", 0, lab.clock.now())
    assert kept.time.tolist() == times
    with sqlite3.connect(lab.folder / NAME) as db:
        assert db.execute("SELECT COUNT(*) FROM readings").fetchone()[0] < 25
    db.close()
    lab.ledger.close()


def test_a_finer_grid_keeps_the_boundaries_there_were(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lab = Lab(tmp_path, plant_of({}), now="2026-03-05")
    lab.feed("m", [[DAY, 0], ["2026-03-01T12:00", 12], ["2026-03-02T06:00", 30]])
    before = lab.query.energy("m", "day", lab.at(DAY), lab.at("2026-03-02")).total.quanta
    lab.ledger.close()
    shifts = {"shifts": {"early": {"from": "07:50", "to": "15:50"}}}
    with caplog.at_level(logging.WARNING):
        finer = Lab(tmp_path, plant_of(shifts), now="2026-03-05")
    finer.seq = lab.seq
    assert {record.__dict__.get("code") for record in caplog.records} == {"E-EN-0002"}
    after = finer.query.energy("m", "day", finer.at(DAY), finer.at("2026-03-02")).total.quanta
    assert after == before == 24 * 10**5
    finer.feed("m", [["2026-03-02T07:50", 31.5], ["2026-03-02T16:00", 40]])
    shift = finer.query.energy("m", "shift", finer.at("2026-03-02"), finer.at("2026-03-03"))
    assert shift.total.quanta is not None
    finer.ledger.close()


def test_people_enter_and_the_books_follow(lab: Lab) -> None:
    now = lab.clock.now()
    told = [
        reading(lab.meters, "gas", "1000.5", lab.at(DAY), now),
        reading(lab.meters, "gas", "1100.5", lab.at("2026-03-02"), now),
    ]
    numbers = write_down(lab.folder, told, "Li", now)
    assert outcomes(lab.folder, numbers) == [None, None]
    lab.ledger.close()
    assert book_now(lab.folder, lab.meters, lab.calendar, lab.clock, keep=40 * DAY_NS)
    assert outcomes(lab.folder, numbers) == ["booked", "booked"]
    answer = lab.query.energy("gas", "day", lab.at(DAY), lab.at("2026-03-02"))
    assert answer.decimal(answer.total) == 100
    with sqlite3.connect(lab.folder / NAME) as db:
        assert [each.who for each in entries(db)] == ["Li", "Li"]
    db.close()


def test_a_reading_entered_again_is_corrected_however_long_ago(lab: Lab) -> None:
    def enter(*rows: tuple[str, str]) -> None:
        told = [reading(lab.meters, "gas", value, lab.at(at), lab.clock.now()) for at, value in rows]
        write_down(lab.folder, told, "Li", lab.clock.now())
        lab.ledger.book([])

    enter(("2025-11-01", "100"), ("2025-12-01", "13"), ("2026-01-01", "160"), ("2026-02-01", "190"))
    enter(("2025-12-01", "130"))
    months = lab.query.energy("gas", "month", lab.at("2025-11-01"), lab.at("2026-02-01"))
    assert [months.decimal(each) for each in months.figures] == [30, 30, 30]
    assert months.total.flags == MANUAL
    assert lab.query.events("gas", 0, lab.clock.now()) == []
    lab.ledger.close()


@pytest.mark.parametrize(
    ("meter", "value", "at", "reason"),
    [
        ("nobody", "1", DAY, "meter"),
        ("gas", "much", DAY, "value"),
        ("gas", "-1", DAY, "value"),
        ("gas", "NaN", DAY, "value"),
        ("gas", "1e400", DAY, "value"),
        ("gas", "1e99999999", DAY, "value"),
        ("gas", "1", "2026-03-06", "time"),
    ],
)
def test_what_can_not_be_is_not_entered(lab: Lab, meter: str, value: str, at: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        reading(lab.meters, meter, value, lab.at(at), lab.clock.now())
    assert refused.value.reason == reason
    assert f"cli.energy.refused.{reason}" in catalogue()
    lab.ledger.close()


def test_a_table_with_a_mistake_is_refused_by_its_line(lab: Lab) -> None:
    text = "\ufeffmeter,time,value\ngas,2026-03-01,1\ngas,2026-13-01,2\n"
    with pytest.raises(Refused) as refused:
        from_csv(text, lab.meters, lab.calendar, "s", lab.clock.now())
    assert (refused.value.line, refused.value.reason) == (3, "time")
    with pytest.raises(Refused) as refused:
        from_csv("a,b\n1,2\n", lab.meters, lab.calendar, "s", lab.clock.now())
    assert refused.value.reason == "columns"
    lab.ledger.close()


def test_batches_come_from_a_table(lab: Lab) -> None:
    lab.feed("m", [["2026-03-01T08:00", 10], ["2026-03-01T08:15", 11], ["2026-03-01T09:00", 17]])
    text = "batch,at,from,to\nA-1,hall/line,2026-03-01T08:15,2026-03-01T09:00\n"
    found = from_csv(text, lab.meters, lab.calendar, "s", lab.clock.now())
    write_down(lab.folder, found, "Li", lab.clock.now())
    lab.ledger.book([])
    answer = lab.query.energy("s/hall/line", "batch", lab.at(DAY), lab.at("2026-03-02"))
    assert [(each.span.label, answer.decimal(each)) for each in answer.figures] == [("A-1", 6)]
    lab.ledger.close()


def test_periods_that_meet_are_closed_once(lab: Lab) -> None:
    lab.feed("m", [[DAY, 0], ["2026-03-03", 48]])
    now = lab.clock.now()
    one = closing_of(lab.at(DAY), lab.at("2026-03-02"), now)
    other = closing_of(lab.at("2026-03-01T12:00"), lab.at("2026-03-03"), now)
    numbers = write_down(lab.folder, [one, other], "Li", now)
    lab.ledger.book([])
    assert outcomes(lab.folder, numbers) == ["booked", "refused"]
    (closed,) = lab.query.closings()
    assert (closed.span[:2], closed.who) == ((lab.at(DAY), lab.at("2026-03-02")), "Li")
    with pytest.raises(Refused):
        closing_of(now - 1, now + 1, now)
    lab.ledger.close()


def test_questions_without_an_answer_say_so(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(NoSuchFigure):
        lab.query.energy("s/nowhere", "day", 0, DAY_NS)
    with pytest.raises(NoSuchFigure):
        lab.query.energy("s", "day", 0, DAY_NS, "coal")
    lab.ledger.close()
    (tmp_path / NAME).unlink()
    with pytest.raises(NoBooks):
        lab.query.energy("m", "day", 0, DAY_NS)


def test_a_page_comes_back_and_counts_its_revisions() -> None:
    page = pages.empty(96)
    new = pages.empty(3)
    new["flags"], new["total"], new["below"] = 0, [5, 6, 9], 7
    at = np.array([4, 5, 7])
    assert not pages.put(page, at, new)
    new["total"][1] = 7
    assert pages.put(page, at, new)
    assert not pages.put(page, at, new)
    back = pages.decode(pages.encode(page))
    assert (back == page).all()
    assert back["revision"][[4, 5, 7]].tolist() == [0, 1, 0]
    assert (back["flags"] & MISSING != 0).sum() == 93
