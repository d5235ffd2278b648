"""Modbus: pure plan and decode, one source that speaks."""

from connectors.modbus.plan import describe_plan
from connectors.modbus.source import ModbusTcp

__all__ = ["ModbusTcp", "describe_plan"]
