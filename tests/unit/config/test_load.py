"""Reading whole plants: templates, ranges, references, warnings, speed, and any bytes at all."""

import os
import time
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from config.library import Library
from config.load import Outcome, load_plant, read_plant, read_plant_bytes
from config.plant import Plant
from config.problems import ConfigurationError
from config.units import find_unit

PLANTS = Path(str(resources.files("config") / "data" / "plants"))
HEAD = "gateway: {id: g1, site: cz}\n"
MODBUS = "sources:\n  meters:\n    kind: modbus_tcp\n    host: 10.0.0.5\n    devices:\n"


def load(text: str, folder: Path = Path()) -> tuple[Plant | None, list[str]]:
    outcome = read_plant_bytes(text.encode(), "plant.yaml", folder)
    return outcome.plant, [problem.code for problem in outcome.problems]


def plant_of(text: str, folder: Path = Path()) -> Plant:
    plant, codes = load(text, folder)
    assert codes == []
    return plant


@pytest.mark.parametrize("name", ["quickstart", "demo"])
def test_shipped_plants_have_no_mistake_and_no_warning(name: Any) -> None:
    outcome = read_plant(PLANTS / f"{name}.yaml")
    assert outcome.problems == ()
    assert isinstance(outcome.plant, Plant)


def test_the_quickstart_is_fifteen_lines() -> None:
    assert len((PLANTS / "quickstart.yaml").read_text("utf-8").splitlines()) <= 15


def test_a_plant_with_errors_raises_all_of_them(tmp_path: Path) -> None:
    file = tmp_path / "plant.yaml"
    file.write_text(HEAD + MODBUS + "      m1: {unit_id: 300, tags: {u: {adress: 0}}}\n")
    with pytest.raises(ConfigurationError) as caught:
        load_plant(file, language="zh")
    assert [problem.code for problem in caught.value.problems] == ["E-CF-0113", "E-CF-0101", "E-CF-0102"]
    assert str(caught.value).count("\n") == 2
    assert "大于最大值" in str(caught.value)


def test_a_missing_file_and_a_folder_are_problems_too(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "none.yaml", "E-CF-0001"), (tmp_path, "E-CF-0002")):
        with pytest.raises(ConfigurationError) as caught:
            load_plant(path)
        assert [problem.code for problem in caught.value.problems] == [code]


def test_a_template_brings_its_tags_and_the_device_adds_and_replaces() -> None:
    plant = plant_of(
        HEAD
        + MODBUS
        + "      m1:\n        template: eastron/sdm630\n        tags:\n"
        + "          u_l1: {address: 500, type: uint16}\n          extra: {address: 600}\n"
    )
    tags = plant.sources["meters"].devices["m1"].tags
    assert len(tags) == 38 + 1
    assert (tags["u_l1"].address, tags["u_l1"].table) == (500, "holding")
    assert (tags["u_l2"].address, tags["u_l2"].table, tags["u_l2"].type) == (2, "input", "float32")
    assert tags["e_import"].counter


def test_a_range_of_meters_takes_ten_lines() -> None:
    text = (
        HEAD + MODBUS + "      meter_{001..100}: {unit_id: 1, template: eastron/sdm120, at: hall/feeders}\n"
    )
    assert len(text.splitlines()) <= 10
    devices = plant_of(text).sources["meters"].devices
    assert list(devices)[:2] == ["meter_001", "meter_002"]
    assert list(devices)[-1] == "meter_100"
    assert [device.unit_id for device in devices.values()] == list(range(1, 101))
    assert all(device.tags is devices["meter_001"].tags for device in devices.values())


def test_ranges_stand_in_the_order_of_the_file() -> None:
    text = HEAD + MODBUS + (
        "      a: {unit_id: 50, template: eastron/sdm120}\n"
        "      b{8..10}x: {unit_id: 1, template: eastron/sdm120}\n"
        "      c: {unit_id: 51, template: eastron/sdm120}\n"
    )  # fmt: skip
    assert list(plant_of(text).sources["meters"].devices) == ["a", "b8x", "b9x", "b10x", "c"]


def test_a_range_that_meets_another_unit_id_is_told_at_the_later_device() -> None:
    text = HEAD + MODBUS + (
        "      a_{1..5}: {unit_id: 1, template: eastron/sdm120}\n"
        "      b: {unit_id: 4, template: eastron/sdm120}\n"
    )  # fmt: skip
    assert load(text)[1] == ["E-CF-0501"]


