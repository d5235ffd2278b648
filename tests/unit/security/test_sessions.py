import time

import pytest

from gateway.security import AccessRefused, Right
from gateway.security.audit import entries
from gateway.security.files import USERS
from gateway.security.rights import IDLE_NS, LONGEST_NS
from gateway.security.sessions import (
    MOST_SESSIONS,
    change_password,
    digest,
    end_session,
    of_session,
    open_session,
    proof,
    sessions_of,
    sign_in,
    sign_out,
    touch,
)
from tests.conftest import FakeClock
from tests.unit.security.conftest import HERE, PASSWORD, Home


@pytest.mark.fault("S1")
def test_the_right_password_opens_a_session_and_a_wrong_one_says_no_more_than_a_wrong_name(
    home: Home,
) -> None:
    home.take("anna", "engineer")
    who = of_session(home, sign_in(home, "anna", PASSWORD, HERE))
    assert who is not None
    assert (who.name, who.role) == ("anna", "engineer")
    said, took = [], []
    for name in ("anna", "nobody"):
        began = time.process_time()
        with pytest.raises(AccessRefused) as refused:
            sign_in(home, name, "wrong", HERE)
        took.append(time.process_time() - began)
        said.append((refused.value.code, refused.value.text("zh")))
    assert said[0] == said[1]
    assert took[1] > took[0] / 3
    assert home.words() == ["login", "login.refused", "login.refused"]


@pytest.mark.fault("S11")
def test_a_password_that_was_typed_as_the_name_is_not_in_the_audit_log(home: Home) -> None:
    home.take("anna", "engineer")
    for name in ("anna", PASSWORD):
        with pytest.raises(AccessRefused):
            sign_in(home, name, "wrong", HERE)
    assert [each.about for each in entries(home.directory)] == ['{"user":"anna"}', '{"user":"?"}']


@pytest.mark.fault("S2")
def test_signing_in_again_gives_another_secret_and_ends_the_session_before(home: Home) -> None:
    home.take("anna", "viewer")
    planted = open_session(home, "anna", HERE)
    fresh = sign_in(home, "anna", PASSWORD, HERE, before=planted)
    assert fresh != planted
    assert of_session(home, planted) is None
    assert of_session(home, fresh)


@pytest.mark.parametrize("role", ["viewer", "engineer", "administrator", "auditor"])
def test_a_session_ends_when_nobody_uses_it_and_ends_in_any_case(
    home: Home, clock: FakeClock, role: str
) -> None:
    home.take("anna", role)  # type: ignore[arg-type]
    idle, longest = IDLE_NS[role], LONGEST_NS[role]  # type: ignore[index]
    left = open_session(home, "anna", HERE)
    clock.move(idle / 1e9)
    assert of_session(home, left) is None
    used = open_session(home, "anna", HERE)
    began = clock.now()
    while clock.now() + idle // 2 < began + longest:
        clock.move(idle / 2e9)
        who = of_session(home, used)
        assert who
        touch(home, who)
    clock.move(idle / 2e9)
    assert of_session(home, used) is None


def test_a_clock_set_back_by_a_day_ends_sessions_instead_of_lengthening_them(
    home: Home, clock: FakeClock
) -> None:
    home.take("anna", "viewer")
    secret = open_session(home, "anna", HERE)
    clock.wall -= 86_400_000_000_000
    assert of_session(home, secret) is None


def test_what_lies_on_disk_opens_nothing(home: Home) -> None:
    home.take("anna", "viewer")
    secret = open_session(home, "anna", HERE)
    raw = b"".join(file.read_bytes() for file in home.directory.glob("users.sqlite*"))
    assert secret.encode() not in raw
    assert digest(secret) in raw
    assert of_session(home, digest(secret).hex()) is None
    assert proof(secret) not in {secret, digest(secret).hex()}
    assert (home.directory / USERS).exists()


def test_the_twenty_first_session_ends_the_one_longest_unused(home: Home, clock: FakeClock) -> None:
    home.take("anna", "viewer")
    secrets = []
    for _ in range(MOST_SESSIONS + 1):
        secrets.append(open_session(home, "anna", HERE))
        clock.move(1)
    assert of_session(home, secrets[0]) is None
    assert all(of_session(home, each) for each in secrets[1:])


def test_one_ends_ones_own_sessions_and_nobody_elses(home: Home) -> None:
    home.take("anna", "viewer")
    home.take("eve", "viewer")
    annas = open_session(home, "anna", HERE, agent="a phone")
    eve = of_session(home, open_session(home, "eve", HERE))
    who = of_session(home, annas)
    assert eve
    assert who
    (seen,) = sessions_of(home, who)
    assert (seen.agent, seen.address, seen.is_this) == ("a phone", HERE.address, True)
    with pytest.raises(AccessRefused):
        end_session(home, eve, seen.number, HERE)
    assert of_session(home, annas)
    sign_out(home, who, HERE)
    assert of_session(home, annas) is None


def test_a_password_another_one_set_lets_in_to_change_it_and_to_nothing_else(
    home: Home, clock: FakeClock
) -> None:
    home.take("anna", "administrator", must_change=True)
    secret = sign_in(home, "anna", PASSWORD, HERE)
    who = of_session(home, secret)
    assert who is not None
    assert (who.must_change, who.rights) == (True, {Right.ACCOUNT})
    with pytest.raises(AccessRefused) as refused:
        change_password(home, who, "wrong", "another mill eleven", HERE)
    assert refused.value.code == "E-AC-0023"
    clock.move(1)
    change_password(home, who, PASSWORD, "another mill eleven", HERE)
    assert of_session(home, secret) is None
    who = of_session(home, sign_in(home, "anna", "another mill eleven", HERE))
    assert who is not None
    assert Right.USERS in who.rights
