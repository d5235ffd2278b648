"""Against the `dlt645` package's server: another's reading of the same standard."""

import asyncio

from dlt645.aio import AsyncMeterServerService

from config.connections import Dlt645Source
from config.dlt645_identifiers import identifiers, template
from connectors import SystemClock, TagTable
from connectors import dlt645 as spoken
from connectors.dlt645 import Dlt645
from tests.processes import free_port

HELD = {
    0x00010000: 123456.78, 0x00020000: 0.5, 0x02010100: 220.1, 0x02010200: 221.2, 0x02010300: 222.3,
    0x02020100: 1.234, 0x02030000: 5.4321, 0x02060000: 0.987, 0x02800002: 50.01,
}  # fmt: skip
ADDRESS = "123456789012"


async def test_every_value_is_what_the_server_holds() -> None:
    port = free_port()
    server = AsyncMeterServerService.new_tcp_server("127.0.0.1", port)
    assert server.set_address(bytes.fromhex(ADDRESS)[::-1]) or server.set_address(ADDRESS)
    for di, value in HELD.items():
        set_value = server.set_00 if di < 0x02000000 else server.set_02
        assert set_value(di, value)
    async with server, asyncio.timeout(20):
        options = Dlt645Source.model_validate(
            {
                "kind": "dlt645",
                "host": "127.0.0.1",
                "tcp_port": port,
                "timeout": "500ms",
                "devices": {"m": {"address": ADDRESS, "template": "three_phase"}},
            }
        )
        tags = TagTable()
        source = Dlt645("line", options, spoken.line(options), site="s", tags=tags, clock=SystemClock())
        async with source:
            batch = await source.scan("m")
    part = batch.parts[0]
    found = dict(zip((tags[n].name for n in part.tag.tolist()), part.value.tolist(), strict=True))
    quality = dict(zip((tags[n].name for n in part.tag.tolist()), part.quality.tolist(), strict=True))
    for name, di in template("three_phase").items():
        held = HELD.get(int(di, 16))
        assert di in identifiers()
        if held is not None:
            assert (name, found[name], quality[name]) == (name, held, 0)
