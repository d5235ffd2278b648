"""What sinks move over the network, by the plant's day, and what stops one at its day's cap."""

from gateway.metered.days import Days
from gateway.metered.meter import Meter

__all__ = ["Days", "Meter"]
