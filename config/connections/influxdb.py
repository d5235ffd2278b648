"""InfluxDB: where the database is, how it is trusted, and how much it is sent at once."""

from typing import Annotated, Literal

from pydantic import Field

from config.base import Duration, NamedSecret, Size
from config.connections.tls import Tls
from config.proxy import Proxy
from config.select import SinkOptions


class InfluxDbSink(SinkOptions):
    """Write to InfluxDB 2 or 3, or to VictoriaMetrics, by the v2 write API, one point per row."""

    kind: Literal["influxdb"]
    url: Annotated[str, Field(min_length=1, max_length=500)]
    """``http://host:port`` or ``https://host:port``, with a path where a proxy wants one."""
    org: Annotated[str, Field(min_length=1, max_length=200)] = "-"
    """Organisation; InfluxDB 2 needs it, InfluxDB 3 and VictoriaMetrics do not look at it."""
    bucket: Annotated[str, Field(min_length=1, max_length=200)]
    """Bucket of InfluxDB 2, database of InfluxDB 3; VictoriaMetrics does not look at it."""
    token: NamedSecret | None = None
    """With the right to write to the bucket."""
    tls: Tls | None = None
    """For https; the machine's own trust store when absent."""
    proxy: Proxy | None = None
    measurement: Annotated[str, Field(pattern=r"^[^\s,=\\\"#_][^\s,=\\\"]{0,63}$")] = "wanglian"
    """Name of the table; of VictoriaMetrics' series the first half."""
    gzip: bool = False
    """Compress: an eighth of the bytes for ten times the work; for slow links."""
    timeout: Annotated[Duration, Field(ge=100_000_000, le=600_000_000_000)] = 10_000_000_000
    """For each of connecting, sending and waiting for the answer."""
    batch_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    """Most rows of one request."""
    batch_bytes: Annotated[Size, Field(ge=1024, le=2**30)] = 4 * 2**20
    """Most bytes of one request, before compression. On a slow line requests shrink by themselves."""
