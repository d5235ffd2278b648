"""Devices with habits of their own, and the options that suit them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from config.connections import ModbusTcpSource
from connectors import NotConnected, Source, SystemClock, TagTable
from connectors.factory import build_source
from connectors.modbus import Modbus, TcpLine
from connectors.quality import BAD_CONFIGURATION_ERROR, BAD_TIMEOUT, GOOD
from gateway.lab.modbus.replies import FAULTS, Script, honest, needs_rest, without
from gateway.lab.modbus.tcp import TcpEquipment
from tests.faults.modbus.lab import assert_none_wrong, content, device, qualities


def source(equipment: TcpEquipment, options: dict[str, Any], habits: dict[str, Any]) -> Modbus:
    read = ModbusTcpSource.model_validate(
        {
            "kind": "modbus_tcp",
            "host": "127.0.0.1",
            "port": equipment.port,
            "timeout": "200ms",
            "devices": {"m": device(**{"registers": 8, **habits})},
            **options,
        }
    )
    return Modbus("line", read, TcpLine(read), site="s", tags=TagTable(), clock=SystemClock())


async def qualities_of_the_first_scan(
    script: Script, options: dict[str, Any], habits: dict[str, Any] | None = None
) -> set[int]:
    async with (
        asyncio.timeout(20),
        TcpEquipment(script) as equipment,
        source(equipment, options, habits or {}) as it,
    ):
        batch = await it.read()
        assert_none_wrong(batch)
        return set(qualities(batch))


async def test_a_device_that_is_deaf_at_first_is_asked_later() -> None:
    deaf = FAULTS["deaf_at_first"]("500ms")
    with pytest.raises(NotConnected, match="no device answers"):
        await qualities_of_the_first_scan(deaf, {})
    assert await qualities_of_the_first_scan(deaf, {"pause_after_connect": "600ms"}) == {GOOD}


async def test_a_device_that_needs_a_rest_behind_its_answer_has_it() -> None:
    assert BAD_TIMEOUT in await qualities_of_the_first_scan(needs_rest(0.1), {})
    assert await qualities_of_the_first_scan(needs_rest(0.1), {"pause": "150ms"}) == {GOOD}


async def test_the_rest_lies_between_two_scans_too() -> None:
    async with (
        asyncio.timeout(20),
        TcpEquipment(needs_rest(0.1)) as equipment,
        source(equipment, {"pause": "150ms"}, {"registers": 2}) as it,
    ):
        for _ in range(4):
            assert set(qualities(await it.read())) == {GOOD}


@pytest.mark.fault("D6")
async def test_d6_a_device_that_answers_for_one_value_only_is_asked_for_each_alone() -> None:
    tags = {f"v{n}": {"address": 2 * n, "type": "uint32"} for n in range(6)}
    habits = {"tags": tags, "max_registers": 125}
    async with TcpEquipment(FAULTS["at_most"](2)) as equipment:
        async with source(equipment, {}, habits) as it:
            assert BAD_CONFIGURATION_ERROR in qualities(await it.read())
        async with source(equipment, {}, {**habits, "one_request_per_value": True}) as it:
            asked = equipment.count
            assert set(qualities(await it.read())) == {GOOD}
            assert equipment.count - asked == len(tags)


@pytest.mark.fault("D6")
async def test_d6_what_a_device_refused_is_remembered_by_the_next_session(
    tmp_path: Path, record_measure
) -> None:
    """Until the plant file says something else of it."""
    tags = {"a": {"address": 0, "count": 5}, "b": {"address": 10, "count": 5}, "c": {"address": 16}}
    kept: dict[str, Any] = {}

    def session(equipment: TcpEquipment, **habits: Any) -> Source:
        options = source(equipment, {}, {"tags": tags, "max_registers": 125, **habits})._options
        told = {"gateway": "g", "site": "s", "directory": tmp_path, "kept": kept}
        return build_source("line", options, tags=TagTable(), clock=SystemClock(), **told)

    async def asked(equipment: TcpEquipment, **habits: Any) -> list[tuple[int, int]]:
        before = len(equipment.requests)
        async with session(equipment, **habits) as it:
            while qualities(await it.read()) != [GOOD] * 10 + [BAD_CONFIGURATION_ERROR]:
                pass
        return [(each.address, each.count) for each in equipment.requests[before:]]

    async with asyncio.timeout(20), TcpEquipment(without(7, 16)) as equipment:
        first = await asked(equipment)
        assert (0, 17) in first
        assert await asked(equipment) == [(0, 5), (10, 5), (16, 1)]
        assert await asked(equipment, max_gap=10) == first
    record_measure(f"a map with two holes: {len(first)} requests in the first session, 3 in the next")


async def test_a_scan_that_is_left_while_it_rests_spoils_nothing_of_the_next() -> None:
    async with (
        asyncio.timeout(20),
        TcpEquipment(honest) as equipment,
        source(equipment, {"pause": "100ms"}, {}) as it,
    ):
        for _ in range(3):
            asked = equipment.count
            reading = asyncio.create_task(it.read())
            while equipment.count == asked:
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait([reading])
        batch = await it.read()
        assert_none_wrong(batch)
        assert set(qualities(batch)) == {GOOD}


@pytest.mark.fault("D11")
async def test_d11_a_second_address_serves_while_the_first_is_away(
    caplog: pytest.LogCaptureFixture, record_measure
) -> None:
    async with asyncio.timeout(20), TcpEquipment(honest) as first, TcpEquipment(honest) as second:
        options = {"backup_host": "127.0.0.1", "backup_port": second.port}

        async def served_by(equipment: TcpEquipment) -> bool:
            before = equipment.count
            async with source(first, options, {}) as it:
                batch = await it.read()
                assert_none_wrong(batch)
                assert set(qualities(batch)) == {GOOD}
            return equipment.count > before

        assert await served_by(first)
        await first.cut()
        assert await served_by(second)
        assert "connected to the backup address" in caplog.text
        await first.mend()
        assert await served_by(first)
        await first.cut()
        await second.cut()
        with pytest.raises(NotConnected, match=rf"127\.0\.0\.1:{first.port} refused"):
            await source(first, options, {}).__aenter__()
    record_measure("the first address away: read at the second; both away: told")


@pytest.mark.fault("D11")
async def test_d11_a_device_with_one_connection_serves_two_who_hang_up(record_measure) -> None:
    """Each is connected for its scan only; who keeps the line shuts the other out."""

    async def scans(it: Modbus, wanted: int) -> int:
        """Return after so many good scans, entering again like the supervisor."""
        good = 0
        while good < wanted:
            try:
                async with it:
                    while good < wanted:
                        batch = await it.read()
                        assert_none_wrong(batch)
                        good += set(qualities(batch)) == {GOOD}
            except NotConnected:
                await asyncio.sleep(0.01)
        return good

    habits = {"scan": "100ms"}
    async with asyncio.timeout(30), TcpEquipment(honest, most_connections=1) as equipment:
        found = await asyncio.gather(
            *(scans(source(equipment, {"hang_up": True}, habits), 4) for _ in range(2))
        )
        assert found == [4, 4]
        assert equipment.connections >= 8
        async with source(equipment, {}, habits) as keeper:
            await keeper.read()
            with pytest.raises(NotConnected):
                async with source(equipment, {}, habits) as other:
                    await other.read()
    record_measure(
        "one connection, two who hang up: each has all its scans; who keeps the line shuts the other out"
    )


@pytest.mark.fault("D6")
async def test_d6_a_device_that_answers_coils_from_zero_only_is_asked_so() -> None:
    tags = {f"c{n}": {"table": "coil", "type": "bool", "address": n} for n in (3, 4, 40)}
    async with asyncio.timeout(20), TcpEquipment(FAULTS["from_zero_only"](None)) as equipment:
        async with source(equipment, {}, {"tags": tags}) as it:
            assert set(qualities(await it.read())) == {BAD_CONFIGURATION_ERROR}
        async with source(equipment, {}, {"tags": tags, "bits_from_zero": True}) as it:
            asked = equipment.count
            batch = await it.read()
            assert content(batch) == [(1.0, GOOD), (0.0, GOOD), (0.0, GOOD)]
            assert equipment.count - asked == 1
            assert (equipment.requests[-1].address, equipment.requests[-1].count) == (0, 41)


async def test_coils_from_zero_are_cut_from_zero_where_the_device_has_fewer() -> None:
    """The last bit is beyond the device: the others are asked for without it, still from 0 on."""
    tags = {f"c{n}": {"table": "coil", "type": "bool", "address": n} for n in (3, 6, 90)}
    async with asyncio.timeout(20), TcpEquipment(FAULTS["missing_address"](60)) as equipment:
        async with source(equipment, {}, {"tags": tags, "bits_from_zero": True}) as it:
            while qualities(await it.read()) != [GOOD, GOOD, BAD_CONFIGURATION_ERROR]:
                pass
        assert {request.address for request in equipment.requests} == {0}


@pytest.mark.parametrize(("characters", "text"), [("low", b"\0M\0E\0T"), ("high", b"M\0E\0T\0")])
async def test_a_text_with_one_character_a_register_is_read(characters: str, text: bytes) -> None:
    tags = {"name": {"address": 0, "type": "string", "length": 3, "characters": characters}}
    async with (
        TcpEquipment(honest, memory=lambda *_: text) as equipment,
        source(equipment, {}, {"tags": tags, "max_registers": 125}) as it,
    ):
        (part,) = (await it.read()).parts
        assert part.value.tolist() == ["MET"]
