"""Who is let in, who is not, and that nothing weaker is taken than what was asked for."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors import NotConnected
from connectors.opcua import OpcUa
from connectors.opcua.pki import Pki, below
from connectors.opcua.security import Security
from tests.faults.opcua.lab import all_of, options, read_until, source, variables
from tests.servers.node_opcua import NodeServer
from tests.servers.opcua_certificates import Wanted, make

pytestmark = pytest.mark.server

POLICIES = ["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"]
MODES = ["Sign", "SignAndEncrypt"]
COUNT = 3
SECRET = "pass-w0rd-网联"  # noqa: S105


async def secured(server: NodeServer, folder: Path, wanted: Wanted | None = None, **more: Any) -> None:
    """Make the server one that only speaks secured, with such a certificate."""
    certificate, key = make(wanted or Wanted()).write(folder / "server")
    security = {
        "pki": str(folder / "server" / "pki"),
        "certificate": str(certificate),
        "key": str(key),
        "policies": more.pop("policies", POLICIES),
        "modes": more.pop("modes", MODES),
        **more.pop("security", {}),
    }
    await server.restart(variables=COUNT, security=security, **more)


def client(
    server: NodeServer, folder: Path, policy: str = POLICIES[0], mode: str = MODES[1], **more: Any
) -> OpcUa:
    chosen = {"security": {"policy": policy, "mode": mode}} | more
    return source(options(server.endpoint, variables(COUNT), **chosen), folder / "gateway")


def trust(folder: Path) -> None:
    pki = Pki(below(folder / "gateway"))
    for entry in list(pki.entries()):
        pki.move(entry.thumbprint, "trusted")


async def refusal(it: OpcUa) -> NotConnected:
    with pytest.raises(NotConnected) as caught:
        await it.__aenter__()
    return caught.value


async def sessions(server: NodeServer) -> int:
    return int((await asyncio.to_thread(server.ask, "state"))["sessions"])


@pytest.mark.fault("F7")
async def test_f7_an_unknown_server_is_refused_until_a_person_trusts_it(
    opcua_server: NodeServer, tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    """0 sessions to the untrusted; then every policy in every mode."""
    await secured(opcua_server, tmp_path)
    refused = await refusal(client(opcua_server, tmp_path))
    assert refused.needs_a_person
    assert "wanglian certificates trust" in str(refused)
    assert await sessions(opcua_server) == 0
    trust(tmp_path)
    for policy in POLICIES:
        for mode in MODES:
            async with client(opcua_server, tmp_path, policy, mode) as it:
                assert len(await read_until(it, all_of(COUNT))) == COUNT
    Pki(below(tmp_path / "gateway")).move(
        next(iter(Pki(below(tmp_path / "gateway")).entries())).thumbprint, "rejected"
    )
    assert (await refusal(client(opcua_server, tmp_path))).needs_a_person
    modes = len(POLICIES) * len(MODES)
    record_measure(f"0 sessions with the unknown, {modes} policies and modes with the trusted", row="F7")


@pytest.mark.fault("F7")
async def test_f7_a_wrong_certificate_gets_no_session_although_it_is_trusted(
    opcua_server: NodeServer, tmp_path: Path
) -> None:
    """The other defects in tests/unit/opcua/test_examine.py."""
    said = "for the application"
    await secured(opcua_server, tmp_path, Wanted(uri="urn:somebody:else"))
    assert said in str(await refusal(client(opcua_server, tmp_path)))
    trust(tmp_path)
    refused = await refusal(client(opcua_server, tmp_path))
    assert refused.needs_a_person
    assert said in str(refused)
    assert await sessions(opcua_server) == 0


@pytest.mark.fault("F7")
async def test_f7_what_is_weaker_than_asked_for_is_never_taken_instead(
    opcua_server: NodeServer, tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    """Downgrade: the server offers None beside, or Sign alone."""
    await secured(opcua_server, tmp_path, policies=["None", POLICIES[1]], modes=["None", "Sign"])
    for policy, mode in (
        (POLICIES[0], "SignAndEncrypt"),
        (POLICIES[1], "SignAndEncrypt"),
        (POLICIES[2], "Sign"),
    ):
        refused = await refusal(client(opcua_server, tmp_path, policy, mode))
        assert refused.needs_a_person
        assert "does not offer" in str(refused)
        assert "nothing else is taken" in str(refused)
    assert await sessions(opcua_server) == 0
    record_measure("0 sessions in 3 offers that are weaker than asked for", row="F7")


@pytest.mark.fault("F7")
async def test_f7_a_certificate_that_changes_between_asking_and_the_session_is_noticed(
    opcua_server: NodeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who answers GetEndpoints need not be who answers CreateSession."""
    await secured(opcua_server, tmp_path)
    await refusal(client(opcua_server, tmp_path))
    trust(tmp_path)
    look = Security._examine

    async def swap(self: Security, endpoint: Any) -> None:
        await look(self, endpoint)
        endpoint.ServerCertificate = make(Wanted(name="impostor")).der

    monkeypatch.setattr(Security, "_examine", swap)
    await refusal(client(opcua_server, tmp_path))
    assert await sessions(opcua_server) == 0


@pytest.mark.fault("F7")
async def test_users_are_let_in_by_password_or_certificate_and_told_when_not(
    opcua_server: NodeServer, tmp_path: Path
) -> None:
    await secured(opcua_server, tmp_path, users={"reader": SECRET})
    await refusal(client(opcua_server, tmp_path))
    trust(tmp_path)
    refused = await refusal(client(opcua_server, tmp_path))
    assert refused.needs_a_person
    certificate, key = make(Wanted(name="user", uri="urn:user")).write(tmp_path / "user")
    users: list[dict[str, Any]] = [
        {"name": "reader", "password": secret(SECRET)},
        {"certificate": str(certificate), "key": str(key)},
    ]
    for user in users:
        for mode in MODES:
            async with client(opcua_server, tmp_path, mode=mode, user=user) as it:
                await read_until(it, all_of(COUNT))
    refused = await refusal(
        client(opcua_server, tmp_path, user={"name": "reader", "password": secret("wrong")})
    )
    assert refused.needs_a_person
    assert "does not let this user in" in str(refused)
    assert "wrong" not in str(refused)


@pytest.mark.fault("F7")
async def test_a_server_that_wants_security_is_named_as_such(
    opcua_server: NodeServer, tmp_path: Path
) -> None:
    await secured(opcua_server, tmp_path)
    refused = await refusal(
        source(options(opcua_server.endpoint, variables(COUNT), security="none"), tmp_path / "gateway")
    )
    assert refused.needs_a_person
    assert "takes no connection without security" in str(refused)


def secret(text: str) -> Any:
    from config.base import SecretText

    return SecretText(text)


@pytest.mark.fault("F7")
async def test_a_server_that_does_not_trust_us_says_so_and_names_our_certificate(
    opcua_server: NodeServer, tmp_path: Path
) -> None:
    await secured(opcua_server, tmp_path, security={"acceptAll": False})
    await refusal(client(opcua_server, tmp_path))
    trust(tmp_path)
    refused = await refusal(client(opcua_server, tmp_path))
    assert "own/certificate.der" in str(refused), str(refused)
    assert refused.needs_a_person
