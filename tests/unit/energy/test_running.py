"""The running quarter of an hour of a place is the sum of what its meters tell, or nothing."""

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.energy.accounts.demand import Forecast
from gateway.energy.running import MOST_TERMS, running


class Books:
    """Tells of meters what it was given."""

    def __init__(self, *told: tuple[Forecast | None, int]) -> None:
        self.told = {f"m{i}": forecast for i, (forecast, _) in enumerate(told)}
        self.terms = tuple(
            (SimpleNamespace(name=f"m{i}"), Fraction(times)) for i, (_, times) in enumerate(told)
        )

    def made(self, subject: str, medium: str) -> Any:
        assert (subject, medium) == ("s", "electricity")
        return SimpleNamespace(terms=self.terms)

    def running(self, name: str) -> Forecast | None:
        return self.told[name]


def forecast(kw: int, first: int = 0, at: int = 300) -> Forecast:
    return Forecast(first, at, Fraction(kw, 12), Fraction(kw), Fraction(kw))


def test_a_place_is_the_sum_of_its_terms_as_old_as_the_oldest() -> None:
    found = running(Books((forecast(90), 1), (forecast(30, at=280), -1)), "s")  # type: ignore[arg-type]
    assert found == Forecast(0, 280, Fraction(5), Fraction(60), Fraction(60))


@pytest.mark.parametrize(
    "told",
    [
        [],
        [(forecast(90), 1), (None, 1)],
        [(forecast(90), 1), (forecast(30, first=900), 1)],
        [(forecast(1), 1)] * (MOST_TERMS + 1),
    ],
    ids=["of nothing", "one is silent", "of two quarters", "too many to judge each"],
)
def test_where_a_part_is_not_told_neither_is_the_whole(told: list[Any]) -> None:
    assert running(Books(*told), "s") is None  # type: ignore[arg-type]
