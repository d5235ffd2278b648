"""Read every device once and say what came: the integrator's first proof that the wiring is right."""

import asyncio
from dataclasses import dataclass
from typing import Any

from config.plant import Plant
from config.units import find_unit
from connectors import Batch, Kind, NotConnected, Scannable, SystemClock, TagTable
from connectors.factory import build_source
from connectors.quality import name as quality_name
from gateway.pipeline import build_pipeline

DEVICE_WITHIN_S = 30.0
"""A device that has not answered in this time has not answered."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One tag as it was read."""

    device: str
    tag: str
    value: Any
    unit: str
    quality: str
    latency_ms: float | None
    error: str = ""

    @property
    def is_good(self) -> bool:
        """Tell whether the value can be believed."""
        return self.quality.startswith("Good")

    def cells(self) -> tuple[str, ...]:
        """Return the row of a table."""
        latency = "" if self.latency_ms is None else f"{self.latency_ms:.1f} ms"
        value = (
            self.error
            if self.value is None
            else f"{self.value:.6g}"
            if isinstance(self.value, float)
            else str(self.value)
        )
        return (self.device, self.tag, value, self.unit, self.quality, latency)

    def as_dict(self) -> dict[str, Any]:
        """Return the row for programs."""
        return {name: getattr(self, name) for name in self.__slots__}


async def probe_plant(plant: Plant) -> list[Reading]:
    """Read every device of every source once, sources side by side."""
    found = await asyncio.gather(*(_probe_source(plant, name) for name in plant.sources))
    return [reading for readings in found for reading in readings]


async def _probe_source(plant: Plant, name: str) -> list[Reading]:
    tags, clock = TagTable(), SystemClock()
    source = build_source(name, plant.sources[name], site=plant.gateway.site, tags=tags, clock=clock)
    try:
        async with source:
            if not isinstance(source, Scannable):
                return [Reading(name, "", None, "", "BadNotSupported", None)]
            readings: list[Reading] = []
            pipeline = build_pipeline(tags, clock)
            for device in source.devices():
                began = clock.monotonic()
                async with asyncio.timeout(DEVICE_WITHIN_S):
                    batch = pipeline(await source.scan(device))
                if batch is not None:
                    readings += _readings(batch, tags, (clock.monotonic() - began) / 1e6)
            return readings
    except (NotConnected, TimeoutError) as exc:
        return [
            Reading(device, "", None, "", "BadNoCommunication", None, str(exc) or "timeout")
            for device in plant.sources[name].devices
        ]


def _readings(batch: Batch, tags: TagTable, latency_ms: float) -> list[Reading]:
    readings = []
    for part in batch.parts:
        for number, value, quality in zip(
            part.tag.tolist(), part.value.tolist(), part.quality.tolist(), strict=True
        ):
            tag = tags[number]
            unit = find_unit(tag.unit)
            shown = None if quality >= 0x80000000 else _shown(tag.kind, value)
            symbol = unit.symbol if unit else tag.unit
            readings.append(Reading(tag.device, tag.name, shown, symbol, quality_name(quality), latency_ms))
    return readings


def _shown(kind: Kind, value: Any) -> Any:
    match kind:
        case Kind.BOOL:
            return bool(value)
        case Kind.INT32:
            return int(value)
        case Kind.UINT64:
            return value & 0xFFFFFFFFFFFFFFFF
        case _:
            return value
