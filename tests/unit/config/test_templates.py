"""Device templates: one vocabulary, facts as fields, ratios where figures are secondary, doubts told."""

import textwrap
from pathlib import Path

import pytest

from config.library import Library
from config.load import read_plant_bytes
from config.plant import Plant
from config.vocabulary import page, tag_names
from tests.processes import ROOT

HEAD = "gateway: {id: g1, site: cz}\nsources:\n  m:\n    kind: modbus_tcp\n    host: h\n    devices:\n"


def load(devices: str, folder: Path = Path()) -> tuple[Plant | None, list[str]]:
    outcome = read_plant_bytes((HEAD + devices).encode(), "plant.yaml", folder)
    return outcome.plant, [problem.code for problem in outcome.problems]


TEMPLATES = [pytest.param(Library().read(name).template, id=name) for name in Library().names()]


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_names_of_shipped_templates_are_of_the_vocabulary_and_mean_what_it_says(template) -> None:
    for name, tag in template.tags.items():
        known = tag_names()[name]
        assert tag.unit.quantity == known.quantity, name
        assert tag.counter == known.is_counter, name
        assert (tag.class_ == "energy") == known.is_counter, name


def test_the_vocabulary_has_no_name_that_no_template_uses() -> None:
    used = {name for each in Library().names() for name in Library().read(each).template.tags}
    unused = set(tag_names()) - used
    assert unused == set()


def test_the_reference_of_tag_names_is_what_the_table_says() -> None:
    file = ROOT / "docs" / "reference" / "tag-names.md"
    assert file.read_text(encoding="utf-8") == page(), "run `make docs`"


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_shipped_template_says_where_its_numbers_come_from(template) -> None:
    assert template.source
    assert template.category != "other"
    if len(template.source) == 1 and template.confidence == "high":
        assert "cites" in template.source[0]


def test_what_a_program_decides_by_is_a_field() -> None:
    library = Library()
    assert library.read("chint/dtsu666").template.side == "secondary"
    assert library.read("acrel/adl400").template.side == "primary"
    assert library.read("huawei/sun2000").template.sign == "export_positive"
    assert library.read("schneider/pm5xxx").template.refresh == 5_000_000_000
    assert library.read("sungrow/sg").template.tags["p"].order == "CDAB"
    serial = library.read("chint/dtsu666h_huawei").template.serial
    assert (serial.baud, serial.parity, serial.stop_bits, serial.unit_id) == (9600, "none", 1, 11)
    assert not library.read("acrel/adw300").template.serial.confirmed
    absent = {tag.type: tag.not_available for tag in library.read("abb/b_series").template.tags.values()}
    assert absent == {
        "int16": 0x7FFF,
        "uint16": 0xFFFF,
        "int32": 0x7FFFFFFF,
        "uint32": 0xFFFFFFFF,
        "uint64": 0xFFFFFFFFFFFFFFFF,
    }


def test_secondary_figures_become_primary_by_what_they_measure() -> None:
    plant, codes = load(
        "      m1: {template: chint/dtsu666, ct: 40, pt: 100, tags: {x: {address: 0, unit: A}}}\n"
    )
    assert codes == []
    tags = plant.sources["m"].devices["m1"].tags
    plain = Library().read("chint/dtsu666").template.tags
    times = {name: tags[name].scale / plain[name].scale for name in plain}
    wanted = {"i_l1": 40, "u_l1": 100, "p": 4000, "q": 4000, "e_import": 4000, "pf": 1, "f": 1}
    assert {name: times[name] for name in wanted} == pytest.approx(wanted)
    assert tags["x"].scale == 1  # written here, so as it is written


def test_secondary_figures_are_not_taken_for_primary_ones_in_silence() -> None:
    assert load("      m1: {template: chint/dtsu666}\n")[1] == ["W-CF-1002"]
    plant, codes = load("      m1: {template: chint/dtsu666, ct: 1}\n")
    assert codes == []
    assert plant.sources["m"].devices["m1"].tags == Library().read("chint/dtsu666").template.tags


def test_primary_figures_are_not_multiplied_again() -> None:
    assert load("      m1: {template: acrel/adl400, ct: 40}\n") == (None, ["E-CF-1003"])


def test_ratios_need_a_template() -> None:
    assert load("      m1: {ct: 40, tags: {x: {address: 0}}}\n") == (None, ["E-CF-1004"])


def test_a_template_serves_a_serial_line_as_well() -> None:
    serial = HEAD.replace("modbus_tcp", "modbus_serial").replace("host: h", "port: /dev/ttyUSB0")
    text = serial + "      meter_{1..30}: {template: chint/dtsu666, ct: 40}\n"
    outcome = read_plant_bytes(text.encode(), "plant.yaml", Path())
    assert outcome.problems == ()
    devices = outcome.plant.sources["m"].devices
    assert [device.unit_id for device in devices.values()] == list(range(1, 31))
    assert devices["meter_30"].tags["i_l1"].scale == pytest.approx(0.04)


def test_a_doubt_about_a_template_is_told_once() -> None:
    two = "      m{1..3}: {template: socomec/diris_b30}\n      n: {unit_id: 9, template: socomec/diris_b30}\n"
    assert load(two)[1] == ["W-CF-1001"]


def test_the_template_shown_in_the_how_to_is_one(tmp_path: Path) -> None:
    how_to = (ROOT / "docs" / "how-to" / "add-a-meter.md").read_text("utf-8")
    shown = textwrap.dedent(
        how_to[how_to.index("    maker: Mine") : how_to.index("`wanglian devices mine/x1")]
    )
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x1.yaml").write_text(shown, "utf-8")
    reading = Library(tmp_path).read("mine/x1")
    assert reading.problems == ()
    assert reading.template.tags["u_l1"].table == "input"


def test_every_quantity_is_either_multiplied_by_the_ratios_or_known_not_to_be() -> None:
    from config.reading.expand import _THROUGH_BOTH

    known = {"current", "voltage", "one", "frequency", "temperature", *_THROUGH_BOTH}
    assert {each.quantity for each in tag_names().values()} == known
