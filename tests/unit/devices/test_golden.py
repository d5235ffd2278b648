"""Every shipped template against golden registers: address, width, order, type, scale, unit, no value."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.connections import ModbusDevice
from config.library import Library
from connectors import Batch, SystemClock, TagTable
from connectors.describe import describe
from connectors.line.dialogue import Answers
from connectors.modbus.decode import Decoder
from connectors.modbus.layout import compile_layout, kind_of
from connectors.modbus.plan import plan_requests, values_of
from connectors.quality import BAD
from gateway.pipeline import ClockWatch, build_pipeline
from tests.unit.devices.struct_reader import meaning, read_case, registers

CASES = sorted((Path(__file__).parents[2] / "cases" / "devices").glob("*.yaml"))
NOISE = b"\xa5\x5a"
"""What registers of no tag hold: read by mistake it is no plausible value."""


def decoded(name: str, memory: dict[int, bytes]) -> dict[str, float | None]:
    """Return what our plan, layout, decoder and pipeline make of a device's registers; None is Bad."""
    template = Library().read(name).template
    device = ModbusDevice(**template.options(), tags=template.tags)
    values = values_of(device)
    requests = plan_requests(device, values)
    replies = [
        b"".join(memory.get(request.address + i, NOISE) for i in range(request.count)) for request in requests
    ]
    tags, clock = TagTable(), SystemClock()
    numbers = tags.announce(
        [describe("s", f"a/b/c/d/{each.name}", kind_of(each.tag), each.tag) for each in values]
    )
    decoder = Decoder(compile_layout(requests), numbers)
    now = clock.now()
    answers = Answers(replies, [0] * len(replies), [now] * len(replies))
    batch = build_pipeline(tags, ClockWatch(clock))(Batch(decoder.columns(answers), now))
    return {
        tags[number].name: None if quality >= BAD else value
        for part in batch.parts
        for number, value, quality in zip(
            part.tag.tolist(), part.value.tolist(), part.quality.tolist(), strict=True
        )
    }


def scans(case: dict[str, Any]) -> range:
    return range(len(next(iter(case["tags"].values()))["scans"]))


def test_every_shipped_template_has_a_case() -> None:
    assert [read_case(file)["device"] for file in CASES] == sorted(Library().names())
    assert len(CASES) == 16


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_the_golden_values_are_what_struct_alone_makes_of_the_registers(file: Path) -> None:
    case = read_case(file)
    for name, tag in case["tags"].items():
        for sent, value in tag["scans"]:
            if value is not None:
                assert math.isclose(meaning(case, tag, sent), value, rel_tol=1e-12), name


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_a_template_reads_the_golden_registers_as_these_values(file: Path) -> None:
    case = read_case(file)
    for scan in scans(case):
        found = decoded(case["device"], registers(case, scan))
        wanted = {name: tag["scans"][scan][1] for name, tag in case["tags"].items()}
        assert found.keys() == wanted.keys()
        for name, value in wanted.items():
            if value is None:
                assert found[name] is None, name
            else:
                assert found[name] == pytest.approx(value, rel=1e-12), name


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_a_template_asks_the_right_table_for_these_units(file: Path) -> None:
    case = read_case(file)
    template = Library().read(case["device"]).template
    table = {3: "holding", 4: "input"}[case["function"]]
    assert {tag.table for tag in template.tags.values()} == {table}
    units = {name: tag.unit.symbol for name, tag in template.tags.items()}
    assert units == {name: tag["unit"] for name, tag in case["tags"].items()}


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_the_cases_try_what_goes_wrong_first(file: Path) -> None:
    """A value below zero where the device has signed ones, and one it does not have where it can say so."""
    case = read_case(file)
    signed = [tag for tag in case["tags"].values() if tag["wire"] in (">f", ">h", ">i")]
    below = [value for tag in signed for _, value in tag["scans"] if value is not None and value < 0]
    only_totals = all("Wh" in tag["unit"] or "varh" in tag["unit"] for tag in signed)
    assert below or only_totals
    template = Library().read(case["device"]).template
    for name, tag in template.tags.items():
        can_say = tag.not_available is not None or tag.type in ("float32", "float64")
        assert can_say == any(value is None for _, value in case["tags"][name]["scans"]), name


def test_the_noise_between_the_tags_is_seen_when_an_address_is_wrong() -> None:
    case = read_case(CASES[0])
    moved = {address + 1: octets for address, octets in registers(case, 0).items()}
    found = decoded(case["device"], moved)
    wanted = {name: tag["scans"][0][1] for name, tag in case["tags"].items()}
    assert not any(found[name] == wanted[name] for name in wanted if not np.isclose(wanted[name], 0))
