"""The table of units: real codes, unambiguous names, conversions that are true."""

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.units import all_units, conversion, find_unit

UNITS = all_units()
PAIRS = [(a, b) for a in UNITS for b in UNITS if a.quantity == b.quantity]


def test_the_table_is_full_and_each_name_means_one_unit() -> None:
    assert len(UNITS) >= 150
    import csv
    from importlib import resources

    text = (resources.files("config") / "data" / "units" / "units.csv").read_text("utf-8")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    names = Counter(name for row in rows for name in {row["code"], row["symbol"], *row["also"].split()})
    assert [name for name, times in names.items() if times > 1] == []
    assert len({row["code"] for row in rows}) == len(rows) == len(UNITS)


def test_every_factor_is_a_finite_positive_number() -> None:
    assert all(unit.factor > 0 and math.isfinite(unit.factor) for unit in UNITS)


@given(st.sampled_from(PAIRS), st.floats(-1e9, 1e9))
def test_converting_there_and_back_returns_the_value(pair: Any, value: Any) -> None:
    there, back = conversion(*pair), conversion(*reversed(pair))
    result = (value * there[0] + there[1]) * back[0] + back[1]
    assert result == pytest.approx(value, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(
    ("value", "source", "target", "result"),
    [
        (1, "kWh", "MJ", 3.6),
        (1000, "Wh", "kWh", 1),
        (1, "GJ", "kWh", 277.7777777777778),
        (1, "kcal", "kJ", 4.1868),
        (100, "°C", "K", 373.15),
        (212, "°F", "°C", 100),
        (-40, "°F", "℃", -40),
        (1, "MPa", "bar", 10),
        (1, "bar", "psi", 14.503773773),
        (1, "atm", "Torr", 760),
        (1, "kgf/cm²", "kPa", 98.0665),
        (3.6, "m³/h", "L/s", 1),
        (60, "L/min", "m3/h", 3.6),
        (1, "t/h", "kg/min", 16.6666666667),
        (3000, "rpm", "r/s", 50),
        (36, "km/h", "m/s", 10),
        (1, "h", "s", 3600),
        (50, "%", "1", 0.5),
        (1, "‰", "ppm", 1000),
        (180, "°", "rad", math.pi),
        (1, "kN·m", "Nm", 1000),
        (1, "g/cm³", "kg/m3", 1000),
        (1, "gal", "L", 3.785411784),
        (1000, "µS/cm", "mS/cm", 1),
        (1, "Ah", "C", 3600),
        (1, "Mvarh", "kvarh", 1000),
        (1, "lb", "g", 453.59237),
    ],
)
def test_known_conversions(value: Any, source: str, target: str, result: float) -> None:
    scale, offset = conversion(find_unit(source), find_unit(target))
    assert value * scale + offset == pytest.approx(result, rel=1e-9)


@pytest.mark.parametrize(
    ("symbol", "code"),
    [
        ("kWh", "KWH"), ("V", "VLT"), ("A", "AMP"), ("kvarh", "K3"), ("kVA", "KVA"), ("var", "D44"),
        ("m³/h", "MQH"), ("°C", "CEL"), ("bar", "BAR"), ("Hz", "HTZ"), ("%", "P1"), ("1", "C62"),
    ],
)  # fmt: skip
def test_known_codes(symbol: str, code: str) -> None:
    assert find_unit(symbol) is find_unit(code)
    assert find_unit(symbol).code == code


def test_active_reactive_and_apparent_do_not_convert() -> None:
    with pytest.raises(ValueError, match="kvarh"):
        conversion(find_unit("kWh"), find_unit("kvarh"))


def test_case_counts() -> None:
    assert find_unit("mW") is not find_unit("MW")
    assert find_unit("KW") is None
