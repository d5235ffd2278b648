"""One options model per kind of connection; the unions a plant file chooses from."""

from typing import Annotated

from pydantic import Field

from config.connections.cjt188 import Cjt188Device, Cjt188Source, Cjt188Tag
from config.connections.dlt645 import Dlt645Device, Dlt645Source, Dlt645Tag
from config.connections.influxdb import InfluxDbSink
from config.connections.modbus_serial import ModbusSerialSource
from config.connections.modbus_tcp import ModbusDevice, ModbusTag, ModbusTcpSource
from config.connections.mqtt import MqttConnection, MqttPublishing, MqttSink, MqttSubscription
from config.connections.mqtt_forms import (
    AnnouncedForm,
    JsonForm,
    MqttForm,
    PerTagForm,
    TemplateForm,
    TimeForm,
    ValuesForm,
)
from config.connections.mqtt_source import MessageTime, MqttMessages, MqttSource, MqttTag
from config.connections.opcua import OpcUaDevice, OpcUaNodes, OpcUaSecurity, OpcUaSource, OpcUaTag, OpcUaUser
from config.connections.open import OpenSource
from config.connections.platforms import (
    AliyunDevice,
    AliyunForm,
    HuaweiDevice,
    HuaweiForm,
    OneNetDevice,
    OneNetForm,
    PlatformForm,
    ThingsBoardForm,
)
from config.connections.simulated import SimulatedDevice, SimulatedSource, SimulatedTag
from config.connections.sparkplug import SparkplugNodes, SparkplugSource, SparkplugTag
from config.connections.sparkplug_edge import SparkplugSink
from config.connections.tls import Tls
from config.proxy import Proxy

AnySink = Annotated[MqttSink | InfluxDbSink | SparkplugSink, Field(discriminator="kind")]
SourceOptions = Annotated[
    ModbusTcpSource
    | ModbusSerialSource
    | Dlt645Source
    | Cjt188Source
    | MqttSource
    | OpcUaSource
    | SimulatedSource
    | SparkplugSource,
    Field(discriminator="kind"),
]

__all__ = [
    "AliyunDevice",
    "AliyunForm",
    "AnnouncedForm",
    "AnySink",
    "Cjt188Device",
    "Cjt188Source",
    "Cjt188Tag",
    "Dlt645Device",
    "Dlt645Source",
    "Dlt645Tag",
    "HuaweiDevice",
    "HuaweiForm",
    "InfluxDbSink",
    "JsonForm",
    "MessageTime",
    "ModbusDevice",
    "ModbusSerialSource",
    "ModbusTag",
    "ModbusTcpSource",
    "MqttConnection",
    "MqttForm",
    "MqttMessages",
    "MqttPublishing",
    "MqttSink",
    "MqttSource",
    "MqttSubscription",
    "MqttTag",
    "OneNetDevice",
    "OneNetForm",
    "OpcUaDevice",
    "OpcUaNodes",
    "OpcUaSecurity",
    "OpcUaSource",
    "OpcUaTag",
    "OpcUaUser",
    "OpenSource",
    "PerTagForm",
    "PlatformForm",
    "Proxy",
    "SimulatedDevice",
    "SimulatedSource",
    "SimulatedTag",
    "SourceOptions",
    "SparkplugNodes",
    "SparkplugSink",
    "SparkplugSource",
    "SparkplugTag",
    "TemplateForm",
    "ThingsBoardForm",
    "TimeForm",
    "Tls",
    "ValuesForm",
]
