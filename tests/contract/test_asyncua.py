"""What we use of asyncua that it does not promise, and the traps we guard against: a release may move it."""

import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, Server, ua
from asyncua.client.ua_client import UaClient, UASocketProtocol
from asyncua.common.connection import TransportLimits
from asyncua.common.utils import Buffer

from config.connections import OpcUaSource
from connectors import NotConnected
from connectors.opcua.client import LARGEST_CHUNK, GatewayClient
from connectors.opcua.publish import decode_publish
from tests.faults.opcua.lab import all_of, options, read_until, source
from tests.processes import free_port

NAMESPACE = "urn:wanglian:test:asyncua"


def test_a_request_is_sent_by_one_call_that_returns_a_future_of_the_answers_body() -> None:
    send = inspect.signature(UASocketProtocol._send_request)
    assert list(send.parameters)[:3] == ["self", "request", "timeout"]
    assert not inspect.iscoroutinefunction(UASocketProtocol._send_request)
    assert "Future" in str(send.return_annotation)
    assert "self._callbackmap[0] = ack" in inspect.getsource(UASocketProtocol.send_hello)


def test_the_protocol_is_made_in_one_place_from_timeout_policy_and_limits() -> None:
    assert "_make_protocol" in inspect.getsource(UaClient.connect_socket)
    made = inspect.signature(UASocketProtocol)
    assert list(made.parameters) == ["timeout", "security_policy", "limits"]
    assert "update_client_limits" in vars(TransportLimits)
    assert {"receive_buffer", "on_connection_lost"} <= set(vars(UASocketProtocol()))


def test_the_token_policy_is_asked_for_by_a_method_ours_replaces() -> None:
    for method in (Client._add_user_auth, Client._add_certificate_auth, Client._add_anonymous_auth):
        assert "self.server_policy(" in inspect.getsource(method)
    assert "server_policy" in vars(GatewayClient)


async def test_against_asyncuas_own_server_values_arrive_through_our_hook(tmp_path: Path) -> None:
    server = Server()
    await server.init()
    port = free_port()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/a")
    index = await server.register_namespace(NAMESPACE)
    node = await server.nodes.objects.add_variable(ua.NodeId("x", index), "x", 1.5)
    async with server:
        where = options(f"opc.tcp://127.0.0.1:{port}/a", {"x": "s=x"}, namespace=NAMESPACE, keep_alive="2s")
        async with source(where, tmp_path) as it:
            client: Any = it._session._client
            assert client.uaclient.session._publish_task is None, "asyncua's own publish loop must not run"
            assert client._supervisor_task is None
            assert (await read_until(it, all_of(1)))[-1][:3] == ("x", 1.5, 0)
            await node.write_value(2.5)
            assert (await read_until(it, all_of(1)))[-1][:3] == ("x", 2.5, 0)


async def test_a_body_is_a_buffer_that_reads_as_the_bytes_our_decoder_takes() -> None:
    response = ua.PublishResponse()
    response.Parameters.SubscriptionId = ua.UInt32(7)
    body = Buffer(b"junk" + ua.ua_binary.struct_to_binary(response), 4)
    assert decode_publish(body.copy().read(len(body))).subscription_id == 7


@pytest.mark.fault("F6")
async def test_a_server_that_announces_a_gigantic_chunk_is_left_before_it_is_gathered() -> None:
    """Asyncua alone would gather up to 4 GiB for a header that lies."""
    sent = 0

    async def liar(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.read(100)
        writer.write(b"MSGF" + (LARGEST_CHUNK + 1).to_bytes(4, "little"))
        try:
            while True:
                writer.write(b"\x00" * 65536)
                await writer.drain()
                sent += 65536
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(liar, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    where = OpcUaSource.model_validate(options(f"opc.tcp://127.0.0.1:{port}", {"x": "s=x"}))
    async with server, asyncio.timeout(5):
        with pytest.raises(NotConnected, match="larger than agreed"):
            await source(where, Path()).__aenter__()
    assert sent < 64 * 2**20
