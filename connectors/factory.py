"""From a connection in the plant file to the connector that speaks it.

A connector is imported only when the plant names it: everything together would cost 100 MB of memory.
"""

from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from config.connections import (
    AnySink,
    ModbusTcpSource,
    MqttSink,
    OpcUaSource,
    SimulatedSource,
    SourceOptions,
)
from connectors.clock import Clock
from connectors.contract import Context, Sink, Source
from connectors.tags import TagTable

if TYPE_CHECKING:
    from connectors.opcua.pki import Pki


def build_source(
    name: str,
    options: SourceOptions,
    *,
    gateway: str,
    site: str,
    tags: TagTable,
    clock: Clock,
    directory: Path,
) -> Source:
    """Return the source; it touches nothing until it is entered.

    `gateway` is the gateway's id; what a connector must keep (certificates) lies below `directory`.
    """
    match options:
        case ModbusTcpSource():
            from connectors.modbus import ModbusTcp

            return ModbusTcp(name, options, site=site, tags=tags, clock=clock)
        case OpcUaSource():
            from connectors.opcua import OpcUa

            return OpcUa(
                name, options, gateway=gateway, site=site, tags=tags, clock=clock, directory=directory
            )
        case SimulatedSource():
            from connectors.simulated import Simulated

            return Simulated(name, options, site=site, tags=tags, clock=clock)
        case _:
            assert_never(options)


def trusted_servers(directory: Path) -> "Pki":
    """Return the certificates servers have shown, below the gateway's data directory, and who is trusted."""
    from connectors.opcua.pki import Pki, below

    return Pki(below(directory))


def build_sink(name: str, options: AnySink, *, site: str, context: Context) -> Sink:
    """Return the sink; it touches nothing until it is entered."""
    match options:
        case MqttSink():
            from connectors.mqtt import MqttSink as Mqtt

            return Mqtt(name, options, context=context, site=site)
        case _:
            assert_never(options)


def describe_source(name: str, options: SourceOptions) -> list[str]:
    """Return what a source will ask its devices, a line per request."""
    match options:
        case ModbusTcpSource():
            from connectors.modbus import describe_plan

            head = f"{name}: modbus_tcp {options.host}:{options.port}"
            return [head] + [
                line for each, device in options.devices.items() for line in describe_plan(each, device)
            ]
        case OpcUaSource():
            from connectors.opcua import describe_session

            return describe_session(name, options)
        case SimulatedSource():
            return [f"{name}: simulated"]
        case _:
            assert_never(options)
