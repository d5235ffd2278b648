import os
import threading

import pytest

from gateway.security.throttle import (
    ANYBODYS,
    LOCK_NS,
    OF_A_PLACE,
    PER_MINUTE,
    SECOND_NS,
    may_try,
    network,
    was_right,
)
from tests.conftest import FakeClock
from tests.unit.security.conftest import Home

TRIES = max(200, round(1000 * float(os.environ.get("WL_SCALE", "0.1"))))


def test_every_failure_doubles_the_wait_and_the_fifth_closes_for_a_quarter_of_an_hour(
    home: Home, clock: FakeClock
) -> None:
    waits = []
    for _ in range(5):
        assert may_try(home, "anna", "192.0.2.7") == 0
        waits.append(may_try(home, "anna", "192.0.2.7") / SECOND_NS)
        clock.move(waits[-1])
    assert waits == [1, 2, 4, 8, LOCK_NS / SECOND_NS]
    assert may_try(home, "anna", "192.0.2.7") == 0
    assert may_try(home, "anna", "192.0.2.7") == LOCK_NS


def test_the_right_password_takes_its_failures_back(home: Home, clock: FakeClock) -> None:
    for _ in range(3):
        assert may_try(home, "anna", "192.0.2.7") == 0
        clock.move(10)
    with home.writing() as connection:
        was_right(connection, "anna", "192.0.2.7", home.now())
    assert may_try(home, "anna", "192.0.2.7") == 0
    assert may_try(home, "anna", "192.0.2.7") == SECOND_NS


@pytest.mark.fault("S1")
def test_a_thousand_tries_are_ten_comparisons_a_minute_whatever_is_varied(
    home: Home, clock: FakeClock, record_measure
) -> None:
    for kind in ("one name", "many names", "many addresses", "many of both"):
        clock.move(3600)
        compared = 0
        for i in range(TRIES):
            name = f"user{i}" if kind in ("many names", "many of both") else "anna"
            address = (
                f"192.0.{i // 250}.{i % 250}" if kind in ("many addresses", "many of both") else "192.0.2.7"
            )
            compared += may_try(home, name, address) == 0
            clock.move(60 / TRIES)
        assert compared <= PER_MINUTE, kind
    record_measure(f"{TRIES} tries in a minute, four ways: at most {PER_MINUTE} comparisons", row="S1")


@pytest.mark.fault("C1")
@pytest.mark.fault("S1")
def test_a_clock_that_was_set_back_opens_no_lock_and_makes_none_longer(
    home: Home, clock: FakeClock, record_measure
) -> None:
    for _ in range(5):
        clock.move(10)
        assert may_try(home, "anna", "192.0.2.7") == 0
    for back in (1, 80 * 365 * 86_400):
        clock.wall -= back * SECOND_NS
        assert may_try(home, "anna", "192.0.2.7") == LOCK_NS
    clock.move(LOCK_NS / SECOND_NS)
    assert may_try(home, "anna", "192.0.2.7") == 0
    record_measure(
        "a locked name, the clock set back by 1 s and 80 years: locked for 15 min, no longer", row="S1"
    )


@pytest.mark.fault("S1")
def test_others_from_many_addresses_keep_nobody_out_who_was_there_before(
    home: Home, clock: FakeClock
) -> None:
    with home.writing() as connection:
        was_right(connection, "anna", "192.0.2.7", home.now())
    for i in range(200):
        may_try(home, "anna", f"198.51.100.{i}")
        may_try(home, f"user{i}", f"203.0.113.{i}")
    assert may_try(home, "anna", "198.51.100.250") > 0
    assert may_try(home, "bo", "192.0.2.7") > 0
    assert may_try(home, "anna", "192.0.2.7") == 0
    clock.move(31 * 86_400)
    for i in range(200):
        may_try(home, "anna", f"198.51.100.{i}")
    assert may_try(home, "anna", "192.0.2.7") > 0


@pytest.mark.fault("S1")
def test_who_guesses_from_behind_known_addresses_makes_no_more_comparisons_and_leaves_others_theirs(
    home: Home,
) -> None:
    people = [(f"user{i}", "192.0.2.7") for i in range(20)] + [("anna", "192.0.2.8")]
    with home.writing() as connection:
        for name, address in people:
            was_right(connection, name, address, home.now())
    for i in range(200):
        may_try(home, f"nobody{i}", f"198.51.100.{i}")
    compared = sum(may_try(home, *who) == 0 for who in people[:-1])
    assert compared == OF_A_PLACE
    assert may_try(home, "anna", "192.0.2.8") == 0
    assert ANYBODYS + compared + 1 <= PER_MINUTE


@pytest.mark.fault("S1")
def test_a_few_addresses_keep_a_newcomer_out_for_minutes_and_not_for_good(
    home: Home, clock: FakeClock, record_measure
) -> None:
    waited = 0
    for second in range(3600):
        for i in range(ANYBODYS):
            may_try(home, f"user{second}-{i}", f"198.51.100.{(second + i) % 5}")
        if may_try(home, f"new{second}", "203.0.113.9") == 0:
            break
        waited += 1
        clock.move(1)
    assert waited < 20 * 60
    record_measure(
        f"5 addresses guess without a pause: from a new address a try is free after {waited / 60:.0f} min",
        row="S1",
    )


@pytest.mark.fault("S1")
def test_a_hundred_tries_at_the_same_moment_are_one(home: Home) -> None:
    got: list[int] = []
    threads = [
        threading.Thread(target=lambda: got.append(may_try(home, "anna", "192.0.2.7"))) for _ in range(20)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(got)[:2] == [0, SECOND_NS]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("console", "console"),
    ],
)
def test_an_asker_with_many_addresses_is_one(address: str, expected: str) -> None:
    assert network(address) == expected
