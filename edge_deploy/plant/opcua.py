"""The plant's OPC UA server (asyncua): the press line's controller and the oven's, encrypted or not."""

import asyncio
import ipaddress
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from asyncua import Node, Server, ua
from asyncua.crypto.cert_gen import (
    dump_private_key_as_pem,
    generate_private_key,
    generate_self_signed_app_certificate,
)
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge_deploy.plant.clock import Clock
from edge_deploy.plant.model import Plant, State

NAMESPACE: Final = "urn:wanglian:plant:line"
APPLICATION: Final = "urn:wanglian:plant:server"
REFRESH_S: Final = 0.25

_Type = ua.VariantType
NODES: Final[dict[str, tuple[_Type, Callable[[State], object]]]] = {
    "Press.State": (_Type.String, lambda s: s.press_state),
    "Press.Running": (_Type.Boolean, lambda s: s.press_state == "running"),
    "Press.Force": (_Type.Float, lambda s: s.press_force),
    "Press.OilTemperature": (_Type.Float, lambda s: s.press_oil),
    "Press.Good": (_Type.UInt32, lambda s: s.press_good),
    "Press.Reject": (_Type.UInt32, lambda s: s.press_reject),
    "Press.Order": (_Type.String, lambda s: s.press_order),
    "Press.Power": (_Type.Double, lambda s: s.meters["press"].power / 1000),
    "Stock.Blanks": (_Type.UInt16, lambda s: s.blanks),
    "Assembly.State": (_Type.String, lambda s: s.assembly_state),
    "Assembly.Good": (_Type.UInt32, lambda s: s.assembly_good),
    "Assembly.Reject": (_Type.UInt32, lambda s: s.assembly_reject),
    "Oven.State": (_Type.String, lambda s: s.oven_state),
    "Oven.Temperature": (_Type.Double, lambda s: s.oven_temperature),
    "Oven.Setpoint": (_Type.Double, lambda s: s.oven_setpoint),
    "Oven.Output": (_Type.Double, lambda s: s.oven_output),
}
"""By identifier in `NAMESPACE`: its DataType, and what it shows."""


def _make_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for loopback and its key; return where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    key = generate_private_key()
    names = [
        x509.UniformResourceIdentifier(APPLICATION),
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    usage = [ExtendedKeyUsageOID.SERVER_AUTH]
    certificate = generate_self_signed_app_certificate(key, "Simulated line", {}, names, usage)
    key_file, certificate_file = folder / "key.pem", folder / "certificate.der"
    key_file.touch(mode=0o600)
    key_file.write_bytes(dump_private_key_as_pem(key))
    certificate_file.write_bytes(certificate.public_bytes(Encoding.DER))
    return certificate_file, key_file


async def serve(plant: Plant, clock: Clock, port: int, folder: Path) -> None:
    """Answer until cancelled; the certificate a client must trust is written to the folder first."""
    certificate, key = _make_certificate(folder)
    server = Server()
    await server.init()
    await server.set_application_uri(APPLICATION)
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/plant")
    server.set_server_name("Simulated line")
    server.set_security_policy(
        [ua.SecurityPolicyType.NoSecurity, ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt]
    )
    await server.load_certificate(str(certificate))
    await server.load_private_key(str(key))
    index = await server.register_namespace(NAMESPACE)
    nodes = await _make_nodes(server, index, plant.at(clock.now()))
    async with server:
        while True:
            await _show(nodes, plant.at(clock.now()))
            await asyncio.sleep(REFRESH_S)


async def _make_nodes(server: Server, index: int, state: State) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    folders: dict[str, Node] = {}
    for name, (kind, value) in NODES.items():
        group, _, leaf = name.partition(".")
        if group not in folders:
            place = ua.NodeId(group, index)
            folders[group] = await server.nodes.objects.add_object(place, ua.QualifiedName(group, index))
        nodes[name] = await folders[group].add_variable(
            ua.NodeId(name, index), ua.QualifiedName(leaf, index), value(state), kind
        )
    return nodes


async def _show(nodes: dict[str, Node], state: State) -> None:
    now = datetime.fromtimestamp(time.time(), UTC)
    for name, (kind, value) in NODES.items():
        shown = ua.DataValue(ua.Variant(value(state), kind), SourceTimestamp=now, ServerTimestamp=now)
        await nodes[name].write_value(shown)
