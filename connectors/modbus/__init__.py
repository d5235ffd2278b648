"""Modbus: pure plan and decode, one source that speaks."""