@pytest.mark.parametrize(
    ("kind", "device", "addresses"),
    [
        ("dlt645", "address: '000000000098', template: single_phase", ["000000000098", "000000000099"]),
        ("cjt188", "address: '78330000000009', tags: {x: {}}", ["78330000000009", "78330000000010"]),
    ],
)
def test_the_addresses_of_a_range_of_meters_count_up(kind: str, device: str, addresses: list[str]) -> None:
    head = f"{HEAD}sources:\n  line:\n    kind: {kind}\n    port: /dev/ttyS9\n    devices:\n"
    devices = plant_of(f"{head}      m_{{1..2}}: {{{device}}}\n").sources["line"].devices
    assert {name: each.address for name, each in devices.items()} == dict(
        zip(("m_1", "m_2"), addresses, strict=True)
    )


@pytest.mark.parametrize(
    ("kind", "written", "said"),
    [
        ("dlt645", "{address: 12345678, template: single_phase}", "the twelve digits on the meter's label"),
        ("cjt188", "{tags: {x: {}}}", "the meter's fourteen digits in quotes"),
        ("dlt645", "{address: '12345678', template: single_phase}", "the twelve digits on the meter's label"),
        ("cjt188", "{address: '110022334455', tags: {x: {}}}", "the meter's fourteen digits in quotes"),
    ],
)
def test_a_wrong_address_of_a_meter_is_told_in_the_meters_words(kind: str, written: str, said: str) -> None:
    text = f"{HEAD}sources: {{line: {{kind: {kind}, port: /dev/ttyS9, devices: {{m: {written}}}}}}}\n"
    (problem,) = read_plant_bytes(text.encode(), "plant.yaml", Path()).problems
    assert said in problem.message("en")
    assert "65535" not in problem.message("en")


def test_simulated_devices_have_ranges_too() -> None:
    text = HEAD + "sources: {machines: {kind: simulated, devices: {'press_{1..2}': {tags: {x: {}}}}}}\n"
    devices = plant_of(text).sources["machines"].devices
    assert list(devices) == ["press_1", "press_2"]


TEMPLATE = """maker: Mine
model: X1
title: {zh: 我的, en: mine}
kind: modbus
source: [measured on 2026-11-23]
confidence: high
device: {scan: 5s, max_registers: 40, max_gap: 0}
tag: {table: input, order: CDAB}
tags:
  p: {address: 10, type: float32, unit: kW}
  s: {table: holding, address: 0}
"""


def test_the_users_own_library_comes_first_and_its_defaults_hold(tmp_path: Path) -> None:
    (tmp_path / "lib" / "eastron").mkdir(parents=True)
    (tmp_path / "lib" / "eastron" / "sdm120.yaml").write_text(TEMPLATE, "utf-8")
    head = "gateway: {id: g1, site: cz, library: lib}\n"
    text = head + MODBUS + "      m1: {template: eastron/sdm120, scan: 2s}\n"
    device = plant_of(text, tmp_path).sources["meters"].devices["m1"]
    assert (device.scan, device.max_registers, device.max_gap) == (2_000_000_000, 40, 0)
    assert [(tag.table, tag.order) for tag in device.tags.values()] == [
        ("input", "CDAB"),
        ("holding", "CDAB"),
    ]


def test_a_mistake_in_a_users_template_is_told_in_the_template(tmp_path: Path) -> None:
    (tmp_path / "lib" / "mine").mkdir(parents=True)
    file = tmp_path / "lib" / "mine" / "x1.yaml"
    file.write_text(TEMPLATE.replace("unit: kW", "unit: KW, scale: 0, deliver_as: V"), "utf-8")
    head = "gateway: {id: g1, site: cz, library: lib}\n"
    text = head + MODBUS + "      m1: {template: mine/x1}\n      m2: {unit_id: 2, template: mine/x1}\n"
    outcome = read_plant_bytes(text.encode(), "plant.yaml", tmp_path)
    assert [(p.file, p.code, p.line, p.column) for p in outcome.problems] == [
        (str(file), "E-CF-0123", 10, 41)
    ]


