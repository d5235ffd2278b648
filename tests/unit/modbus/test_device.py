"""A device that lacks addresses: its plan is cut until it answers, and hardly further than it must be."""

import random
from itertools import pairwise

import pytest

from config.connections import ModbusDevice
from connectors.modbus.decode import Answers
from connectors.modbus.device import Device, planned
from connectors.modbus.plan import Request, Value
from connectors.quality import BAD_CONFIGURATION_ERROR, GOOD
from tests.unit.modbus.test_plan import layout, limit_of, optimum

SCANS = 60
Missing = set[tuple[str, int]]


def holes_of(values: list[Value], chance: random.Random) -> Missing:
    """Return up to two addresses a table between its values, which the device does not have."""
    found: Missing = set()
    for table in sorted({value.tag.table for value in values}):
        mine = [value for value in values if value.tag.table == table]
        used = {address for value in mine for address in range(value.address, value.end)}
        holes = sorted(set(range(min(used), max(used))) - used)
        found |= {(table, chance.choice(holes)) for _ in range(chance.choice([0, 1, 2])) if holes}
    return found


def is_refused(request: Request, missing: Missing) -> bool:
    return any((request.table, request.address + i) in missing for i in range(request.count))


def learned(options: ModbusDevice, missing: Missing) -> tuple[Request, ...]:
    """Return the plan once the device refuses none of it."""
    device = Device("m", planned(options))
    for _ in range(SCANS):
        requests = device.poll.requests
        status = [BAD_CONFIGURATION_ERROR if is_refused(each, missing) else GOOD for each in requests]
        if set(status) == {GOOD}:
            return requests
        slots, _ = device.asked(0)
        assert device.learn(slots, Answers([b""] * len(status), status, [0] * len(status))) == []
    raise AssertionError("still refused")


@pytest.mark.fault("D6")
def test_d6_around_the_addresses_a_device_lacks_hardly_more_is_asked_than_must_be(record_measure) -> None:
    """The optimum knows them beforehand: no request may read over one."""
    chance = random.Random(3)
    asked = least = 0
    for _ in range(200):
        options = layout(chance)
        values = Device("m", planned(options))._values
        missing = holes_of(values, chance)
        plan = learned(options, missing)
        best = 0
        for table in {request.table for request in plan}:
            mine = sorted((v.address, v.end) for v in values if v.tag.table == table)
            limit = limit_of(options, next(each for each in plan if each.table == table))
            walls = [address for name, address in missing if name == table]
            cuts = [0, *sorted({sum(end <= wall for _, end in mine) for wall in walls}), len(mine)]
            pieces = [mine[a:b] for a, b in pairwise(cuts)]
            best += sum(optimum(piece, limit, options.max_gap) for piece in pieces if piece)
        assert len(plan) <= max(1.3 * best, best + 1)
        asked, least = asked + len(plan), least + best
    assert asked <= 1.02 * least
    record_measure(f"200 layouts with holes refused: {asked} requests, {least} would do")
