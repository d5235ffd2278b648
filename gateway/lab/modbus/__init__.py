"""Modbus equipment that goes wrong: over TCP, on a serial line, behind a serial server."""