def test_a_template_with_meaningless_options_or_no_yaml_is_told_in_the_template(tmp_path: Path) -> None:
    (tmp_path / "lib" / "mine").mkdir(parents=True)
    (tmp_path / "lib" / "mine" / "a.yaml").write_text(TEMPLATE.replace("CDAB", "XY"), "utf-8")
    (tmp_path / "lib" / "mine" / "b.yaml").write_text("maker: [\n", "utf-8")
    head = "gateway: {id: g1, site: cz, library: lib}\n"
    text = head + MODBUS + "      m1: {template: mine/a}\n      m2: {unit_id: 2, template: mine/b}\n"
    plant, codes = load(text, tmp_path)
    assert plant is None
    assert codes == ["E-CF-0504", "E-CF-0504", "E-CF-0010"]


def test_shipped_templates_are_sound_and_say_where_their_numbers_come_from() -> None:
    library = Library()
    assert {"acrel/adl400", "eastron/sdm120", "eastron/sdm630"} <= set(library.names())
    for name in library.names():
        reading = library.read(name)
        assert reading.problems == ()
        assert reading.template.source
        assert reading.template.confidence in ("high", "medium", "low")
    assert len(library.read("acrel/adl400").template.tags) == 31
    assert len(library.read("eastron/sdm120").template.tags) == 13


def test_references_fill_text_numbers_and_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WL_PORT", "8883")
    monkeypatch.setenv("WL_HOST", "broker")
    monkeypatch.setenv("WL_REQUIRED", "false")
    (tmp_path / "token").write_text("hunter2\n")
    text = HEAD + MODBUS + "      m1: {tags: {u: {address: 0}}}\n" + (
        "sinks:\n  c:\n    kind: mqtt\n    host: ${env:WL_HOST}.example\n    port: ${env:WL_PORT}\n"
        "    required: ${env:WL_REQUIRED}\n    username: a$${env:WL_HOST}\n    password: ${file:token}\n"
        "    tls: {}\n"
    )  # fmt: skip
    sink = plant_of(text, tmp_path).sinks["c"]
    assert (sink.host, sink.port, sink.required) == ("broker.example", 8883, False)
    assert sink.username == "a${env:WL_HOST}"
    assert sink.password.get_secret_value() == "hunter2"
    assert type(sink.host) is str


