"""A small OPC UA server (asyncua) that restarts, shuffles its namespaces, falls silent and loses sessions.

Variables are `nsu=urn:wanglian:lab:machine;s=v0` …, Double, value = 10 tick + index. With `swap_namespaces`
a namespace with the same identifiers, whose values are all 777, takes the machine's index: whoever reads 777
has gone by the index. What goes wrong happens to the whole server, once in each window a scenario names, or
each second with a fault's share; a delay, limits, certificates and what spoils values hold while the scenario
names them. Connections end when another certificate is shown. The tests' other OPC UA server, of other hands,
is in tests/servers/opcua.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

from asyncua import Server, ua

from gateway.lab import opcua_certificates, told
from gateway.lab.opcua_certificates import APPLICATION, Certificates, Shown
from gateway.lab.opcua_sessions import ANY, Clients, Sessions, forget_sessions, show_certificate
from gateway.lab.scenario import Fault, Moment, Scenario
from gateway.lab.told import Told

MACHINE: Final = "urn:wanglian:lab:machine"
OTHER: Final = "urn:wanglian:lab:other"
_FEW: Final = 5
FAULTS: Final[Mapping[str, Callable[[Told], Any]]] = {
    "delay": told.seconds(0.5, float),
    "restart": told.seconds(1.0, float),
    "swap_namespaces": told.seconds(1.0, float),
    "silence": told.plain(None),
    "lose_sessions": told.plain(None),
    "bad_status": told.plain(None),
    "old_timestamps": told.seconds(3600.0, float, most=told.YEARS_S),
    "freeze": told.plain(None),
    "few_operations": told.number(_FEW, int),
    "few_items": told.number(_FEW, int),
    "few_connections": told.number(_FEW, int),
    **opcua_certificates.FAULTS,
}
"""By the name a scenario calls it, with what reads how long, how many or which certificate."""
_POLICIES: Final = [
    ua.SecurityPolicyType.Basic256Sha256_Sign,
    ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_Sign,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
    ua.SecurityPolicyType.Aes256Sha256RsaPss_Sign,
    ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
]
TRAP: Final = 777.0


def value(index: int, tick: int) -> float:
    """Return what variable `index` is at a tick."""
    return 10.0 * tick + index


class Machine:
    """The server while entered; with certificates it takes protected connections and no others."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        port: int,
        host: str = "127.0.0.1",
        variables: int = 10,
        certificates: Certificates | None = None,
    ) -> None:
        self.port = port
        self.endpoint = f"opc.tcp://{host}:{port}/lab"
        self.tick = 0
        self.swapped = False
        self._scenario = scenario
        self._variables = variables
        self._certificates = certificates
        self._shown: Shown | None = None
        self._nodes: list[Any] = []
        self._server: Any = None
        self._active: Fault | None = None

    async def __aenter__(self) -> Self:
        self._active = self._scenario.at(Moment(1, 0.0))
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Serve, with the namespaces as they are to be now."""
        server: Any = Server(iserver=Sessions())
        await server.init()
        server.set_endpoint(self.endpoint)
        server.set_server_name("Wanglian lab")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        if self._certificates is not None:
            await server.set_application_uri(APPLICATION)
            server.set_security_policy(_POLICIES)
            self._shown = self._certificates.good
            server.iserver.certificate, server.iserver.private_key = self._shown.certificate, self._shown.key
        order = (OTHER, MACHINE) if self.swapped else (MACHINE, OTHER)
        self._nodes = []
        for uri in order:
            index = await server.register_namespace(uri)
            if uri == MACHINE or self.swapped:
                folder = await server.nodes.objects.add_object(ua.NodeId("machine", index), "machine")
                for i in range(self._variables):
                    known = value(i, self.tick) if uri == MACHINE else TRAP
                    node = await folder.add_variable(ua.NodeId(f"v{i}", index), f"v{i}", known)
                    self._nodes += [node] if uri == MACHINE else []
        await server.start()
        server.bserver.clients = Clients(server.iserver)
        self._server = server
        self.hold(self._active)

    async def stop(self) -> None:
        """End it."""
        if self._server is not None:
            await self._server.stop()
            self._server = None

    async def run(self, period_s: float = 1.0) -> None:
        """Let every variable change each period, and go wrong by the scenario, until cancelled."""
        began, second, last = time.monotonic(), 0, None
        while True:
            await asyncio.sleep(period_s)
            elapsed = time.monotonic() - began
            second += 1
            fault = self._scenario.at(Moment(second, elapsed))
            self.hold(fault)
            if fault is not None and (fault.between is None or fault != last):
                await self.suffer(fault)
            last = fault
            await self.advance()

    def hold(self, fault: Fault | None) -> None:
        """Let a fault that lasts begin, until another or none is held."""
        self._active = fault
        if self._server is not None:
            inner = self._server.iserver
            inner.delay_s = _told("delay", fault, 0.0)
            inner.most_operations = _told("few_operations", fault, ANY)
            inner.most_items = _told("few_items", fault, ANY)
            inner.max_connections = _told("few_connections", fault, ANY)
            self._show(fault)

    def _show(self, fault: Fault | None) -> None:
        """Show the certificate of a fault to who connects, and refuse theirs; end connections made before."""
        if self._certificates is None:
            return
        shown, refuses = (
            self._certificates.of(fault),
            fault is not None and fault.fault == "refuse_certificate",
        )
        if (shown, refuses) == (self._shown, self._server.iserver.refuses):
            return
        self._shown, self._server.iserver.refuses = shown, refuses
        show_certificate(self._server, shown.certificate, shown.key)

    async def advance(self) -> None:
        """Let every variable change."""
        self.tick += 1
        fault = None if self._active is None else self._active.fault
        if fault == "freeze" or self._server is None:
            return
        when = datetime.now(UTC) - timedelta(seconds=_told("old_timestamps", self._active, 0.0))
        for index, node in enumerate(self._nodes):
            known = ua.DataValue(ua.Variant(value(index, self.tick), ua.VariantType.Double))
            bad = ua.StatusCodes.BadSensorFailure if fault == "bad_status" else ua.StatusCodes.Good
            await node.write_value(ua.DataValue(known.Value, ua.StatusCode(bad), SourceTimestamp=when))

    async def suffer(self, fault: Fault) -> None:
        """Let a fault of the whole server happen."""
        if fault.fault in ("restart", "swap_namespaces"):
            self.swapped ^= fault.fault == "swap_namespaces"
            await self.stop()
            await asyncio.sleep(FAULTS[fault.fault](fault.value))
            await self.start()
        elif fault.fault == "silence":
            for each in self._server.iserver.subscription_service.subscriptions.values():
                each.publish_results = _nothing
        elif fault.fault == "lose_sessions":
            await forget_sessions(self._server)


def _told(kind: str, fault: Fault | None, otherwise: Any) -> Any:
    """Return what a fault of a kind is told; without one, what holds otherwise."""
    return otherwise if fault is None or fault.fault != kind else FAULTS[kind](fault.value)


async def _nothing(*_: object) -> bool:
    return False
