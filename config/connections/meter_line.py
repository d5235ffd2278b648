"""A line of meters that speak a protocol of their own: a port of this machine, or a serial server's."""

from typing import Annotated

from pydantic import Field

from config.base import Host
from config.connections.serial_terms import SerialTerms


class MeterLine(SerialTerms):
    """Where the line is."""

    port: Annotated[str, Field(min_length=1)] | None = None
    """A port of this machine, ``/dev/ttyUSB0`` or ``COM3``; or else `host` and `tcp_port`."""
    host: Host | None = None
    """A serial server that hands on what comes on its line as it is."""
    tcp_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Of the serial server."""
    wake: Annotated[int, Field(ge=0, le=4)] = 4
    """Bytes FE before each request, to wake the meters."""
