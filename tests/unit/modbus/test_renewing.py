"""Devices that are changed while the connection stands: the others' scans go on, on the same connection."""

import asyncio
from collections import defaultdict
from typing import Any

from config.connections import ModbusTcpSource
from connectors import SystemClock, TagTable
from connectors.modbus import Modbus, TcpLine
from gateway.lab.modbus import replies as faults
from gateway.lab.modbus.tcp import TcpEquipment

SCAN_NS = 200_000_000


def options(port: int, devices: dict[str, Any]) -> ModbusTcpSource:
    told = {"kind": "modbus_tcp", "host": "127.0.0.1", "port": port, "timeout": "2s", "devices": devices}
    return ModbusTcpSource.model_validate(told)


def device(unit: int, count: int = 4, scan: str = "200ms") -> dict[str, Any]:
    tags = {"v": {"address": 0, "type": "uint16", "count": count}}
    return {"unit_id": unit, "scan": scan, "tags": tags}


async def read_until(
    source: Modbus, table: TagTable, seen: dict[str, list[int]], least: dict[str, int]
) -> None:
    async with asyncio.timeout(20):
        while any(len(seen[name]) < count for name, count in least.items()):
            part = (await source.read()).parts[0]
            seen[table[int(part.tag[0])].device.rpartition("/")[2]].append(int(part.time[0]))


async def test_devices_come_change_and_go_and_the_untouched_one_misses_no_scan() -> None:
    async with TcpEquipment(faults.honest) as equipment:
        table, seen = TagTable(), defaultdict[str, list[int]](list)
        first = options(equipment.port, {"a": device(1), "b": device(2)})
        made = Modbus("line", first, TcpLine(first), site="s", tags=table, clock=SystemClock())
        async with made as source:
            await read_until(source, table, seen, {"a": 3, "b": 3})
            requests = source.statistics()["requests"]
            for round_ in range(4):
                changed = {"a": device(1), "b": device(2, count=5 + round_), f"c{round_}": device(3)}
                assert source.renew(options(equipment.port, changed))
                await read_until(source, table, seen, {"a": len(seen["a"]) + 2, f"c{round_}": 1})
            assert {table[n].path for n in table.active().tolist()} == {
                f"s/-/-/{name}/v_{i}" for name, count in (("a", 4), ("b", 8), ("c3", 4)) for i in range(count)
            }
            assert source.statistics()["requests"] > requests  # of devices that went, too
            assert set(source.devices()) == {"a", "b", "c3"}
        slots = [each // SCAN_NS for each in seen["a"]]
        assert slots == list(range(slots[0], slots[0] + len(slots)))
        assert equipment.connections == 1


async def test_a_change_is_noticed_within_a_second_though_nothing_is_due_for_an_hour() -> None:
    async with TcpEquipment(faults.honest) as equipment:
        table, seen = TagTable(), defaultdict[str, list[int]](list)
        first = options(equipment.port, {"a": device(1, scan="1h")})
        made = Modbus("line", first, TcpLine(first), site="s", tags=table, clock=SystemClock())
        async with made as source:
            await read_until(source, table, seen, {"a": 1})
            reading = asyncio.create_task(read_until(source, table, seen, {"b": 2}))
            await asyncio.sleep(0)
            assert source.renew(options(equipment.port, {"a": device(1, scan="1h"), "b": device(2)}))
            await reading
        assert len(seen["a"]) == 1
