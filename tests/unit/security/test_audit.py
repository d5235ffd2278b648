import sqlite3
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from gateway.security.audit import AUDIT, DAY_NS, KEPT_DAYS, LEAST_DAYS, Audit, entries, verify
from tests.conftest import FakeClock


@pytest.fixture
def log(tmp_path: Path, clock: FakeClock) -> Iterator[Audit]:
    made = Audit(tmp_path, clock)
    yield made
    made.close()


def tamper(folder: Path, *statements: str) -> None:
    connection = sqlite3.connect(folder / AUDIT)
    connection.execute("DROP TRIGGER never_changed")
    connection.execute("DROP TRIGGER kept_long_enough")
    for each in statements:
        connection.execute(each)
    connection.commit()
    connection.close()


def test_what_was_done_is_told_in_order_and_the_chain_is_whole(log: Audit, tmp_path: Path) -> None:
    for i in range(5):
        log.append("anna", "192.0.2.7", "user.added", {"user": f"u{i}"})
    assert [orjson.loads(each.about)["user"] for each in entries(tmp_path)] == ["u0", "u1", "u2", "u3", "u4"]
    found = verify(tmp_path)
    assert found.is_whole
    assert (found.first, found.last) == (1, 5)
    assert verify(tmp_path, (5, found.head)).is_whole


@pytest.mark.fault("S13")
@pytest.mark.parametrize(
    ("statement", "wrong"),
    [
        ("UPDATE entries SET who = 'bo' WHERE number = 3", (3,)),
        ("UPDATE entries SET at = at + 1 WHERE number = 3", (3,)),
        ("UPDATE entries SET about = '{}' WHERE number = 5", (5,)),
        ("DELETE FROM entries WHERE number = 3", (4,)),
        ("DELETE FROM entries WHERE number = 1", (2,)),
        ("UPDATE entries SET number = 9 WHERE number = 5", (9,)),
        ("UPDATE entries SET hash = zeroblob(32) WHERE number = 5", (5,)),
    ],
)
def test_an_entry_that_was_changed_or_taken_out_is_named(
    log: Audit, tmp_path: Path, statement: str, wrong: tuple[int, ...], record_measure
) -> None:
    for i in range(5):
        log.append("anna", "192.0.2.7", "login", {"i": i})
    log.close()
    tamper(tmp_path, statement)
    assert verify(tmp_path).wrong[:1] == wrong
    record_measure("7 ways to edit, each named by its entry", row="S13")


@pytest.mark.fault("S13")
def test_an_end_cut_off_or_a_chain_made_anew_shows_against_a_hash_noted_before(
    log: Audit, tmp_path: Path
) -> None:
    for _ in range(5):
        log.append("anna", "192.0.2.7", "login")
    noted = (5, verify(tmp_path).head)
    log.close()
    tamper(tmp_path, "DELETE FROM entries WHERE number > 3")
    assert verify(tmp_path).is_whole  # nothing in the file can know
    assert verify(tmp_path, noted).wrong == (5,)
    for _ in range(2):
        log.append("bo", "192.0.2.7", "login")
    assert verify(tmp_path, noted).wrong == (5,)


@pytest.mark.fault("S13")
def test_the_database_itself_refuses_to_change_or_drop_an_entry(log: Audit, tmp_path: Path) -> None:
    log.append("anna", "192.0.2.7", "login")
    connection = sqlite3.connect(tmp_path / AUDIT)
    for statement in ("UPDATE entries SET who = ''", "DELETE FROM entries"):
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(statement)
    connection.close()


@pytest.mark.fault("S13")
def test_line_ends_and_escapes_in_what_is_told_make_no_second_entry(log: Audit, tmp_path: Path) -> None:
    hostile = 'x\r\n2026-11-29 login anna\x1b[2J\u2028","what":"login'
    log.append(hostile, hostile, "login.refused", {"user": hostile})
    (entry,) = entries(tmp_path)
    line = orjson.dumps(entry.as_dict())
    assert b"\n" not in line
    assert b"\r" not in line
    assert b"\x1b" not in line
    assert orjson.loads(line)["about"]["user"] == hostile
    assert verify(tmp_path).is_whole


