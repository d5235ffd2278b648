"""From a connection in the plant file to the connector that speaks it.

A connector is imported only when the plant names it: everything together would cost 100 MB of memory.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from config.connections import (
    AnySink,
    Cjt188Source,
    Dlt645Source,
    InfluxDbSink,
    ModbusSerialSource,
    ModbusTcpSource,
    MqttSink,
    MqttSource,
    OpcUaSource,
    SimulatedSource,
    SourceOptions,
    SparkplugSink,
    SparkplugSource,
)
from config.connections.meter_line import MeterLine
from config.problems import Phrase
from connectors.clock import Clock
from connectors.contract import Context, Sink, Source
from connectors.published import Published
from connectors.tags import Tag, TagTable

if TYPE_CHECKING:
    from connectors.mqtt.payload import Encoder
    from connectors.opcua.pki import Pki


def build_source(  # noqa: PLR0911  one for each kind
    name: str,
    options: SourceOptions,
    *,
    gateway: str,
    site: str,
    tags: TagTable,
    clock: Clock,
    directory: Path,
    kept: dict[str, Any] | None = None,
) -> Source:
    """Return the source; it touches nothing until it is entered.

    `gateway` is the gateway's id; what a connector must keep (certificates) lies below `directory`. `kept` is
    the same for every session of a source: what was learned of a line and its devices outlives them.
    """
    kept = {} if kept is None else kept
    match options:
        case ModbusTcpSource():
            from connectors.modbus import Modbus, TcpLine

            plans = kept.setdefault("plans", {})
            if options.framing == "tcp":
                return Modbus(name, options, TcpLine(options), site=site, tags=tags, clock=clock, plans=plans)
            from connectors.modbus.serial import SerialServer

            line = kept.setdefault("line", SerialServer(options))
            return Modbus(name, options, line, site=site, tags=tags, clock=clock, plans=plans)
        case ModbusSerialSource():
            from connectors.modbus import Modbus
            from connectors.modbus.serial import SerialPort

            line = kept.setdefault("line", SerialPort(options))
            plans = kept.setdefault("plans", {})
            return Modbus(name, options, line, site=site, tags=tags, clock=clock, plans=plans)
        case Dlt645Source():
            from connectors import dlt645

            line = kept.setdefault("line", dlt645.line(options))
            return dlt645.Dlt645(name, options, line, site=site, tags=tags, clock=clock)
        case Cjt188Source():
            from connectors import cjt188

            line = kept.setdefault("line", cjt188.line(options))
            return cjt188.Cjt188(name, options, line, site=site, tags=tags, clock=clock)
        case MqttSource():
            from connectors.mqtt import Mqtt

            return Mqtt(name, options, gateway=gateway, site=site, tags=tags, clock=clock)
        case OpcUaSource():
            from connectors.opcua import Kept, OpcUa

            return OpcUa(
                name,
                options,
                gateway=gateway,
                site=site,
                tags=tags,
                clock=clock,
                directory=directory,
                kept=kept.setdefault("sessions", Kept()),
            )
        case SimulatedSource():
            from connectors.simulated import Simulated

            return Simulated(name, options, site=site, tags=tags, clock=clock)
        case SparkplugSource():
            from connectors.sparkplug import Sparkplug

            return Sparkplug(name, options, gateway=gateway, site=site, tags=tags, clock=clock, kept=kept)
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
        case InfluxDbSink():
            from connectors.influxdb import InfluxDb

            return InfluxDb(options, context)
        case SparkplugSink():
            from connectors.sparkplug.edge import SparkplugEdge

            return SparkplugEdge(name, options, context)
        case _:
            assert_never(options)


def row_encoder(gateway: str, tags: TagTable) -> "Encoder":
    """Return what writes stored rows as JSON: a subscriber over HTTP gets what one of MQTT gets."""
    from connectors.mqtt.payload import Encoder

    return Encoder(gateway, tags)


def row_catalogues(gateway: str, tags: TagTable) -> Iterator[bytes]:
    """Yield what is told of each device's active tags, in the same JSON."""
    from connectors.mqtt.catalogue import device_catalogues

    return (payload for _, payload in device_catalogues(gateway, tags))


