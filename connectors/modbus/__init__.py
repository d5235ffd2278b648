"""Modbus: pure plan and decode, one source that speaks over whatever line."""

from connectors.modbus.plan import describe_plan
from connectors.modbus.source import Modbus
from connectors.modbus.tcp import TcpLine

__all__ = ["Modbus", "TcpLine", "describe_plan"]
