import pytest

from gateway.security import AccessRefused, Right
from gateway.security.house import By
from gateway.security.tokens import add_token, note_use, of_token, remove_token, tokens
from tests.conftest import FakeClock
from tests.unit.security.conftest import Home

ANNA = By("anna", "192.0.2.7")


def test_a_token_stands_for_what_it_was_made_for_until_it_is_over(home: Home, clock: FakeClock) -> None:
    secret = add_token(home, "historian", ["stream", "read"], ANNA, days=30)
    who = of_token(home, secret)
    assert who is not None
    assert (who.name, who.role, who.rights) == ("token:historian", "token", {Right.STREAM, Right.READ})
    note_use(home, who)
    (known,) = tokens(home)
    assert (known.made_by, known.used) == ("anna", clock.now())
    raw = b"".join(file.read_bytes() for file in home.directory.iterdir())
    assert secret.encode() not in raw
    clock.move(30 * 86_400)
    assert of_token(home, secret) is None


def test_a_token_that_is_removed_is_worth_nothing_at_once(home: Home) -> None:
    secret = add_token(home, "historian", ["read"], ANNA)
    remove_token(home, "historian", ANNA)
    assert of_token(home, secret) is None
    assert home.words() == ["token.added", "token.removed"]
    with pytest.raises(AccessRefused):
        remove_token(home, "historian", ANNA)


@pytest.mark.fault("S10")
@pytest.mark.parametrize(
    ("name", "scopes", "days", "code"),
    [
        ("a b", ["read"], 1, "E-AC-0030"),
        ("x", [], 1, "E-AC-0031"),
        ("x", ["users"], 1, "E-AC-0031"),
        ("x", ["read", "audit"], 1, "E-AC-0031"),
        ("x", ["account"], 1, "E-AC-0031"),
        ("x", ["read"], 0, "E-AC-0032"),
        ("x", ["read"], 10**6, "E-AC-0032"),
    ],
)
def test_a_token_keeps_no_users_and_lasts_no_lifetime(
    home: Home, name: str, scopes: list[str], days: int, code: str
) -> None:
    with pytest.raises(AccessRefused) as refused:
        add_token(home, name, scopes, ANNA, days)
    assert refused.value.code == code
