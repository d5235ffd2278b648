"""Sparkplug B as an edge node: births, data and deaths of the gateway's devices."""

from connectors.sparkplug.edge.sink import SparkplugEdge

__all__ = ["SparkplugEdge"]