def test_a_secret_file_must_be_small_text(tmp_path: Path) -> None:
    text = HEAD + MODBUS + "      m1: {tags: {u: {address: 0}}}\n" + (
        "sinks:\n  c: {kind: mqtt, host: h, username: u, tls: {}, password: '${file:token}'}\n"
    )  # fmt: skip
    (tmp_path / "token").write_bytes(b"x" * 1_100_000)
    assert load(text, tmp_path)[1] == ["E-CF-0204"]
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    assert load(text, tmp_path)[1] == ["E-CF-0205"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token")
    text = HEAD + MODBUS + "      m1: {tags: {u: {address: 0}}}\n" + (
        "sinks:\n  c: {kind: mqtt, host: h, username: u, tls: {}, password: '${file:token}'}\n"
    )  # fmt: skip
    assert load(text, tmp_path)[1] == ["E-CF-0203"]


def test_a_warning_does_not_keep_a_plant_from_running() -> None:
    text = HEAD + MODBUS + "      m1: {tags: {u: {address: 0}}}\n" + (
        "sinks:\n  c: {kind: mqtt, host: h, select: [{path: '**'}, {path: 'x/**'}]}\n"
    )  # fmt: skip
    plant, codes = load(text)
    assert plant is not None
    assert codes == ["W-CF-0705"]


def test_array_values_can_be_selected_by_number() -> None:
    text = HEAD + MODBUS + "      m1: {tags: {v: {address: 0, count: 500}}}\n" + (
        "sinks:\n  c: {kind: mqtt, host: h, select: [{path: '**/v_123'}, {path: '**/v_500'}]}\n"
    )  # fmt: skip
    assert load(text)[1] == ["W-CF-0703"]


def test_units_are_found_by_symbol_and_by_code() -> None:
    plant = plant_of(HEAD + MODBUS + "      m1: {tags: {u: {address: 0, unit: KWH, deliver_as: MJ}}}\n")
    tag = plant.sources["meters"].devices["m1"].tags["u"]
    assert (tag.unit, tag.deliver_as) == (find_unit("kWh"), find_unit("MJ"))


def timed(text: str, folder: Path) -> tuple[Outcome, float]:
    begin = time.process_time()
    outcome = read_plant_bytes(text.encode(), "plant.yaml", folder)
    assert outcome.plant is not None
    return outcome, time.process_time() - begin


def test_ten_times_the_devices_of_a_template_take_no_more_than_ten_times_the_time(tmp_path: Path) -> None:
    (tmp_path / "lib" / "mine").mkdir(parents=True)
    tags = "".join(f"  t{i}: {{address: {2 * i}, type: float32, unit: V}}\n" for i in range(1000))
    (tmp_path / "lib" / "mine" / "big.yaml").write_text(TEMPLATE.partition("  p:")[0] + tags, "utf-8")
    head = "gateway: {id: g1, site: cz, library: lib}\n"
    end = "sinks: {c: {kind: mqtt, host: h}}\n"

    def named(count: int) -> str:
        return "".join(f"      m{i}: {{unit_id: {i}, template: mine/big}}\n" for i in range(count))

    def spanned(count: int) -> str:
        return f"      m_{{1..{count}}}: {{template: mine/big}}\n"

    for written in (named, spanned):
        _, of_ten = timed(head + MODBUS + written(10) + end, tmp_path)
        outcome, of_hundred = timed(head + MODBUS + written(100) + end, tmp_path)
        assert sum(len(d.tags) for d in outcome.plant.sources["meters"].devices.values()) == 100_000
        assert of_hundred < 1.5 * 10 * of_ten


def test_arrays_are_not_spelled_out_here() -> None:
    def devices(count: int) -> str:
        return "".join(
            f"      m{i}: {{unit_id: {i}, tags: {{v: {{address: 0, type: float32, count: {count}}}}}}}\n"
            for i in range(100)
        )

    _, of_two = timed(HEAD + MODBUS + devices(2), Path())
    _, of_thousand = timed(HEAD + MODBUS + devices(1000), Path())
    assert of_thousand < 25 * of_two  # of 500 times the values


def test_a_file_of_two_megabytes_takes_no_more_than_ten_times_one_of_a_tenth() -> None:
    def written(count: int) -> str:
        tags = "".join(f"          v_{i}: {{address: {i}, type: float32, unit: V}}\n" for i in range(count))
        return HEAD + MODBUS + "      m1:\n        tags:\n" + tags

    assert 1_800_000 < len(written(33_000)) < 2_000_000
    _, of_a_tenth = timed(written(3_300), Path())
    _, of_all = timed(written(33_000), Path())
    assert of_all < 2 * 10 * of_a_tenth


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("kind: modbus_serial, port: COM3, stop_bits: 1.5", "Write one of: 1, 2."),
        ("kind: modbus_tcp, host: h, timeout: 100", "Did you mean 100ms, 100s?"),
        ("kind: opcua, endpoint: opc.tcp://h, security: {mode: signandencrypt}", "mean SignAndEncrypt?"),
        (
            "kind: modbus_tcp, host: h, devices: {m: {ct: 200/5}}",
            "Write the ratio as one number: 40 for 200/5",
        ),
        ("kind: dlt645, devices: {m: {tags: {x: {di: '9010'}}}}", "eight hexadecimal digits in quotes"),
        ("kind: mqtt, host: h, messages: [{time: {path: t, zone: CST}}]", "mean Asia/Shanghai?"),
        ("kind: mqtt, host: h, messages: [{time: {path: t, zone: UTC+8}}]", "mean Asia/Shanghai?"),
        ("kind: mqtt, host: h, messages: [{time: {path: t, zone: Asia/Beijing}}]", "mean Asia/Shanghai?"),
        ("kind: mqtt, host: h, messages: [{time: {path: t, zone: Asia/Shanghi}}]", "mean Asia/Shanghai?"),
        (
            "kind: opcua, endpoint: opc.tcp://h, security: None",
            "Write none, or e.g. {policy: Basic256Sha256}.",
        ),
    ],
)
def test_a_mistake_comes_with_what_to_write_instead(written: str, said: str) -> None:
    text = f"gateway: {{id: g, site: s}}\nsources: {{a: {{{written}}}}}\n"
    problems = read_plant_bytes(text.encode(), "plant.yaml", Path("/nowhere")).problems
    assert [said for problem in problems if said in problem.render("en")] == [said]
