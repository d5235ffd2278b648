"""Golden bytes: what was asked, what came back, which rows it means. A bug is fixed by a file more."""

import json
from pathlib import Path

import numpy as np
import pytest

from config.connections import ModbusDevice
from connectors import SystemClock
from connectors.line.dialogue import Terms
from connectors.line.statistics import Statistics
from connectors.modbus.decode import Decoder
from connectors.modbus.layout import compile_layout
from connectors.modbus.mbap import Transactions
from connectors.modbus.plan import plan_requests, values_of
from connectors.modbus.poll import Poll
from connectors.quality import BAD

CASES = sorted((Path(__file__).parents[2] / "cases" / "modbus").glob("*.json"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_bytes_of_a_real_exchange_mean_these_rows(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    device = ModbusDevice.model_validate(case["device"])
    values = values_of(device)
    poll = Poll(device.unit_id, plan_requests(device, values))
    transactions = Transactions(SystemClock(), Statistics())
    slots = list(range(len(poll.requests)))
    sent = transactions.begin(poll, slots, [0] * len(slots), Terms(1, 10**9, 2), Statistics())
    for asked, answered in case["exchange"]:
        assert sent.hex(" ").upper() == asked
        sent = transactions.receive(bytes.fromhex(answered))
    assert transactions.done
    decoder = Decoder(compile_layout(poll.requests), np.arange(len(values), dtype=np.int32))
    found = {
        values[tag].name: [None if quality >= BAD else value, quality]
        for part in decoder.columns(transactions.answers())
        for tag, value, quality in zip(part.tag, part.value.tolist(), part.quality.tolist(), strict=True)
    }
    assert found == case["rows"]


def test_there_are_cases() -> None:
    assert len(CASES) >= 7
