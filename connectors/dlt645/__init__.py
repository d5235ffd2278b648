"""DL/T 645-2007: meters on a line, read; there is no way to write one."""

from connectors.dlt645.source import Dlt645, describe_meters, line, line_load

__all__ = ["Dlt645", "describe_meters", "line", "line_load"]
