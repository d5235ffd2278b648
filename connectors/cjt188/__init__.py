"""CJ/T 188: water, heat and gas meters on a line, read; there is no way to write one."""

from connectors.cjt188.source import Cjt188, describe_meters, line, line_load

__all__ = ["Cjt188", "describe_meters", "line", "line_load"]
