"""The energy section: meters that come by themselves, expressions, identifiers, shifts."""

from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.energy import EnergyOptions, media
from config.energy_expression import linear
from config.energy_identifiers import check_digit, split
from config.energy_meters import QUANTA, by_themselves, meters
from config.energy_times import to_ns
from config.expression import DEEPEST, LONGEST, NotAnExpression
from config.load import load_plant, read_plant_bytes
from config.problems import catalogue
from config.units import find_unit
from config.vocabulary import tag_names

PLANTS = Path(__file__).parents[3] / "config" / "data" / "plants"


def test_the_demo_plant_has_meters_without_a_word_about_energy() -> None:
    found = meters(load_plant(PLANTS / "demo.yaml").model_copy(update={"energy": EnergyOptions()}))
    assert {"grid", "grid.export", "press_meter", "oven_meter", "offices", "solar.generation"} <= set(found)
    assert found["grid"].node == "demo_factory/utilities/supply/grid"
    assert found["solar.generation"].medium.name == "electricity_generation"
    assert all(each.quantum * QUANTA == Fraction(each.resolution) for each in found.values())


def test_a_float_register_reads_to_what_a_float_can_tell() -> None:
    found = meters(load_plant(PLANTS / "demo.yaml"))
    assert found["grid"].is_single
    assert not found["press_meter"].is_single
    assert found["press_meter"].rollover == 2**32 * QUANTA


def test_one_counter_of_a_device_stands_for_a_medium() -> None:
    plant = load_plant(PLANTS / "demo.yaml")
    devices = [(source.device, medium.name) for source, medium in by_themselves(plant).values()]
    assert len(devices) == len(set(devices))


def test_the_table_of_media_is_whole() -> None:
    names = tag_names()
    for medium in media().values():
        assert medium.unit.quantity in medium.quantities
        assert medium.maximum > 0
        assert medium.zh
        assert medium.en
        assert find_unit(medium.unit.code) == medium.unit
        for name in medium.names:
            assert name not in names or (names[name].is_counter and names[name].quantity in medium.quantities)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("grid + solar - grid.export", {"grid": 1, "solar": 1, "grid.export": -1}),
        ("0.5 * (boiler_1 + boiler_2)", {"boiler_1": Fraction(1, 2), "boiler_2": Fraction(1, 2)}),
        ('"press-1" / 4', {"press-1": Fraction(1, 4)}),
        ("-(a - b) * 2", {"a": -2, "b": 2}),
        ("a - a + b", {"b": 1}),
        ("总表 - 一号线", {"总表": 1, "一号线": -1}),
        ("2 * 3 * a / 4", {"a": Fraction(3, 2)}),
    ],
)
def test_an_expression_is_a_sum_of_meters(text: str, expected: dict[str, Fraction]) -> None:
    assert linear(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "a +", "a b", "a * b", "a / b", "a / 0", "1 + 2", "a + 1", "(a", "a)", "a ** 2", "a;b",
     "__import__('os')", "a" * (LONGEST + 1), "(" * (DEEPEST + 2) + "a" + ")" * (DEEPEST + 2),
     "-" * 900 + "a", "9999999999999999 * a", "a.b()", "min(a, b)", "a > b", "not a"],
)  # fmt: skip
def test_what_is_no_sum_of_meters_is_refused(text: str) -> None:
    with pytest.raises(NotAnExpression) as refused:
        linear(text)
    assert refused.value.key in catalogue()


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab1.5+-*/() \"'", max_size=60))
def test_any_text_is_read_or_refused_and_means_what_it_says(text: str) -> None:
    try:
        found = linear(text)
    except NotAnExpression:
        return
    # Python agrees, at two points of the line.
    for values in ({"a": Fraction(3), "b": Fraction(7)}, {"a": Fraction(-2), "b": Fraction(5, 3)}):
        if set(found) <= set(values) and '"' not in text and "1" not in text and "5" not in text:
            direct = eval(text.strip(), {"__builtins__": {}}, values)  # noqa: S307  a test's own alphabet
            assert direct == sum(times * values[name] for name, times in found.items())


@pytest.mark.parametrize(
    ("digits", "check"),
    [("690123456789", "2"), ("400638133393", "1"), ("9638507", "4"), ("10614141234567890", "8")],
)
def test_check_digits_are_those_of_gs1(digits: str, check: str) -> None:
    assert check_digit(digits) == check


def test_an_identifier_names_its_scheme() -> None:
    assert split("88.608.6688/oven-1") == ("handle", "88.608.6688/oven-1")
    assert split("oid:1.2.156.3") == ("oid", "1.2.156.3")
    assert split("gs1:6901234567892") == ("gs1", "6901234567892")
    assert split("free:A-17") == ("free", "A-17")


def test_plant_times_are_the_plants_own() -> None:
    assert to_ns("2026-03-01", ZoneInfo("Asia/Shanghai")) == 1_772_294_400 * 10**9
    assert to_ns("2026-03-01T08:30", ZoneInfo("UTC")) == 1_772_353_800 * 10**9


def test_identifiers_of_site_assets_meters_and_products_are_checked_alike(tmp_path: Path) -> None:
    """Each place takes all four schemes and refuses a wrong check digit by its line."""
    devices = "{m: {tags: {e_import: {shape: counter, unit: kWh}}}}"
    plant = f"gateway: {{id: g, site: s}}\nsources: {{a: {{kind: simulated, devices: {devices}}}}}\nenergy:\n"
    places = {
        "energy.identifiers.site": "  identifiers: {site: %s}\n",
        "energy.identifiers.assets.hall/press": "  identifiers: {assets: {hall/press: %s}}\n",
        "energy.identifiers.products.bracket": "  identifiers: {products: {bracket: %s}}\n",
        "energy.meters.m.identifier": "  meters: {m: {identifier: %s}}\n",
    }
    for path, text in places.items():
        for right in ("88.608.6688/A-1", "oid:1.2.156.3", "gs1:6901234567892", "free:A-17"):
            outcome = read_plant_bytes((plant + text % right).encode(), "plant.yaml", tmp_path)
            assert outcome.plant is not None, outcome.problems
        for wrong, code in (("gs1:6901234567893", "E-CF-1315"), ("88.608/A 1", "E-CF-1314")):
            outcome = read_plant_bytes((plant + text % wrong).encode(), "plant.yaml", tmp_path)
            assert [(each.code, each.path) for each in outcome.problems] == [(code, path)]


def test_a_devices_export_measures_where_its_import_does() -> None:
    found = meters(load_plant(PLANTS / "demo.yaml"))
    assert found["grid"].node == found["grid.export"].node == found["grid.reactive"].node == "demo_factory"
    assert found["press_meter.export"].node == found["press_meter"].node
    assert found["press_meter.export"].parent is None, (
        "the meter it hangs behind counts nothing that goes out"
    )
