"""A proxy between the gateway and its peer."""

from typing import Annotated, Literal

from pydantic import Field

from config.base import Host, Model, NamedSecret


class Proxy(Model):
    """The proxy a connection goes through; it looks up the peer's name itself, and TLS runs through it."""

    kind: Literal["http", "socks5"]
    """``http`` is asked for a tunnel by CONNECT; ``socks5`` is RFC 1928."""
    host: Host
    port: Annotated[int, Field(ge=1, le=65535)]
    username: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    password: NamedSecret | None = None
    """Neither kind encrypts it: whoever can listen between gateway and proxy reads it."""