def readable(payload: bytes, births: Sequence[bytes] = ()) -> tuple[str, str]:
    """Return what a message we published says, and the form it was in: json, text, sparkplug or bytes.

    `births` are messages that tell the names of a Sparkplug message's aliases.
    """
    from connectors.readable import readable as read
    from connectors.sparkplug.readable import taken_apart

    return read(payload, lambda message: taken_apart(message, births))


def describe_published(options: AnySink, *, gateway: str, site: str, tags: Sequence[Tag]) -> Published:
    """Return what a sink publishes of these tags, for who subscribes."""
    match options:
        case MqttSink():
            from connectors.mqtt.published import published

            return published(options, gateway=gateway, site=site, tags=tags)
        case InfluxDbSink():
            from connectors.influxdb.published import published as written

            return written(options)
        case SparkplugSink():
            from connectors.sparkplug.edge.published import published as born

            return born(options, gateway=gateway, tags=tags)
        case _:
            assert_never(options)


def line_load(options: SourceOptions, delay: int | None = None) -> float:
    """Return the share of its time a connection needs for its scans; 0 where that is not known.

    `delay` is what every device takes before it answers, ns, instead of its own `reply`.
    """
    match options:
        case ModbusSerialSource() | ModbusTcpSource():
            from connectors.modbus.forecast import line_load as of_line

            return of_line(options, delay)
        case Dlt645Source():
            from connectors import dlt645

            return dlt645.line_load(options, delay)
        case Cjt188Source():
            from connectors import cjt188

            return cjt188.line_load(options, delay)
        case _:
            return 0.0


def describe_source(name: str, options: SourceOptions) -> list[Phrase]:  # noqa: PLR0911  one a kind
    """Return what a source will ask its devices, a line per request."""
    match options:
        case ModbusTcpSource() | ModbusSerialSource():
            from connectors.modbus import describe_plan

            if isinstance(options, ModbusTcpSource):
                how = f"modbus_tcp {options.host}:{options.port}, framing {options.framing}"
            else:
                how = f"modbus_serial {options.port}, framing {options.framing}, {options.baud} baud"
            return [
                Phrase("plan.source", {"name": name, "how": how}),
                *(line for each, device in options.devices.items() for line in describe_plan(each, device)),
            ]
        case Dlt645Source():
            from connectors import dlt645

            return [
                Phrase("plan.source", {"name": name, "how": _meter_line("dlt645", options)}),
                *dlt645.describe_meters(options),
            ]
        case Cjt188Source():
            from connectors import cjt188

            return [
                Phrase("plan.source", {"name": name, "how": _meter_line("cjt188", options)}),
                *cjt188.describe_meters(options),
            ]
        case MqttSource():
            how = f"mqtt {options.host}:{options.broker_port}, QoS {options.qos}"
            return [
                Phrase("plan.source", {"name": name, "how": how}),
                *(
                    Phrase("plan.messages", {"topic": each.topic, "count": len(each.tags)})
                    for each in options.messages
                ),
            ]
        case OpcUaSource():
            from connectors.opcua import describe_session

            return describe_session(name, options)
        case SimulatedSource():
            return [Phrase("plan.source", {"name": name, "how": "simulated"})]
        case SparkplugSource():
            how = f"sparkplug {options.host}:{options.broker_port}"
            return [
                Phrase("plan.source", {"name": name, "how": how}),
                *(Phrase("plan.nodes", {"nodes": f"{each.group}/{each.node}"}) for each in options.nodes),
            ]
        case _:
            assert_never(options)


def _meter_line(kind: str, options: MeterLine) -> str:
    if options.port is None:
        return f"{kind} {options.host}:{options.tcp_port}"
    return f"{kind} {options.port}, {options.baud} baud"
