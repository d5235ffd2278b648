"""A line of meters on which everything of the lab's scenario goes wrong: no digit that is not a meter's."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors import Batch, NotConnected, TagTable
from gateway.lab.meters.line import MeterLine
from gateway.lab.meters.replies import FAULTS, scripted
from gateway.lab.meters.terminal import MeterTerminal
from gateway.lab.scenario import Fault, Scenario
from tests.faults.meters.lab import ENERGY, A, meters, source, wrong

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
TOLD = {"late_reply": "80ms", "delay": "10ms", "slow_bytes": "1ms", "restart": "80ms"}


@pytest.mark.fault("D2", "D3", "D4", "D5", "D6")
@pytest.mark.timeout(120)
async def test_of_everything_that_goes_wrong_on_a_line_no_digit_is_taken_for_a_reading(
    record_measure: Callable[..., None],
) -> None:
    # These end the line, and have tests of their own; an adapter that hears itself is no accident.
    names = [name for name in FAULTS if name not in {"echo", "cut"}]
    faults = [
        Fault(fault=name, value=TOLD.get(name), requests=range(2 + 3 * i, 3_000, 3 * len(names)))
        for i, name in enumerate(names)
    ]
    script = scripted(Scenario.of(faults, FAULTS))
    table = TagTable()
    scans = max(22, round(200 * SCALE))
    batches: list[Batch] = []
    async with (
        MeterLine("dlt645", meters(), script) as line,
        asyncio.timeout(110),
        source(line.port, table) as reading,
    ):
        for i in range(scans):
            batches.append(await reading.scan("ab"[i % 2]))
    values = [quality for batch in batches for quality in batch.parts[0].quality.tolist()]
    good = sum(not quality for quality in values)
    assert wrong(batches, table) == []
    assert line.count > 3 * len(names)
    assert len(values) // 4 < good < len(values)
    record_measure(f"DL/T 645, {len(faults)} faults: {good} of {len(values)} values good, 0 wrong", row="D3")


@pytest.mark.fault("D1")
async def test_a_meter_that_restarts_is_bad_meanwhile_and_the_other_on_its_line_is_not(
    record_measure: Callable[..., None],
) -> None:
    began_anew = Fault(fault="restart", value="600ms", unit=2, requests=range(5, 20))
    script = scripted(Scenario.of([began_anew], FAULTS))
    table = TagTable()
    seen: dict[str, list[bool]] = {"a": [], "b": []}
    async with (
        MeterLine("dlt645", meters(), script) as line,
        asyncio.timeout(20),
        source(line.port, table) as reading,
    ):
        while line.count < 20 or not seen["b"][-1]:
            for name, scans in seen.items():
                batch = await reading.scan(name)
                assert wrong([batch], table) == []
                scans.append(not any(batch.parts[0].quality.tolist()))
    assert all(seen["a"])
    away = seen["b"].index(False)
    assert all(seen["b"][:away])
    record_measure(f"DL/T 645: a meter restarts: {seen['b'].count(False)} of its scans bad, 0 of the other's")


@pytest.mark.fault("D5", "D11")
@pytest.mark.parametrize("over", ["tcp", "serial"])
async def test_a_line_that_is_cut_off_within_a_reply_tells_no_digit_and_is_read_again(
    over: str, tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    # From none to all bytes of the reply; every second request is answered in full.
    lengths = range(0, 25, 1 if SCALE >= 1 else 4)
    cuts = [Fault(fault="cut", value=sent, requests={2 + 2 * i}) for i, sent in enumerate(lengths)]
    line = MeterLine("dlt645", meters(), scripted(Scenario.of(cuts, FAULTS)))
    terminal = MeterTerminal(tmp_path / "tty", line)
    only = {"a": {"address": A, "scan": "20ms", "tags": {"e_import": {"di": ENERGY}}}}
    table, batches, ends = TagTable(), list[Batch](), 0
    async with asyncio.timeout(60), line if over == "tcp" else terminal:
        while line.count <= 2 * len(cuts):
            where = line.port if over == "tcp" else terminal.path
            try:
                async with source(where, table, devices=only) as reading:
                    while line.count <= 2 * len(cuts):
                        batches.append(await reading.scan("a"))
            except NotConnected:
                ends += 1
    good = sum(not batch.parts[0].quality.any() for batch in batches)
    assert wrong(batches, table) == []
    assert ends == len(cuts)
    assert good > len(cuts)
    record_measure(
        f"DL/T 645 over {over}: cut off {ends} times within a reply, {good} values, 0 wrong", row="D5"
    )
