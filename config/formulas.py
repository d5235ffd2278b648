"""From derived tags of the plant file to formulas over whole paths, in the order of their computing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from config.connections import Cjt188Tag, Dlt645Tag, ModbusTag, OpenSource, SimulatedTag
from config.derived import DerivedTag
from config.energy_meters import delivered, sources
from config.expression import Name, Program, names, parse, resolve
from config.glob import glob_pattern
from config.plant import Plant
from config.tags import TagOptions
from config.units import Unit

_LEVELS: Final = 5
_SCANS: Final = 3
"""So many of its own scans, or heartbeats, may a tag be silent before it counts as old …"""
_LEAST_NS: Final = 10_000_000_000
"""… but at least so long: a busy line is not an old value."""
_TEXTS: Final = ("text", "string")
_POLLED: Final = (ModbusTag, Dlt645Tag, Cjt188Tag, SimulatedTag)


class Known(NamedTuple):
    """A tag of the plant file a formula may name."""

    unit: Unit | None
    """Of its stored values; None where only the run will tell."""
    patience: int | None = None
    """How old it may be, ns; None: its silence says nothing."""
    is_text: bool = False
    is_derived: bool = False


class Input(NamedTuple):
    """A tag a formula is made of."""

    path: str
    unit: str | None
    """UNECE code of its stored values; None where only the run will tell."""
    patience: int | None
    """How old it may be, ns; None: its silence says nothing."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A derived tag whose program names whole paths."""

    device: str
    name: str
    path: str
    options: DerivedTag
    program: Program
    inputs: tuple[Input, ...]
    """The tags it names, each once."""


class Unresolved(ValueError):
    """A name in an expression leads to no tag, or not to one; `code` is the message's."""

    def __init__(self, code: str, name: str, found: Sequence[str] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.name = name
        self.found = found


class Names:
    """Every tag a formula may name, by its path and by device.tag."""

    def __init__(self, plant: Plant) -> None:
        self.known = dict(_known(plant))
        self.short: dict[str, list[str]] = {}
        for path in self.known:
            _, device, name = path.rsplit("/", 2)
            self.short.setdefault(f"{device}.{name}", []).append(path)
        # What an MQTT broker brings is known at run time only; its whole path may be named all the same.
        self._is_open = any(isinstance(source, OpenSource) for source in plant.sources.values())

    def of(self, name: Name, own: str) -> list[str]:
        """Return the paths a name stands for in the formula of the tag `own`; raise Unresolved."""
        if name.is_glob:
            return self._matching(name.text, own)
        paths = [name.text] if "/" in name.text else self.short.get(name.text, [])
        if len(paths) > 1:
            raise Unresolved("E-CF-1703", name.text, paths)
        if not paths or (paths[0] not in self.known and not self._may_come(paths[0])):
            raise Unresolved("E-CF-1702", name.text)
        return self._numbers(name.text, paths)

    def unit(self, path: str) -> Unit | None:
        """Return the unit of a tag's values, None where it is not known yet."""
        return self.known[path].unit if path in self.known else None

    def input(self, path: str) -> Input:
        """Return the tag as a formula takes it."""
        unit = self.unit(path)
        patience = self.known[path].patience if path in self.known else None
        return Input(path, None if unit is None else unit.code, patience)

    def _matching(self, glob: str, own: str) -> list[str]:
        # Not the derived ones: a total over everything would count other totals again.
        pattern = glob_pattern(glob)
        paths = [
            path
            for path, known in self.known.items()
            if not known.is_derived and path != own and pattern.fullmatch(path)
        ]
        if not paths:
            raise Unresolved("E-CF-1705", glob)
        return self._numbers(glob, paths)

    def _may_come(self, path: str) -> bool:
        return self._is_open and path.count("/") == _LEVELS - 1 and all(path.split("/"))

    def _numbers(self, name: str, paths: list[str]) -> list[str]:
        texts = [path for path in paths if path in self.known and self.known[path].is_text]
        if texts:
            raise Unresolved("E-CF-1704", name, texts[:3])
        return paths


def formula(plant: Plant, device: str, name: str, known: Names) -> Formula:
    """Return the formula of one derived tag; raise NotAnExpression or Unresolved."""
    place = plant.derived[device]
    path = f"{plant.gateway.site}/{place.at}/{device}/{name}"
    options = place.tags[name]
    program = resolve(parse(options.expression), partial(known.of, own=path))
    return Formula(device, name, path, options, program, tuple(map(known.input, names(program))))


def formulas(plant: Plant) -> list[Formula]:
    """Return all formulas of a plant without mistakes, each behind those it uses."""
    known = Names(plant)
    found = [formula(plant, device, name, known) for device, name in derived_tags(plant)]
    by_path = {each.path: each for each in found}
    ordered: dict[str, Formula] = {}

    def put(each: Formula) -> None:
        for path, *_ in each.inputs:
            if path in by_path and path not in ordered:
                put(by_path[path])
        ordered[each.path] = each

    for each in found:
        put(each)
    return list(ordered.values())


def derived_tags(plant: Plant) -> Iterator[tuple[str, str]]:
    """Yield device and name of every derived tag."""
    for device, options in plant.derived.items():
        for name in options.tags:
            yield device, name


def _known(plant: Plant) -> Iterator[tuple[str, Known]]:
    for source in sources(plant):
        if not isinstance(source.tag, DerivedTag):
            yield source.path, _of(source.tag, source.scan)
    for each in plant.sources.values():
        for name, device in each.devices.items():
            for tag_name, tag in device.tags.items():
                path = f"{plant.gateway.site}/{device.at}/{name}/{tag_name}"
                if tag.count > 1:
                    scan = getattr(tag, "scan", None) or device.scan
                    yield from ((f"{path}_{i}", _of(tag, scan)) for i in range(tag.count))
    for name, place in plant.derived.items():
        for tag_name, derived in place.tags.items():
            path = f"{plant.gateway.site}/{place.at}/{name}/{tag_name}"
            yield path, Known(delivered(derived), is_derived=True)


def _of(tag: TagOptions, scan: int) -> Known:
    # Polled tags without a deadband speak with every scan; what comes by exception speaks as it promised to.
    is_polled = isinstance(tag, _POLLED) and (tag.deadband is None or tag.counter)
    rhythm = scan if is_polled else tag.heartbeat
    patience = None if rhythm is None else max(_SCANS * rhythm, _LEAST_NS)
    is_text = getattr(tag, "type", "") in _TEXTS or getattr(tag, "shape", "") in _TEXTS
    return Known(delivered(tag), patience, is_text)
