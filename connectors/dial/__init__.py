"""The one way to a peer over TCP: through a proxy or not, with TLS or not, counted, within one deadline."""

from connectors.dial.dial import Dial
from connectors.dial.stream import Stream
from connectors.dial.traffic import COUNTED, Traffic

__all__ = ["COUNTED", "Dial", "Stream", "Traffic"]
