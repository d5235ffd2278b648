"""One row per tag and window instead of every reading, for sinks whose rule says `every … as …`."""

from gateway.thinning.thinner import Thinner, thinned_source

__all__ = ["Thinner", "thinned_source"]
