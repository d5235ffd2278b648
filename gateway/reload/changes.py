"""What has to begin anew when one plant takes the place of another, and what goes on untouched. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from config.energy_meters import meters
from config.formulas import formulas
from config.plant import Plant

How = Literal["added", "removed", "changed"]
Part = Literal["source", "sink", "derived", "history", "energy", "page", "words", "webhook"]
_FIXED: Final = ("id", "site", "data_dir", "http_port", "reach")
"""Of `gateway`: who this is, where its data are, how far it may reach; nobody changes that while running."""

_STAYS: Final = ("modbus_tcp", "modbus_serial", "dlt645", "cjt188", "simulated")
"""Kinds of sources whose connection stays while their devices change (`connectors.Renewable`)."""


@dataclass(frozen=True, slots=True)
class Change:
    """One part that begins anew, begins, or ends."""

    part: Part
    name: str
    """Of the source or sink; empty for what there is one of."""
    how: How
    devices: tuple[str, ...] = ()
    """Of a source whose connection stays: the devices that are added, removed or changed."""


class NeedsRestart(Exception):
    """These settings, by their path in the file, are taken over at the next start only."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        super().__init__(", ".join(paths))
        self.paths = paths


def differences(old: Plant, new: Plant) -> tuple[Change, ...]:
    """Return what changes, what feeds the log first; nothing where both plants ask for the same.

    Raises:
        NeedsRestart: something changed that can't while the gateway runs.
    """
    fixed = [f"gateway.{name}" for name in _FIXED if getattr(old.gateway, name) != getattr(new.gateway, name)]
    if old.buffer != new.buffer:
        fixed.append("buffer")
    if fixed:
        raise NeedsRestart(tuple(fixed))
    return tuple(_differences(old, new))


def _differences(old: Plant, new: Plant) -> Iterator[Change]:
    yield from _sources(old, new)
    for name, how in _named(old.sinks, new.sinks):
        yield Change("sink", name, how)
    if formulas(old) != formulas(new):
        yield Change("derived", "", _how(bool(old.derived), bool(new.derived)))
    if old.history != new.history:
        yield Change("history", "", _how(old.history.enabled, new.history.enabled))
    books = _books(old), _books(new)
    if books[0] != books[1]:
        yield Change("energy", "", _how(bool(meters(old)), bool(meters(new))))
    for name, how in _named(old.alarms.webhooks, new.alarms.webhooks):
        yield Change("webhook", name, how)
    if old.page != new.page:
        yield Change("page", "", _how(old.page.enabled, new.page.enabled))
    if (old.gateway.language, old.gateway.library) != (new.gateway.language, new.gateway.library):
        yield Change("words", "", "changed")


def _sources(old: Plant, new: Plant) -> Iterator[Change]:
    for name, how in _named(old.sources, new.sources):
        devices: tuple[str, ...] = ()
        if how == "changed":
            was, now = old.sources[name], new.sources[name]
            if was.kind == now.kind in _STAYS and _without_devices(was) == _without_devices(now):
                devices = tuple(device for device, _ in _named(was.devices, now.devices))
        yield Change("source", name, how, devices)


def _named(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[tuple[str, How]]:
    for name in old:
        if name not in new:
            yield name, "removed"
        elif old[name] != new[name]:
            yield name, "changed"
    for name in new:
        if name not in old:
            yield name, "added"


def _how(was: bool, now: bool) -> How:
    if was and now:
        return "changed"
    return "added" if now else "removed"


def _without_devices(source: object) -> dict[str, object]:
    return {name: value for name, value in source if name != "devices"}  # type: ignore[attr-defined]


def _books(plant: Plant) -> tuple[object, ...]:
    zone = plant.gateway.time_zone
    return plant.energy, plant.calendar, plant.tariff, plant.carbon, meters(plant), zone
