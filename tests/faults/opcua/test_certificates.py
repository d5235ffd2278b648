"""A server whose certificate turns bad in each way: no session, the reason said, and then all is well."""

import asyncio
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from connectors import NotConnected
from connectors.opcua import OpcUa
from connectors.opcua.pki import below
from gateway.lab.opcua import MACHINE, Machine
from gateway.lab.opcua_certificates import FAULTS, Certificates
from gateway.lab.scenario import Fault, Scenario
from tests.faults.opcua.lab import all_of, options, read_until, source, variables
from tests.processes import free_port

pytestmark = pytest.mark.server

COUNT = 3
SAID = {
    "expired_certificate": "is refused: it expired on ",
    "early_certificate": "is refused: it is valid only from ",
    "other_host_certificate": "is refused: it is for the host elsewhere.invalid, not 127.0.0.1",
    "other_application_certificate": "is refused: it is for the application urn:somebody:else, but ",
    "revoked_certificate": "is refused: it was revoked on ",
    "untrusted_certificate": "is refused: nobody has trusted it yet. ",
    "refuse_certificate": "refuses the gateway's certificate: BadCertificateUntrusted; ",
}


def trust(certificates: Certificates, folder: Path) -> None:
    trusted = below(folder) / "trusted"
    trusted.mkdir(parents=True)
    for file in (certificates.authority, certificates.revoked):
        shutil.copy(file, trusted)


async def refused(it: OpcUa) -> NotConnected:
    """Enter until a person is needed: what stood may only break off at first."""
    async with asyncio.timeout(10):
        while True:
            with pytest.raises(NotConnected) as caught:
                await it.__aenter__()
            if caught.value.needs_a_person:
                return caught.value


@pytest.mark.fault("F7")
async def test_f7_no_session_while_the_certificate_is_bad_and_one_when_it_is_good_again(
    tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    certificates = Certificates(tmp_path / "lab")
    async with Machine(Scenario(), port=free_port(), variables=COUNT, certificates=certificates) as machine:
        inner = machine._server.iserver
        where = options(machine.endpoint, variables(COUNT), namespace=MACHINE, security={})
        trust(certificates, tmp_path / "gateway")

        def gateway() -> OpcUa:
            return source(where, tmp_path / "gateway")

        for name in FAULTS:
            async with gateway() as it:
                await machine.advance()
                assert len(await read_until(it, all_of(COUNT))) >= COUNT
                before = inner.sessions
                machine.hold(Fault(fault=name))
                with suppress(NotConnected):
                    async with asyncio.timeout(10):
                        while True:
                            await it.read()
                reason = await refused(gateway())
            assert SAID[name] in str(reason)
            assert "; " not in str(reason).partition("is refused: ")[2]
            assert inner.sessions == before
            machine.hold(None)
        async with gateway() as it:
            await read_until(it, all_of(COUNT))
        opened = inner.sessions
    assert set(SAID) == set(FAULTS)
    record_measure(
        f"0 sessions by {len(FAULTS)} certificates, {opened} by the good one between them", row="F7"
    )
