"""Read every device once and say what came: the integrator's first proof that the wiring is right."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from config.plant import Plant
from config.problems import Language
from config.reasons import in_words
from config.units import find_unit
from connectors import Batch, Kind, Listenable, NotConnected, Scannable, SystemClock, TagTable
from connectors.describe import device_path
from connectors.factory import build_source
from connectors.quality import name as quality_name
from gateway.console import say
from gateway.pipeline import ClockWatch, build_pipeline
from gateway.review import held_in

DEVICE_WITHIN_S = 30.0
"""A device that has not answered in this time has not answered."""
LISTEN_S = 5.0
"""How long a source that can't be asked is listened to."""


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
    held: bool = False
    """It is read otherwise than before and waits for `wanglian review`: the gateway keeps it as Uncertain."""

    @property
    def is_good(self) -> bool:
        """Tell whether the value can be believed."""
        return self.quality.startswith("Good")

    def cells(self, language: Language) -> tuple[str, ...]:
        """Return the row of a table."""
        latency = "" if self.latency_ms is None else f"{self.latency_ms:.1f} ms"
        value = (
            in_words(self.error, language)
            if self.value is None
            else _digits(self.value)
            if isinstance(self.value, float)
            else str(self.value)
        )
        quality = f"{self.quality}, {say(language, 'probe.is_held')}" if self.held else self.quality
        return (self.device, self.tag, value, self.unit, quality, latency)

    def as_dict(self) -> dict[str, Any]:
        """Return the row for programs."""
        return {name: getattr(self, name) for name in self.__slots__}


async def probe_plant(plant: Plant, directory: Path) -> list[Reading]:
    """Read every device of every source once, sources side by side; tell what waits for a person.

    Raises sqlite3.Error and NewerFormat where the list of what waits can't be read.
    """
    found = await asyncio.gather(*(_probe_source(plant, name, directory) for name in plant.sources))
    held = {each.path for each in held_in(directory, SystemClock())}
    return [
        replace(reading, held=f"{reading.device}/{reading.tag}" in held)
        for readings in found
        for reading in readings
    ]


async def _probe_source(plant: Plant, name: str, directory: Path) -> list[Reading]:
    options = plant.sources[name]
    gateway = plant.gateway
    tags, clock = TagTable(), SystemClock()
    readings: list[Reading] = []
    waiting = list(options.devices)
    if not waiting:
        return await _listen(plant, name, directory)
    while waiting:
        connected = False
        try:
            async with build_source(
                name,
                options,
                gateway=gateway.id,
                site=gateway.site,
                tags=tags,
                clock=clock,
                directory=directory,
            ) as source:
                if not isinstance(source, Scannable):
                    return [Reading(name, "", None, "", "BadNotSupported", None)]
                connected = True
                pipeline = build_pipeline(tags, ClockWatch(clock))
                while waiting:
                    began = clock.monotonic()
                    async with asyncio.timeout(DEVICE_WITHIN_S):
                        batch = pipeline(await source.scan(waiting[0]))
                    if batch is not None:
                        readings += _readings(batch, tags, (clock.monotonic() - began) / 1e6)
                    waiting.pop(0)
        except (NotConnected, TimeoutError) as exc:
            # A device that cuts the line says nothing about those behind it; a line that is not there does.
            silent = waiting[:1] if connected else waiting
            waiting = waiting[len(silent) :]
            error = str(exc) or f"no answer in {DEVICE_WITHIN_S:g} s"
            for device in silent:
                path = device_path(gateway.site, options.devices[device].at, device)
                readings.append(Reading(path, "", None, "", "BadNoCommunication", None, error))
    return readings


async def _listen(plant: Plant, name: str, directory: Path) -> list[Reading]:
    """Return the newest of each tag of a source whose devices speak by themselves."""
    gateway = plant.gateway
    tags, clock = TagTable(), SystemClock()
    source = build_source(
        name,
        plant.sources[name],
        gateway=gateway.id,
        site=gateway.site,
        tags=tags,
        clock=clock,
        directory=directory,
    )
    if not isinstance(source, Listenable):
        return [Reading(name, "", None, "", "BadNotSupported", None)]
    try:
        batch = await source.listen(LISTEN_S)
    except NotConnected as exc:
        return [Reading(name, "", None, "", "BadNoCommunication", None, str(exc))]
    stored = None if batch is None else build_pipeline(tags, ClockWatch(clock))(batch)
    if stored is None:
        error = f"no message with a value in it came within {LISTEN_S:g} s"
        return [Reading(name, "", None, "", "BadWaitingForInitialData", None, error)]
    newest = {(each.device, each.tag): each for each in _readings(stored, tags, None)}
    return list(newest.values())


def _readings(batch: Batch, tags: TagTable, latency_ms: float | None) -> list[Reading]:
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


def _digits(value: float) -> str:
    """Return every digit a meter's display could show, and none that float32 made up."""
    short = np.float32(value)
    return np.format_float_positional(short, trim="-") if float(short) == value else f"{value:.12g}"


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
