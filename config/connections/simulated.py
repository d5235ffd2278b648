"""The simulated source: values computed from the time, to try a plant file and to copy a connector from."""

from typing import Annotated, Literal

from pydantic import Field

from config.base import DeviceName, Duration, Model, Name, Number
from config.tags import DeviceOptions, TagOptions


class SimulatedTag(TagOptions):
    """One computed value."""

    shape: Literal["constant", "ramp", "sine", "counter", "square", "text"] = "sine"
    low_value: Number = 0.0
    high_value: Number = 100.0
    period: Annotated[Duration, Field(ge=1_000_000)] = 60_000_000_000
    """One whole wave, or the time in which a counter grows by ``high_value``."""
    count: Annotated[int, Field(ge=1, le=100_000)] = 1
    """An array: this many values, named name_0, name_1 …"""


class SimulatedDevice(DeviceOptions):
    """One simulated device."""

    scan: Annotated[Duration, Field(ge=1_000_000)] = 1_000_000_000
    """Scan interval."""
    tags: Annotated[dict[Name, SimulatedTag], Field(min_length=1)]


class SimulatedSource(Model):
    """Simulated devices."""

    kind: Literal["simulated"]
    devices: Annotated[dict[DeviceName, SimulatedDevice], Field(min_length=1)]
    """By name; ``machine_{1..10}`` stands for ten alike."""
