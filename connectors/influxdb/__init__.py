"""InfluxDB, version 2 of its write API: line protocol over HTTP."""

from connectors.influxdb.sink import InfluxDb

__all__ = ["InfluxDb"]
