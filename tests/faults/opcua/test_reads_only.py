"""What goes over the wire to an OPC UA server: reading, browsing, subscribing, and nothing else."""

import asyncio
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.faults.opcua.lab import options, read_until, source, variables
from tests.servers.node_opcua import NodeServer

pytestmark = pytest.mark.server

# Numbers of the requests' binary encodings (OPC UA Part 6, the schema's NodeIds.csv).
READING = {
    428: "GetEndpoints", 446: "OpenSecureChannel", 452: "CloseSecureChannel", 461: "CreateSession",
    467: "ActivateSession", 473: "CloseSession", 527: "Browse", 533: "BrowseNext", 554: "TranslatePaths",
    560: "RegisterNodes", 566: "UnregisterNodes", 631: "Read", 664: "HistoryRead", 751: "CreateItems",
    763: "ModifyItems", 769: "SetMonitoringMode", 781: "DeleteItems", 787: "CreateSubscription",
    793: "ModifySubscription", 799: "SetPublishingMode", 826: "Publish", 832: "Republish",
    841: "TransferSubscriptions", 847: "DeleteSubscriptions",
}  # fmt: skip
"""What changes nothing of the plant; Write is 673, HistoryUpdate 700, Call 712, AddNodes 488."""


@asynccontextmanager
async def tapped(endpoint: str, asked: Counter[int]) -> AsyncIterator[str]:
    """Pass on both ways, and count what a client asks by the number of its encoding."""
    there = urlsplit(endpoint)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far = await asyncio.open_connection(there.hostname, there.port)
        back = asyncio.create_task(_pass_back(far_reader, writer))
        try:
            while True:
                head = await reader.readexactly(8)
                body = await reader.readexactly(struct.unpack("<I", head[4:])[0] - 8)
                if head[:4] == b"MSGF":  # channel, token, number, request; then the type of the request
                    asked[struct.unpack_from("<H", body, 18)[0]] += 1
                far.write(head + body)
                await far.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            back.cancel()
            far.close()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"opc.tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _pass_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)


@pytest.mark.fault("S12")
@pytest.mark.parametrize("how", ["subscribe", "poll"])
async def test_nothing_is_ever_asked_of_a_server_but_to_be_read(
    opcua_server: NodeServer, tmp_path: Path, how: str, record_measure: Callable[..., None]
) -> None:
    await opcua_server.be(variables=3, extra=["array", "structure"])
    asked: Counter[int] = Counter()
    nodes: dict[str, Any] = variables(3) | {"array": "s=array", "structure": "s=structure"}
    async with tapped(opcua_server.endpoint, asked) as endpoint:
        where = options(endpoint, nodes, read=how)
        for _ in range(2):  # a second session, with all there is to find again
            async with source(where, tmp_path) as reading:
                await read_until(reading, lambda rows: len({name for name, *_ in rows}) > 5)
    assert sum(asked.values()) > 10
    assert set(asked) - set(READING) == set()
    assert {"Read"} <= {READING[number] for number in asked}
    record_measure(
        f"{how}: {sum(asked.values())} requests of {len(asked)} kinds, 0 that write or call", row="S12"
    )
