"""The daily record: what each day of the plant's zone moved, and that its sum holds."""

import json
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from connectors import NotConnected
from gateway.cli import app
from gateway.ledger import Account, Entry
from gateway.ledger.days import DAYS, DayBook, read_days
from gateway.supervise import Link
from tests.conftest import FakeClock

ZONE = ZoneInfo("Asia/Shanghai")
MIDDAY = int(datetime(2026, 11, 29, 12, tzinfo=ZONE).timestamp()) * 10**9
TODAY, TOMORROW = date(2026, 11, 29), date(2026, 11, 30)


def account(acquired: int, delivered: int, buffered: int, *, since: int = 5, lost: int = 0) -> Account:
    dropped = {"max_age": lost} if lost else {}
    entry = Entry("meters", acquired, delivered, buffered, 0, 0, dropped, 0)
    return Account("cloud", since, (entry,), buffered)


class Books:
    """What the store says."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock(MIDDAY)
        self.accounts: list[Account] = []
        self.path = folder / DAYS

    def day_book(self) -> DayBook:
        return DayBook(Link("days", "ledger", self.clock), self.path, ZONE, lambda: self.accounts, self.clock)


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


async def test_a_day_is_what_its_end_has_more_than_the_day_before(books: Books) -> None:
    book = books.day_book()
    books.accounts = [account(100, 60, 40)]
    await book.write()
    books.clock.move(11 * 3600)
    books.accounts = [account(150, 130, 10, lost=10)]
    await book.write()
    books.clock.move(3600)  # midnight: the last of the old day
    books.accounts = [account(160, 145, 5, lost=10)]
    await book.write()
    books.clock.move(3600)
    books.accounts = [account(200, 190, 0, lost=10)]
    await book.write()
    first, second = read_days(books.path, TODAY, TOMORROW)
    assert (first.day, second.day) == (TODAY, TOMORROW)
    assert (first.moved.acquired, first.moved.delivered, first.moved.dropped) == (160, 145, {"max_age": 10})
    assert (second.moved.acquired, second.moved.delivered, second.moved.buffered) == (40, 45, -5)
    assert second.moved.dropped == {}
    assert all(each.holds and each.moved.holds for each in (first, second))
    assert [each.moved for each in read_days(books.path, TOMORROW, TOMORROW)] == [second.moved]


async def test_books_that_began_anew_owe_nothing_to_those_before(books: Books) -> None:
    books.accounts = [account(100, 100, 0)]
    await books.day_book().write()
    books.clock.move(86_400)
    books.accounts = [account(7, 7, 0, since=9)]
    await books.day_book().write()
    assert [each.moved.acquired for each in read_days(books.path, TODAY, TOMORROW)] == [100, 7]


async def test_a_damaged_record_is_set_aside_and_begins_anew(books: Books) -> None:
    books.path.write_bytes(b"no database at all" * 300)
    books.accounts = [account(1, 1, 0)]
    await books.day_book().write()
    assert len(read_days(books.path, TODAY, TODAY)) == 1
    assert list(books.path.parent.glob("*.bad"))


async def test_a_disk_that_refuses_is_told_and_the_day_is_written_later(books: Books) -> None:
    book = books.day_book()
    books.accounts = [account(3, 3, 0)]
    books.path.mkdir()
    with pytest.raises(NotConnected, match="not written"):
        await book.write()
    books.path.rmdir()
    books.clock.move(86_400)
    await book.write()
    assert [each.day for each in read_days(books.path, TODAY, TOMORROW)] == [TODAY]


@pytest.mark.parametrize(("lang", "word"), [("zh", "账目相符"), ("en", "the books hold")])
async def test_the_command_prints_a_day_and_a_mark_behind_each_sum(
    books: Books, tmp_path: Path, lang: str, word: str
) -> None:
    plant = {"gateway": {"id": "g", "site": "cz", "data_dir": "."}, "sources": {}, "sinks": {}}
    plant["sources"] = {"sim": {"kind": "simulated", "devices": {"d": {"tags": {"x": {}}}}}}
    (tmp_path / "plant.yaml").write_text(json.dumps(plant))
    books.accounts = [account(150, 130, 10, lost=10)]
    await books.day_book().write()
    asked = ["ledger", str(tmp_path / "plant.yaml"), "--day", "2026-11-29", "--lang", lang]
    said = CliRunner().invoke(app, asked)
    assert said.exit_code == 0, said.output
    assert word in said.output
    assert "✓" in said.output
    assert "buffer.max_age" in said.output
    (line,) = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)
    assert (line["holds"], line["moved"]["acquired"], line["moved"]["dropped"]) == (
        True,
        150,
        {"max_age": 10},
    )
    assert CliRunner().invoke(app, [*asked[:2], "--day", "2026-11-01", "--lang", lang]).exit_code == 1


async def test_a_sum_that_does_not_hold_is_marked_and_ends_with_one(books: Books, tmp_path: Path) -> None:
    plant = {"gateway": {"id": "g", "site": "cz", "data_dir": "."}}
    plant["sources"] = {"sim": {"kind": "simulated", "devices": {"d": {"tags": {"x": {}}}}}}
    (tmp_path / "plant.yaml").write_text(json.dumps(plant))
    books.accounts = [account(150, 130, 10)]
    await books.day_book().write()
    said = CliRunner().invoke(
        app, ["ledger", str(tmp_path / "plant.yaml"), "--day", "2026-11-29", "--lang", "en"]
    )
    assert said.exit_code == 1
    assert "✗" in said.output
