"""Tags computed from tags of several devices."""

from gateway.derive.derive import DERIVED, Deriver

__all__ = ["DERIVED", "Deriver"]
