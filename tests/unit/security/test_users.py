import pytest

from gateway.security import AccessRefused
from gateway.security.house import By
from gateway.security.sessions import of_session, open_session
from gateway.security.setup_code import VALID_NS, new_code
from gateway.security.users import add_user, set_enabled, set_password, set_role, set_up, users
from tests.conftest import FakeClock
from tests.unit.security.conftest import HERE, PASSWORD, Home

ROOT = By("cli:root", "console")


def refused(code: str) -> "pytest.RaisesExc[AccessRefused]":
    return pytest.raises(AccessRefused, check=lambda exc: exc.code == code)


def test_the_first_user_is_made_with_the_code_and_once(home: Home) -> None:
    assert not home.has_users()
    code = new_code(home)
    set_up(home, code.lower().replace("-", " "), "anna", PASSWORD, HERE)
    (anna,) = users(home)
    assert (anna.name, anna.role, anna.enabled, anna.must_change) == ("anna", "administrator", True, False)
    with refused("E-AC-0010"):
        set_up(home, code, "eve", PASSWORD, HERE)
    assert home.words() == ["setup.done"]


@pytest.mark.fault("S1")
def test_a_wrong_an_old_and_a_replaced_code_make_nobody(home: Home, clock: FakeClock) -> None:
    replaced = new_code(home)
    code = new_code(home)
    for wrong in ("", "AAAA-AAAA-AAAA-AAAA", replaced):
        with refused("E-AC-0011"):
            set_up(home, wrong, "eve", PASSWORD, HERE)
        clock.move(60)
    clock.move(VALID_NS / 1e9)
    with refused("E-AC-0011"):
        set_up(home, code, "anna", PASSWORD, HERE)
    assert not home.has_users()
    assert home.words() == ["setup.refused"] * 4


def test_a_weak_password_takes_no_try_of_the_code_and_tries_none(home: Home) -> None:
    code = new_code(home)
    for name, password in (("anna", "short"), ("anna", "aaaaaaaaaaaaaaaa"), ("a b", PASSWORD)) * 4:
        with pytest.raises(AccessRefused, check=lambda exc: exc.code < "E-AC-0005"):
            set_up(home, "AAAA-AAAA-AAAA-AAAA", name, password, HERE)
    with refused("E-AC-0011"):
        set_up(home, "AAAA-AAAA-AAAA-AAAA", "anna", PASSWORD, HERE)
    with refused("E-AC-0021"):
        set_up(home, code, "anna", PASSWORD, HERE)
    assert home.words() == ["setup.refused"]


def test_who_has_the_code_and_chose_a_weak_password_chooses_again_at_once(home: Home) -> None:
    code = new_code(home)
    for weak in ("short", "anna" * 4):
        with pytest.raises(AccessRefused, check=lambda exc: exc.code < "E-AC-0004"):
            set_up(home, code, "anna", weak, HERE)
    set_up(home, code, "anna", PASSWORD, HERE)
    assert [each.name for each in users(home)] == ["anna"]


def test_the_first_user_a_command_adds_is_an_administrator(home: Home) -> None:
    with refused("E-AC-0009"):
        add_user(home, "anna", "viewer", PASSWORD, ROOT)
    add_user(home, "anna", "administrator", PASSWORD, ROOT)
    with refused("E-AC-0005"):
        add_user(home, "anna", "viewer", PASSWORD, ROOT)
    assert [each.must_change for each in users(home)] == [True]


@pytest.mark.parametrize("name", ["", "-anna", "a b", "an\nna", "x" * 41, "../x", "a;b", "<b>"])
def test_a_name_that_would_be_mistaken_for_something_else_is_refused(home: Home, name: str) -> None:
    with refused("E-AC-0004"):
        add_user(home, name, "administrator", PASSWORD, ROOT)


def test_the_last_administrator_can_neither_be_shut_out_nor_made_something_else(home: Home) -> None:
    home.take("anna", "administrator")
    with refused("E-AC-0013"):
        set_enabled(home, "anna", ROOT, enabled=False)
    with refused("E-AC-0013"):
        set_role(home, "anna", "viewer", ROOT)
    home.take("bo", "administrator")
    set_enabled(home, "anna", ROOT, enabled=False)
    with refused("E-AC-0013"):
        set_role(home, "bo", "viewer", ROOT)


@pytest.mark.fault("S10")
def test_nobody_changes_their_own_role_or_shuts_themselves_out(home: Home) -> None:
    home.take("anna", "administrator")
    home.take("bo", "administrator")
    with refused("E-AC-0008"):
        set_role(home, "anna", "engineer", By("anna", "192.0.2.7"))
    with refused("E-AC-0008"):
        set_enabled(home, "anna", By("anna", "192.0.2.7"), enabled=False)
    with refused("E-AC-0008"):
        set_password(home, "anna", PASSWORD, By("anna", "192.0.2.7"))


def test_a_change_of_role_of_password_or_of_standing_ends_the_sessions(home: Home) -> None:
    home.take("anna", "administrator")
    home.take("eve", "viewer")
    for change in (
        lambda: set_role(home, "eve", "engineer", ROOT),
        lambda: set_password(home, "eve", PASSWORD, ROOT),
        lambda: set_enabled(home, "eve", ROOT, enabled=False),
    ):
        secret = open_session(home, "eve", HERE)
        assert of_session(home, secret)
        change()
        assert of_session(home, secret) is None
    assert [word for word in home.words() if word != "login"] == [
        "user.role",
        "user.password",
        "user.disabled",
    ]
