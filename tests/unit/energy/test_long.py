"""A year asked for in hours has its last hour: lengths in nanoseconds outgrow what a float can count."""

from pathlib import Path

import numpy as np

from gateway.energy.periods import HOUR_NS
from tests.unit.energy.lab import Lab, plant_of


def test_the_last_hour_of_a_year_is_there(tmp_path: Path) -> None:
    lab = Lab(tmp_path, plant_of({}, scan="15min"))
    first, last = lab.at("2025-01-01"), lab.at("2026-01-01")
    times = first + 6 * HOUR_NS * np.arange(1_461)
    lab.book(lab.delivery("m", times, np.arange(len(times)) * 12.0))
    year = lab.query.energy("m", "60min", first, last)
    assert len(year.figures) == 8_760
    assert {year.amount(each) for each in year.figures} == {2}
    assert year.amount(year.total) == 8_760 * 2
    pieces = lab.query.pieces("m", first, last)
    assert (len(pieces.start), pieces.known.all()) == (35_040, True)
