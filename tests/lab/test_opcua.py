"""The simulated OPC UA server goes wrong as a client of other hands sees it."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.ua.ua_binary import struct_from_binary

from gateway.lab.opcua import FAULTS, MACHINE, TRAP, Machine, value
from gateway.lab.opcua_certificates import FAULTS as CERTIFICATES
from gateway.lab.opcua_certificates import Certificates
from gateway.lab.scenario import Fault, Scenario
from tests.processes import free_port
from tests.servers.opcua_certificates import Wanted, make

pytestmark = pytest.mark.server


@asynccontextmanager
async def machine(*faults: Fault, certificates: Certificates | None = None) -> AsyncIterator[Machine]:
    scenario = Scenario.of(faults, FAULTS)
    async with Machine(scenario, port=free_port(), variables=3, certificates=certificates) as it:
        yield it


@asynccontextmanager
async def client(it: Machine) -> AsyncIterator[Any]:
    async with asyncio.timeout(20), Client(it.endpoint) as connected:
        yield connected


async def by_index(connected: Any, index: int) -> float:
    return float(await connected.get_node(ua.NodeId("v1", index)).read_value())


async def test_who_goes_by_the_index_reads_the_trap_behind_a_shuffle() -> None:
    async with machine() as it:
        async with client(it) as connected:
            index = await connected.get_namespace_index(MACHINE)
            assert await by_index(connected, index) == value(1, 0)
        await it.suffer(Fault(fault="swap_namespaces", value="10ms"))
        async with client(it) as connected:
            moved = await connected.get_namespace_index(MACHINE)
            assert moved != index
            assert await by_index(connected, index) == TRAP
            assert await by_index(connected, moved) == value(1, 0)


async def test_a_silent_server_answers_reads_and_publishes_nothing() -> None:
    heard: list[Any] = []

    class Handler:
        def datachange_notification(self, _node: Any, found: Any, _data: Any) -> None:
            heard.append(found)

    async with machine() as it, client(it) as connected:
        index = await connected.get_namespace_index(MACHINE)
        node = connected.get_node(ua.NodeId("v1", index))
        subscription = await connected.create_subscription(20, Handler())
        await subscription.subscribe_data_change(node)
        await it.advance()
        while value(1, 1) not in heard:
            await asyncio.sleep(0.01)
        await it.suffer(Fault(fault="silence"))
        await it.advance()
        assert await node.read_value() == value(1, 2)
        await asyncio.sleep(0.3)
        assert value(1, 2) not in heard


async def test_a_slow_server_says_everything_later_and_in_order_and_nothing_overtakes() -> None:
    heard: list[tuple[float, float]] = []
    clock = asyncio.get_running_loop().time

    class Handler:
        def datachange_notification(self, _node: Any, found: Any, _data: Any) -> None:
            heard.append((found, clock()))

    async with machine() as it, client(it) as connected:
        index = await connected.get_namespace_index(MACHINE)
        node = connected.get_node(ua.NodeId("v1", index))
        subscription = await connected.create_subscription(20, Handler())
        await subscription.subscribe_data_change(node)
        while not heard:
            await asyncio.sleep(0.01)
        it.hold(Fault(fault="delay", value="300ms"))
        began = clock()
        assert await node.read_value() == value(1, 0)
        assert clock() - began > 0.299
        began = clock()
        await it.advance()
        await asyncio.sleep(0.1)  # it is on its way
        it.hold(None)
        await it.advance()
        while len(heard) < 3:
            await asyncio.sleep(0.01)
        assert [found for found, _ in heard] == [value(1, tick) for tick in range(3)]
        assert heard[1][1] - began > 0.299


async def test_a_session_that_is_lost_is_told_so_whatever_is_asked_and_waited_for() -> None:
    async with machine() as it, client(it) as connected:
        subscription = await connected.create_subscription(1000, None)
        index = await connected.get_namespace_index(MACHINE)
        await subscription.subscribe_data_change(connected.get_node(ua.NodeId("v1", index)))
        (session,) = it._server.bserver.clients
        async with asyncio.timeout(10):
            while not session.processor._publish_requests:
                await asyncio.sleep(0.01)
        waiting = connected.uaclient.protocol._callbackmap.copy()
        await it.suffer(Fault(fault="lose_sessions"))
        assert not it._server.iserver.subscription_service.subscriptions
        ((_, waited),) = waiting.items()
        answer = struct_from_binary(ua.ServiceFault, await waited)
        assert answer.ResponseHeader.ServiceResult.value == ua.StatusCodes.BadSessionClosed
        with pytest.raises(ua.uaerrors.BadSessionIdInvalid):
            await connected.get_namespace_array()
        async with client(it) as another:
            assert await by_index(another, index) == value(1, 0)


async def test_faults_that_last_are_seen_by_a_client_as_long_as_they_are_held() -> None:
    async with machine() as it, client(it) as connected:
        index = await connected.get_namespace_index(MACHINE)
        nodes = [connected.get_node(ua.NodeId(f"v{i}", index)) for i in range(3)]

        it.hold(Fault(fault="freeze"))
        await it.advance()
        assert await nodes[1].read_value() == value(1, 0)

        it.hold(Fault(fault="old_timestamps", value="2h"))
        await it.advance()
        found = await nodes[1].read_data_value()
        assert found.Value.Value == value(1, 2)
        age = datetime.now(UTC) - found.SourceTimestamp.replace(tzinfo=UTC)
        assert timedelta(hours=2) <= age < timedelta(hours=2, minutes=1)

        it.hold(Fault(fault="few_operations", value="2"))
        assert len(await connected.read_values(nodes[:2])) == 2
        with pytest.raises(ua.uaerrors.BadTooManyOperations):
            await connected.read_values(nodes)
        with pytest.raises(ua.uaerrors.BadTooManyOperations):
            await connected.browse_nodes(nodes)

        it.hold(Fault(fault="few_items", value="2"))
        subscription = await connected.create_subscription(1000, None)
        made = await subscription.subscribe_data_change(nodes)
        assert [isinstance(each, int) for each in made] == [True, True, False]
        assert made[2].value == ua.StatusCodes.BadTooManyMonitoredItems

        it.hold(Fault(fault="few_connections", value="1"))
        reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
        assert await reader.read() == b""
        writer.close()

        it.hold(None)
        await it.advance()
        assert await connected.read_values(nodes) == [value(i, 3) for i in range(3)]
        assert isinstance(await subscription.subscribe_data_change(nodes[2]), int)
        async with client(it) as another:
            assert await by_index(another, index) == value(1, 3)


def test_every_fault_is_shown_above_or_below() -> None:
    at_once = {"restart", "swap_namespaces", "silence", "lose_sessions"}
    lasting = {"bad_status", "old_timestamps", "freeze", "few_operations", "few_items", "few_connections"}
    lasting |= {"delay"}
    assert at_once | lasting | set(CERTIFICATES) == set(FAULTS)
    assert set(SAID) | {"refuse_certificate"} == set(CERTIFICATES)


SAID = {
    "expired_certificate": "certificate has expired",
    "early_certificate": "certificate is not yet valid",
    "other_host_certificate": "IP address mismatch",
    "revoked_certificate": "certificate revoked",
    "sha1_certificate": "CA signature digest algorithm too weak",
    "short_key_certificate": "EE certificate key too weak",
    "untrusted_certificate": "self-signed certificate",
    "other_application_certificate": "OK",
}

PROVED_BY = {
    "sha1_certificate": "sha1WithRSAEncryption (2048 bit)",
    "short_key_certificate": "sha256WithRSAEncryption (1024 bit)",
}


def looked_at(folder: Path, der: bytes) -> tuple[str, str, str]:
    """Return what the openssl program says of a server's certificate, its application and what proves it."""
    known, (certificate, revoked) = Certificates(folder), (folder / "known.pem", folder / "revoked.pem")
    subprocess.run(["openssl", "x509", "-in", known.authority, "-out", certificate], check=True)
    subprocess.run(["openssl", "crl", "-in", known.revoked, "-out", revoked], check=True)
    (folder / "shown.der").write_bytes(der)
    files = ("-CAfile", certificate, "-CRLfile", revoked)
    checked = subprocess.run(
        [
            *("openssl", "verify", *files, "-crl_check", "-auth_level", "2"),
            *("-verify_ip", "127.0.0.1", folder / "shown.der"),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = subprocess.run(
        ["openssl", "x509", "-in", folder / "shown.der", "-noout", "-text"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    proof = (
        told.partition(mark)[2].split("\n")[0].strip() for mark in ("Signature Algorithm:", "Public-Key:")
    )
    return checked.stdout + checked.stderr, told.partition("URI:")[2].partition(",")[0], " ".join(proof)


async def shown(it: Machine) -> bytes:
    (first, *others) = await Client(it.endpoint).connect_and_get_server_endpoints()
    assert {each.ServerCertificate for each in others} == {first.ServerCertificate}
    assert {each.SecurityMode.name for each in others} == {"Sign", "SignAndEncrypt"}
    return bytes(first.ServerCertificate)


async def test_a_certificate_is_wrong_in_the_way_it_is_named_for_and_in_no_other(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    expired = Fault(fault="expired_certificate", value="48h")
    async with machine(expired, certificates=certificates) as it:
        assert SAID["expired_certificate"] in looked_at(tmp_path, await shown(it))[0]  # from the start
        it.hold(None)
        good = await shown(it)
        said, application, proof = looked_at(tmp_path, good)
        assert said.endswith("OK\n")
        assert proof == "sha256WithRSAEncryption (2048 bit)"
        for name, wanted in SAID.items():
            it.hold(Fault(fault=name))
            said, other, proof = looked_at(tmp_path, await shown(it))
            assert wanted in said
            defects = [each for each in said.splitlines() if " lookup: " in each]
            # Who signs for itself has no authority's list either.
            assert len([each for each in defects if "unable to get" not in each]) == (wanted != "OK")
            assert (other == application) == (name != "other_application_certificate")
            assert proof == PROVED_BY.get(name, "sha256WithRSAEncryption (2048 bit)")
    assert Certificates(tmp_path).good.certificate == certificates.good.certificate


async def test_a_client_whose_certificate_is_refused_loses_its_connection_and_gets_no_session(
    tmp_path: Path,
) -> None:
    key, certificate = (str(each) for each in reversed(make(Wanted(uri="urn:client")).write(tmp_path)))

    async def secured(it: Machine) -> Any:
        made = Client(it.endpoint)
        made.application_uri = "urn:client"
        await made.set_security(SecurityPolicyBasic256Sha256, certificate, key)
        return made

    async with asyncio.timeout(20), machine(certificates=Certificates(tmp_path / "lab")) as it:
        connected = await secured(it)
        async with connected:
            index = await connected.get_namespace_index(MACHINE)
            assert await by_index(connected, index) == value(1, 0)
            it.hold(Fault(fault="refuse_certificate"))
            with pytest.raises(ConnectionError):
                await by_index(connected, index)
        with pytest.raises(ua.uaerrors.BadCertificateUntrusted):
            await (await secured(it)).connect()
        it.hold(None)
        async with await secured(it) as again:
            assert await by_index(again, index) == value(1, 0)


async def test_a_scenario_restarts_it_once_in_its_window_and_spoils_values() -> None:
    faults = (
        Fault(fault="restart", value="10ms", between=(0.0, 0.2)),
        Fault(fault="bad_status", between=(0.2, 1000.0)),
    )
    async with machine(*faults) as it:
        starts = 0
        start = it.start

        async def counted() -> None:
            nonlocal starts
            starts += 1
            await start()

        it.start = counted  # type: ignore[method-assign]
        running = asyncio.create_task(it.run(0.05))
        async with asyncio.timeout(20):
            while it._active is None or it._active.fault != "bad_status":
                await asyncio.sleep(0.01)
        before = it.tick
        while it.tick == before:
            await asyncio.sleep(0.01)
        async with client(it) as connected:
            index = await connected.get_namespace_index(MACHINE)
            found = await connected.get_node(ua.NodeId("v0", index)).read_data_value(
                raise_on_bad_status=False
            )
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert starts == 1
        assert not found.StatusCode.is_good()
