"""The table on disk: occurrences, acknowledging, shelving, history, what was told."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.alarms.condition import Condition, Turn
from gateway.alarms.table import ALARMS, DAY_NS, KEPT_DAYS, Table, read
from gateway.alarms.words import line, sentence
from tests.fakes import T0

S = 1_000_000_000
HOT = Condition(
    "limit",
    "s/a/l/oven/t",
    holds=True,
    code="limit_high",
    facts={"value": 91.25, "bound": 90.0, "unit": " °C"},
)
DOWN = Condition(
    "link", "sink/cloud", holds=True, code="link_down", facts={"reason": "127.0.0.1:1 refused the connection"}
)


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    made = Table(tmp_path / ALARMS)
    made.open()
    yield made
    made.close()


def told(table: Table, after: int = 0) -> list[str]:
    return [f"{each.what}{' quietly' * each.quiet} {each.alarm.id}" for each in table.events(after, 100)]


def test_an_alarm_has_a_life_of_events_and_stays_in_the_history(table: Table, tmp_path: Path) -> None:
    table.write([Turn("began", HOT)], T0)
    table.write([Turn("raised", replace(HOT, severity="urgent"))], T0 + S)
    assert table.acknowledge(1, T0 + 2 * S, "bo", "seen") is not None
    table.acknowledge(1, T0 + 3 * S, "eve", "me too")
    table.write([Turn("cleared", HOT)], T0 + 4 * S)
    table.write([Turn("began", HOT), Turn("began", DOWN)], T0 + 5 * S)
    assert told(table) == ["began 1", "raised 1", "acknowledged 1", "cleared 1", "began 2", "began 3"]
    total, found = read(tmp_path / ALARMS)
    assert (total, [each.id for each in found]) == (3, [3, 2, 1])
    assert (found[2].who, found[2].note, found[2].cleared) == ("bo", "seen", T0 + 4 * S)
    assert read(tmp_path / ALARMS, "unacknowledged")[0] == 2
    assert read(tmp_path / ALARMS, "cleared", 0, 10)[1][0].severity == "urgent"
    assert table.acknowledge(99, T0, "bo", "") is None


def test_what_stands_is_known_after_a_restart_and_its_numbers_go_on(table: Table, tmp_path: Path) -> None:
    table.write([Turn("began", HOT), Turn("began", DOWN)], T0)
    table.write([Turn("cleared", DOWN)], T0 + S)
    table.close()
    again = Table(tmp_path / ALARMS)
    again.open()
    assert again.standing() == {HOT.key: HOT}
    assert (again.identity, again.newest()) == (table.identity, 3)
    again.close()


def test_one_that_becomes_worse_must_be_acknowledged_again(table: Table) -> None:
    table.write([Turn("began", HOT)], T0)
    table.acknowledge(1, T0, "bo", "")
    assert table.counts(T0)["unacknowledged"] == 0
    table.write([Turn("raised", replace(HOT, severity="urgent"))], T0 + S)
    assert table.counts(T0)["unacknowledged"] == 1


def test_a_shelved_subject_is_noted_and_not_told_until_its_time_is_up(table: Table) -> None:
    table.write([Turn("began", HOT)], T0)
    assert table.shelve(1, T0, "bo", "repair", until=T0 + 10 * S) is not None
    table.write([Turn("cleared", HOT)], T0 + S)
    table.write([Turn("began", HOT)], T0 + 2 * S)
    assert table.counts(T0 + 2 * S) == {"unacknowledged": 0}
    assert not table.has_shelves_to_end(T0 + 9 * S)
    assert table.has_shelves_to_end(T0 + 10 * S)
    table.write([], T0 + 10 * S)
    assert told(table)[1:] == ["shelved 1", "cleared quietly 1", "began quietly 2", "unshelved 2"]
    assert table.counts(T0 + 10 * S) == {"limit": 1, "unacknowledged": 1}
    table.shelve(2, T0 + 11 * S, "bo", "", until=T0 + 99 * S)
    table.shelve(2, T0 + 12 * S, "bo", "", until=T0 + 12 * S)
    assert told(table)[5:] == ["shelved 2", "unshelved 2"]


def days(table: Table, begin: int, count: int) -> None:
    """Something begins and ends on each of so many days."""
    for i in range(count):
        table.write([Turn("began", HOT)], begin + i * DAY_NS)
        table.write([Turn("cleared", HOT)], begin + i * DAY_NS + S)


def test_what_is_over_goes_after_four_hundred_days_and_what_stands_does_not(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert KEPT_DAYS == 400
    monkeypatch.setattr("gateway.alarms.table.KEPT_DAYS", 40)
    table.write([Turn("began", DOWN)], T0)
    days(table, T0, 40)
    assert read(tmp_path / ALARMS)[0] == 41
    days(table, T0 + 40 * DAY_NS, 3)
    total, found = read(tmp_path / ALARMS)
    assert (total, found[0].subject) == (41, "sink/cloud")
    assert (found[-1].id, told(table)[:2]) == (5, ["began 1", "began 5"])


@pytest.mark.fault("C1")
def test_a_clock_set_far_ahead_takes_no_alarm_away(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_measure
) -> None:
    monkeypatch.setattr("gateway.alarms.table.KEPT_DAYS", 45)
    days(table, T0, 20)
    days(table, T0 + 80 * 365 * DAY_NS, 20)
    days(table, T0 + 20 * DAY_NS, 1)
    assert read(tmp_path / ALARMS)[0] == 41
    record_measure("a clock step of 80 years, 20 days there: 0 of 41 alarms gone", row="C1")


def test_an_alarm_is_told_in_both_languages(table: Table) -> None:
    table.write([Turn("began", HOT), Turn("began", DOWN)], T0)
    hot, down = table.events(0, 10)
    assert sentence(hot.alarm, "zh") == "s/a/l/oven/t 高于 90 °C，现值 91.25 °C"
    assert sentence(hot.alarm, "en") == "s/a/l/oven/t is above 90 °C: 91.25 °C"
    assert sentence(down.alarm, "zh").startswith("上报 cloud 未连接：")
    assert line(hot, "zh", ZoneInfo("Asia/Shanghai")).startswith("【报警】s/a/l/oven/t")
