"""Values computed from the time: the smallest whole connector, the one to copy."""

import asyncio
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from config.connections import SimulatedDevice, SimulatedSource, SimulatedTag
from connectors.batch import Batch, Columns, one_time
from connectors.clock import Clock
from connectors.describe import array_names, describe, device_path, is_scaled
from connectors.quality import GOOD
from connectors.schedule import Schedule
from connectors.tags import Kind, Part, Tag, TagTable

_NOTICE: Final = 1_000_000_000
"""How long a change of devices may go unnoticed while nothing is due."""


class Simulated:
    """A source whose devices always answer."""

    def __init__(
        self, name: str, options: SimulatedSource, *, site: str, tags: TagTable, clock: Clock
    ) -> None:
        self._name = name
        self._options = options
        self._site = site
        self._tags = tags
        self._clock = clock
        self._numbers: dict[str, NDArray[np.int32]] = {}
        self._schedule = Schedule((), 0, 0)
        self._overruns = 0

    async def __aenter__(self) -> Self:
        """Announce the tags; there is nothing to connect to."""
        self._begin(self._options, {})
        return self

    def renew(self, options: SimulatedSource) -> bool:
        """Go on with these devices; those that are as before stay on their schedule."""
        before = self._options.devices
        self._begin(
            options,
            {name: place for place, name in enumerate(before) if options.devices.get(name) == before[name]},
        )
        return True

    async def read(self) -> Batch:
        """Wait for the next scan and return one device's values."""
        while True:
            options, now = self._options, self._clock.now()
            place, wait = self._schedule.next(now)
            # By the same reading: a step between two would be slept through.
            await asyncio.sleep(min(wait, _NOTICE) / 1e9)
            if self._options is options and wait <= _NOTICE:
                break
        name, device = list(options.devices.items())[place]
        self._overruns += self._schedule.answered(place, self._clock.now(), self._clock.monotonic())
        return self._compute(name, (now + wait) // device.scan * device.scan)

    async def ack(self, batch: Batch) -> None:
        """Nothing to forget: the values can be computed again."""

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Nothing to close."""

    def statistics(self) -> dict[str, int]:
        """Return how many scans fell out because nobody asked in time."""
        return {"overruns": self._overruns}

    def devices(self) -> list[str]:
        """Return the devices' names."""
        return list(self._options.devices)

    async def scan(self, device: str) -> Batch:
        """Compute the device's values of now."""
        return self._compute(device, self._clock.now())

    def _begin(self, options: SimulatedSource, kept: dict[str, int]) -> None:
        """Announce these devices; `kept` are the places of those that go on."""
        now, steady = self._clock.now(), self._clock.monotonic()
        self._options = options
        described = [self._describe(name, device) for name, device in options.devices.items()]
        numbers = self._tags.announce_each(described)
        self._numbers = dict(zip(options.devices, numbers, strict=True))
        scans = [device.scan for device in options.devices.values()]
        places = [kept.get(name) for name in options.devices]
        self._schedule = self._schedule.renewed(scans, places, now, steady)
        for place, name in enumerate(options.devices):
            if name not in kept:
                # The multiple just passed is not due: who was there before may have computed it.
                self._schedule.answered(place, now, steady)
        self._tags.keep_only(self._name, np.concatenate(numbers))

    def _describe(self, name: str, device: SimulatedDevice) -> list[Tag]:
        path = device_path(self._site, device.at, name)
        return [
            describe(self._name, f"{path}/{each}", _kind(tag), tag)
            for tag_name, tag in device.tags.items()
            for each in array_names(tag_name, tag.count)
        ]

    def _compute(self, name: str, time: int) -> Batch:
        numbers = self._numbers[name]
        values = np.concatenate(
            [_values(tag, time) for tag in self._options.devices[name].tags.values()], dtype=object
        )
        is_text = self._tags.kind[numbers] == Kind.TEXT
        parts = [
            Columns(
                numbers[rows],
                one_time(time, int(rows.sum())),
                values[rows].astype(object if part is Part.TEXT else np.float64),
                np.full(rows.sum(), GOOD, np.uint32),
            )
            for part, rows in ((Part.NUMBER, ~is_text), (Part.TEXT, is_text))
            if rows.any()
        ]
        return Batch(tuple(parts), self._clock.now())


def _kind(tag: SimulatedTag) -> Kind:
    if tag.shape == "text":
        return Kind.TEXT
    return Kind.BOOL if tag.shape == "square" and not is_scaled(tag) else Kind.FLOAT64


def _values(tag: SimulatedTag, time: int) -> NDArray[Any]:
    phase = time / tag.period + np.arange(tag.count) / tag.count
    span = tag.high_value - tag.low_value
    match tag.shape:
        case "constant":
            return np.full(tag.count, tag.high_value)
        case "ramp":
            return tag.low_value + span * (phase % 1)
        case "sine":
            return tag.low_value + span * (1 + np.sin(2 * np.pi * phase)) / 2
        case "counter":
            return np.floor(tag.high_value * phase)
        case "square":
            return (phase % 1 < 0.5).astype(np.float64)
        case "text":
            return np.array([f"batch {int(p)}" for p in phase], dtype=object)
