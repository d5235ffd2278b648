"""A server whose certificate turns bad in each way: no session, the reason said, and then all is well."""

import asyncio
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from config.reasons import in_words
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
    "expired_certificate": ("is refused: it expired on ", " UTC 过期"),
    "early_certificate": ("is refused: it is valid only from ", " UTC 才生效（网关的时钟对吗？）"),
    "other_host_certificate": (
        "is refused: it is for the host elsewhere.invalid, not 127.0.0.1",
        "：是发给主机 elsewhere.invalid 的，不是 127.0.0.1",
    ),
    "other_application_certificate": (
        "is refused: it is for the application urn:somebody:else, but ",
        "：是发给应用 urn:somebody:else 的，而服务器自称 urn:wanglian:lab:server",
    ),
    "revoked_certificate": ("is refused: it was revoked on ", " 吊销"),
    "sha1_certificate": (
        "is refused: the signature uses SHA1, which can be forged",
        "：用 SHA1 签名，可以伪造",
    ),
    "short_key_certificate": (
        "is refused: the key has 1024 bits, 2048 are the least",
        "：密钥只有 1024 位，至少要 2048 位",
    ),
    "untrusted_certificate": ("is refused: nobody has trusted it yet. ", "还没有人信任"),
    "refuse_certificate": (
        "refuses the gateway's certificate: BadCertificateUntrusted; ",
        "不接受网关的证书（BadCertificateUntrusted），请在那里信任 ",
    ),
}
"""What the link says of each, in English and in Chinese."""


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
                reason = str(await refused(gateway()))
            english, chinese = SAID[name]
            assert english in reason
            assert "; " not in reason.partition("is refused: ")[2]
            assert chinese in in_words(reason, "zh")
            assert inner.sessions == before
            machine.hold(None)
        async with gateway() as it:
            await read_until(it, all_of(COUNT))
        opened = inner.sessions
    assert set(SAID) == set(FAULTS)
    record_measure(
        f"0 sessions by {len(FAULTS)} certificates, {opened} by the good one between them", row="F7"
    )
