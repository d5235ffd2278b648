"""From a connection in the plant file to the connector that speaks it.

A connector is imported only when the plant names it: everything together would cost 100 MB of memory.
"""

from pathlib import Path
from typing import assert_never

from config.connections import (
    AnySink,
    InfluxDbSink,
    ModbusTcpSource,
    MqttSink,
    MqttSource,
    SimulatedSource,
    SourceOptions,
)
from connectors.clock import Clock
from connectors.contract import Context, Sink, Source
from connectors.tags import TagTable


def build_source(
    name: str,
    options: SourceOptions,
    *,
    gateway: str,
    site: str,
    tags: TagTable,
    clock: Clock,
    directory: Path,  # noqa: ARG001  what a connector must keep (certificates) lies below it
) -> Source:
    """Return the source; it touches nothing until it is entered."""
    match options:
        case ModbusTcpSource():
            from connectors.modbus import ModbusTcp

            return ModbusTcp(name, options, site=site, tags=tags, clock=clock)
        case MqttSource():
            from connectors.mqtt import Mqtt

            return Mqtt(name, options, gateway=gateway, site=site, tags=tags, clock=clock)
        case SimulatedSource():
            from connectors.simulated import Simulated

            return Simulated(name, options, site=site, tags=tags, clock=clock)
        case _:
            assert_never(options)


def build_sink(name: str, options: AnySink, *, site: str, context: Context) -> Sink:
    """Return the sink; it touches nothing until it is entered."""
    match options:
        case MqttSink():
            from connectors.mqtt import MqttSink as Mqtt

            return Mqtt(name, options, context=context, site=site)
        case InfluxDbSink():
            from connectors.influxdb import InfluxDb

            return InfluxDb(options, context)
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
        case MqttSource():
            head = f"{name}: mqtt {options.host}:{options.broker_port}, QoS {options.qos}"
            return [head] + [
                f"  {each.topic}: {len(each.tags)} values a message" for each in options.messages
            ]
        case SimulatedSource():
            return [f"{name}: simulated"]
        case _:
            assert_never(options)
