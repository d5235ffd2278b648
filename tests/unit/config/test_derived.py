"""Derived tags in the plant file: how names are found, units go together, and formulas are put in order."""

from fractions import Fraction
from pathlib import Path

import pytest

from config.expression import Apply, Name, Number, is_truth, parse, resolve
from config.formulas import formulas
from config.load import read_plant_bytes
from config.plant import Plant
from config.problems import Problem

SOURCES = b"""
gateway: {id: g, site: cz}
sources:
  line:
    kind: modbus_tcp
    host: 10.0.0.5
    devices:
      press_1: {at: shop/l1, scan: 2s, tags: &tags {
        power: {address: 0, type: float32, unit: kW},
        volts: {address: 2, type: float32, unit: V, count: 3},
        amps: {address: 8, type: float32, unit: A, deadband: 0.1, heartbeat: 1min},
        name: {address: 20, type: string, length: 4},
        on: {address: 30, type: bool, bit: 0}}}
      press-2: {unit_id: 2, at: shop/l2, scan: 10s, tags: {
        power: {address: 0, type: float32, unit: kW},
        watts: {address: 2, type: float32, unit: W}}}
""".replace(b"&tags ", b"")


def read(derived: str, sources: bytes = SOURCES) -> tuple[Plant | None, tuple[Problem, ...]]:
    outcome = read_plant_bytes(sources + derived.encode(), "plant.yaml", Path())
    return outcome.plant, outcome.problems


def plant_of(derived: str) -> Plant:
    plant, problems = read(derived)
    assert plant is not None, [problem.render("en") for problem in problems]
    return plant


def codes(derived: str, sources: bytes = SOURCES) -> list[str]:
    return [problem.code for problem in read(derived, sources)[1]]


def one(expression: str, rest: str = "unit: kW") -> str:
    return f"derived: {{total: {{tags: {{x: {{expression: '{expression}', {rest}}}}}}}}}"


def test_a_program_is_steps_in_the_order_of_their_doing() -> None:
    assert parse("a + 2 * b") == (
        *(Name("a"), Number(Fraction(2)), Name("b")),
        *(Apply("*", 2), Apply("+", 2)),
    )
    assert parse("-a ** 2")[-2:] == (Apply("**", 2), Apply("neg", 1))
    assert parse("not a > 1 and b or c")[-1] == Apply("or", 2)


def test_a_glob_becomes_the_arguments_it_stands_for() -> None:
    program = resolve(
        parse('sum("x/*", b) - 1'), lambda name: ["x/1", "x/2"] if name.is_glob else [name.text]
    )
    assert program[:4] == (Name("x/1"), Name("x/2"), Name("b"), Apply("sum", 3))


@pytest.mark.parametrize(
    ("text", "truth"),
    [("a > b", True), ("a + b", False), ("not a", True), ("if(a, b > 1, c > 2)", True),
     ("if(a > 1, b, c > 2)", False), ("(a > b) + 1", False)],
)  # fmt: skip
def test_what_is_true_or_false_is_told_from_numbers(text: str, truth: bool) -> None:
    assert is_truth(parse(text)) == truth


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("press_1.power", ["cz/shop/l1/press_1/power"]),
        ('"press-2.power"', ["cz/shop/l2/press-2/power"]),
        ('"cz/shop/l2/press-2/power"', ["cz/shop/l2/press-2/power"]),
        ('sum("cz/shop/**/power")', ["cz/shop/l1/press_1/power", "cz/shop/l2/press-2/power"]),
        ("press_1.on * press_1.power / press_1.volts_2", ["on", "power", "volts_2"]),
    ],
)
def test_a_name_is_device_and_tag_or_the_whole_path(written: str, meant: list[str]) -> None:
    found = formulas(plant_of(one(written)))
    full = [each if "/" in each else f"cz/shop/l1/press_1/{each}" for each in meant]
    assert [each.path for each in found[0].inputs] == full


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("press_1.pwer", "E-CF-1702"),
        ('"cz/shop/l1/press_1/pwer"', "E-CF-1702"),
        ("press_1.name + 1", "E-CF-1704"),
        ('max("cz/shop/l1/press_1/*")', "E-CF-1704"),
        ('sum("cz/**/nothing")', "E-CF-1705"),
        ('"cz/**/power" + 1', "E-CF-1701"),
        ("total.x + press_1.power", "E-CF-1706"),
        ("1 + 2", "E-CF-1709"),
    ],
)
def test_a_name_that_leads_nowhere_is_told(written: str, code: str) -> None:
    assert codes(one(written)) == [code]


