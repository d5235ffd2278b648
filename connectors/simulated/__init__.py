"""The simulated source: the example to copy."""

from connectors.simulated.source import Simulated

__all__ = ["Simulated"]
