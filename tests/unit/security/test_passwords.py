import pytest

from gateway.security import AccessRefused
from gateway.security.passwords import is_right, must_be_strong


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short-1A", "E-AC-0001"),
        ("x1A-" * 60, "E-AC-0001"),
        ("alllowercase", "E-AC-0002"),
        ("lower123456", "E-AC-0002"),
        ("Passw0rd-99", "E-AC-0003"),
        ("Admin-2026!", "E-AC-0003"),
        ("anna-Is-1here", "E-AC-0003"),
        ("aaaa1111AAAAaaaa", "E-AC-0003"),
    ],
)
def test_a_password_that_would_be_guessed_is_refused(password: str, code: str) -> None:
    with pytest.raises(AccessRefused) as refused:
        must_be_strong(password, "anna")
    assert refused.value.code == code


@pytest.mark.parametrize("password", ["rolling mill seven", "轧钢车间七号机组在运行，请勿合闸", "Kx9#wpQ2mf"])
def test_a_long_sentence_or_a_mixed_word_is_taken(password: str) -> None:
    must_be_strong(password, "anna")


def test_what_is_kept_tells_the_right_password_from_others_and_not_what_it_was(stored: str) -> None:
    assert is_right("rolling mill seven", stored)
    assert not is_right("rolling mill Seven", stored)
    assert "rolling" not in stored