def test_two_devices_of_one_name_ask_for_the_whole_path() -> None:
    again = SOURCES + b"      press_3: {unit_id: 3, at: a/b, tags: {p: {address: 0}}}\n"
    again += b"  more: {kind: simulated, devices: {press_1: {at: c/d, tags: {power: {unit: kW}}}}}\n"
    assert codes(one("press_1.power"), again) == ["E-CF-1703"]
    assert codes(one('"cz/c/d/press_1/power"'), again) == []


@pytest.mark.parametrize(
    ("written", "rest", "code"),
    [
        ('press_1.power + "press-2.watts"', "unit: kW", "E-CF-1707"),
        ('press_1.power > "press-2.watts"', "unit: 1", "E-CF-1707"),
        ('max(press_1.power, "press-2.power")', "unit: W", "E-CF-1708"),
        ('press_1.power + "press-2.power"', "unit: W", "E-CF-1708"),
        ("press_1.power + press_1.amps", "unit: kW", "E-CF-1707"),
        ('press_1.power + "press-2.watts" / 1000', "unit: kW", None),
        ("press_1.volts_0 * press_1.amps / 1000", "unit: kW", None),
        ('press_1.power / "press-2.power" * 100', 'unit: "%"', None),
        ('press_1.power / "press-2.power"', "unit: kW", "E-CF-1708"),
        ("if(press_1.on, press_1.power, 0)", "unit: kW", None),
        ("press_1.power + 5", "unit: kW, deliver_as: W", None),
        ("press_1.power > 5", "unit: 1", None),
        ("press_1.power > 5", "deadband: 1", "E-CF-0607"),
    ],
)
def test_units_that_do_not_go_together_are_told(written: str, rest: str, code: str | None) -> None:
    rest = rest.replace("unit: 1", 'unit: "1"')
    assert codes(one(written, rest)) == ([] if code is None else [code])


def test_a_ring_is_told_at_each_of_its_tags() -> None:
    ring = "derived: {t: {tags: {a: {expression: t.b + 1}, b: {expression: t.c}, c: {expression: t.a}}}}"
    assert codes(ring) == ["E-CF-1706"] * 3


def test_formulas_come_behind_those_they_use() -> None:
    made = """
derived:
  t: {tags: {a: {expression: t.b * 2}, b: {expression: t.c - 1}, c: {expression: 2 * press_1.power}}}
"""
    assert [each.name for each in formulas(plant_of(made))] == ["c", "b", "a"]


def test_how_old_an_input_may_be_follows_from_its_rhythm() -> None:
    inputs = formulas(plant_of(one('press_1.power + "press-2.power" + 0 * press_1.amps + press_1.on')))
    patience = {each.path.rpartition("/")[2]: each.patience for each in inputs[0].inputs}
    assert patience == {"power": 30 * 10**9, "amps": 180 * 10**9, "on": 10 * 10**9}


def test_a_derived_device_may_not_take_the_place_of_another() -> None:
    assert codes("derived: {press_1: {at: shop/l1, tags: {x: {expression: press_1.power, unit: kW}}}}") == [
        "E-CF-0404"
    ]


def test_a_derived_counter_is_no_meter_by_itself() -> None:
    from config.energy_meters import meters

    plant = plant_of(
        "derived: {all: {tags: {e_import: {expression: press_1.amps * 1, unit: kWh, counter: true}}}}\n"
        "energy: {meters: {all: {tag: cz/-/-/all/e_import}}}"
    )
    assert list(meters(plant)) == ["all"]
    without = plant.model_copy(update={"energy": plant.energy.model_copy(update={"meters": {}})})
    assert meters(without) == {}
