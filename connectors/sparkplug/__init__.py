"""Sparkplug B: a host application that reads edge nodes, on a codec of its own."""

from connectors.sparkplug.source import Sparkplug

__all__ = ["Sparkplug"]