@pytest.fixture
def _tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days are a tenth as many, or these tests would wait for the disk."""
    assert KEPT_DAYS >= 400 > LEAST_DAYS >= 184
    monkeypatch.setattr("gateway.security.audit.KEPT_DAYS", KEPT_DAYS // 10)
    monkeypatch.setattr("gateway.security.audit.LEAST_DAYS", LEAST_DAYS // 10)


def days(log: Audit, clock: FakeClock, count: int) -> None:
    """Somebody signs in on each of so many days."""
    for _ in range(count):
        clock.wall += DAY_NS
        log.append("anna", "192.0.2.7", "login")


@pytest.mark.usefixtures("_tenth")
@pytest.mark.fault("S13")
def test_entries_go_after_four_hundred_days_and_the_chain_tells_it(
    log: Audit, clock: FakeClock, tmp_path: Path
) -> None:
    days(log, clock, 41)
    assert len(list(entries(tmp_path))) == 41
    days(log, clock, 2)
    kept = list(entries(tmp_path))
    assert [each.what for each in kept].count("audit.shortened") == 2
    assert {each.at // DAY_NS for each in kept} == {clock.wall // DAY_NS - i for i in range(41)}
    assert verify(tmp_path).is_whole
    assert kept[0].number == 3
    log.close()
    tamper(tmp_path, "DELETE FROM entries WHERE number = 3")
    assert verify(tmp_path).wrong == (4,)


@pytest.mark.usefixtures("_tenth")
@pytest.mark.fault("C1")
@pytest.mark.fault("S13")
def test_a_clock_set_far_ahead_takes_no_entry_away_however_long_it_stays_there(
    log: Audit, clock: FakeClock, tmp_path: Path, record_measure
) -> None:
    days(log, clock, 20)
    then = clock.wall
    clock.wall += 80 * 365 * DAY_NS  # 2106
    days(log, clock, 15)
    log.close()
    again = Audit(tmp_path, clock)
    days(again, clock, 1)
    clock.wall = then
    days(again, clock, 1)
    clock.wall += 80 * 365 * DAY_NS
    days(again, clock, 1)
    again.close()
    kept = list(entries(tmp_path))
    assert [each.number for each in kept] == list(range(1, 39))
    assert verify(tmp_path).is_whole
    record_measure(
        "3 clock steps of 80 years, 15 days there, 40 days kept: 0 of 38 audit entries gone", row="C1"
    )


@pytest.mark.usefixtures("_tenth")
@pytest.mark.fault("S13")
def test_a_chain_that_says_it_was_shortened_too_early_is_not_whole(
    log: Audit, clock: FakeClock, tmp_path: Path
) -> None:
    days(log, clock, 20)  # of which 10 are behind the cut, 18 are six months
    cut = list(entries(tmp_path))[9]
    clock.wall += 400 * DAY_NS
    log.append("", "", "audit.shortened", {"up_to": cut.number, "hash": cut.hash.hex()})
    log.close()
    assert cut.number == 10
    tamper(tmp_path, "DELETE FROM entries WHERE number <= 10")
    assert verify(tmp_path).wrong == (cut.number + 1,)


def test_two_that_write_at_once_make_one_chain(clock: FakeClock, tmp_path: Path) -> None:
    page, command = Audit(tmp_path, clock), Audit(tmp_path, clock)
    for _ in range(3):
        page.append("anna", "192.0.2.7", "login")
        command.append("cli:root", "console", "user.added")
    assert verify(tmp_path).is_whole
    assert [each.number for each in entries(tmp_path)] == [1, 2, 3, 4, 5, 6]
    page.close()
    command.close()
