"""urllib3 on connections that are dialled here: through proxies, trusted and counted as everywhere."""

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from config.connections import InfluxDbSink, Tls
from connectors.contract import Certificate
from connectors.dial import Dial, Traffic

Shown = Callable[[Sequence[Certificate]], None]
"""Who wants to know what protects a connection."""
_KEPT: Final = ("timeout", "maxsize", "block", "headers", "retries")
"""What urllib3 says of a pool beside TLS, which is ours."""


def pools(options: InfluxDbSink, traffic: Traffic, shown: Shown) -> Mapping[str, type[HTTPConnectionPool]]:
    """Return what urllib3 is to make its connections with, for either scheme."""
    return {
        "http": _pool(options, None, traffic, shown),
        "https": _pool(options, options.tls or Tls(), traffic, shown),
    }


def _pool(options: InfluxDbSink, tls: Tls | None, traffic: Traffic, shown: Shown) -> type[HTTPConnectionPool]:
    class Dialled(HTTPConnection):
        dial: Dial | None = None

        def _new_conn(self) -> socket.socket:
            self.dial = Dial(
                self.host,
                self.port,
                seconds=options.timeout / 1e9,
                traffic=traffic,
                proxy=options.proxy,
                tls=tls,
            )
            sock = self.dial.connect()
            shown(self.dial.certificates)
            return sock

        def close(self) -> None:
            super().close()
            if self.dial is not None:
                self.dial.drop()

    class Pool(HTTPConnectionPool):
        ConnectionCls = Dialled

        def __init__(self, host: str, port: int | None = None, **how: Any) -> None:
            mine = {key: how[key] for key in _KEPT if key in how}
            super().__init__(host, port or (80 if tls is None else 443), **mine)

    return Pool
