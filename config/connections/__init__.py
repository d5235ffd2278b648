"""One options model per kind of connection; the unions a plant file chooses from."""

from typing import Annotated

from pydantic import Field

from config.connections.modbus_tcp import ModbusDevice, ModbusTag, ModbusTcpSource
from config.connections.mqtt import MqttConnection, MqttSink
from config.connections.opcua import OpcUaDevice, OpcUaSecurity, OpcUaSource, OpcUaTag, OpcUaUser
from config.connections.simulated import SimulatedDevice, SimulatedSource, SimulatedTag
from config.connections.tls import Tls

SourceOptions = Annotated[ModbusTcpSource | OpcUaSource | SimulatedSource, Field(discriminator="kind")]
AnySink = Annotated[MqttSink, Field()]

__all__ = [
    "AnySink",
    "ModbusDevice",
    "ModbusTag",
    "ModbusTcpSource",
    "MqttConnection",
    "MqttSink",
    "OpcUaDevice",
    "OpcUaSecurity",
    "OpcUaSource",
    "OpcUaTag",
    "OpcUaUser",
    "SimulatedDevice",
    "SimulatedSource",
    "SimulatedTag",
    "SourceOptions",
    "Tls",
]
