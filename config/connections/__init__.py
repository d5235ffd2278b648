"""One options model per kind of connection; the unions a plant file chooses from."""

from typing import Annotated

from pydantic import Field

from config.connections.influxdb import InfluxDbSink
from config.connections.modbus_tcp import ModbusDevice, ModbusTag, ModbusTcpSource
from config.connections.mqtt import MqttConnection, MqttSink
from config.connections.mqtt_source import MessageTime, MqttMessages, MqttSource, MqttTag
from config.connections.simulated import SimulatedDevice, SimulatedSource, SimulatedTag
from config.connections.tls import Tls

SourceOptions = Annotated[ModbusTcpSource | MqttSource | SimulatedSource, Field(discriminator="kind")]
AnySink = Annotated[MqttSink | InfluxDbSink, Field(discriminator="kind")]

__all__ = [
    "AnySink",
    "InfluxDbSink",
    "MessageTime",
    "ModbusDevice",
    "ModbusTag",
    "ModbusTcpSource",
    "MqttConnection",
    "MqttMessages",
    "MqttSink",
    "MqttSource",
    "MqttTag",
    "SimulatedDevice",
    "SimulatedSource",
    "SimulatedTag",
    "SourceOptions",
    "Tls",
]
