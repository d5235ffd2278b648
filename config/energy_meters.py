"""From the plant file to the meters there are: those that come by themselves, corrected, and the others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from config.connections import Cjt188Tag, Dlt645Tag, ModbusTag, MqttSource, MqttTag, OpcUaTag, SimulatedTag
from config.derived import DerivedTag
from config.energy import Medium, MeterOptions, media
from config.energy_expression import Linear, linear
from config.energy_times import to_ns
from config.expression import NotAnExpression
from config.plant import Plant
from config.tags import TagOptions
from config.units import Unit

AnyTag = Cjt188Tag | Dlt645Tag | ModbusTag | OpcUaTag | SimulatedTag | MqttTag | DerivedTag
_SCALED: Final = (ModbusTag, Dlt645Tag, Cjt188Tag)
QUANTA: Final = 1_000
"""Book quanta in one step of the reading."""
DEFAULT_STEP: Final = Decimal("0.01")
"""Of a reading that is not an integer in its register, in the books' unit."""
_MANUAL_SCAN_NS: Final = 35 * 86_400_000_000_000
_MQTT_SCAN_NS: Final = 900_000_000_000
_DERIVED_SCAN_NS: Final = 60_000_000_000
_BITS: Final = {
    "uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64, "int8": 7, "int16": 15, "int32": 31, "int64": 63,
}  # fmt: skip


class Source(NamedTuple):
    """A tag of the plant file that may be metered."""

    path: str
    device: str
    """Path of the device within the site."""
    name: str
    tag: AnyTag
    scan: int
    """ns."""
    ratio: float | None
    """The device's ct × pt, where the plant file gives them."""


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter as the books see it. Readings are whole numbers of `quantum`, which is resolution / 1000."""

    name: str
    kind: Literal["counter", "power", "virtual", "manual"]
    medium: Medium
    tag: str
    """Full path of the counter or the power; empty for virtual and manual ones."""
    node: str
    """Path in the tree, site first; what it measures."""
    resolution: Decimal
    """Smallest step of the reading, in the medium's unit, before transformer ratios by date."""
    to_unit: Fraction
    """Medium's units in one unit of the tag or of the manual reading."""
    rollover: int | None = None
    """Quanta at which the reading begins again at 0; None: it never does."""
    maximum: Decimal = Decimal(0)
    """Most in an hour, in the medium's unit, behind the transformers."""
    is_maximum_assumed: bool = True
    is_single: bool = False
    """The register is a float32: its step grows with its value."""
    scan: int = 1_000_000_000
    """ns between two readings, as asked for."""
    parent: str | None = None
    ratios: tuple[tuple[int, Fraction], ...] = ()
    """From when (ns UTC) which ratio multiplies the reading; 1 before the first."""
    swaps: tuple[tuple[int, int, int | None], ...] = ()
    """(when, start, final) in ns UTC and quanta."""
    terms: Linear = field(default_factory=dict)
    """Of a virtual meter: how many times each meter."""
    overdue_from: int | None = None
    """ns UTC from which its verification is overdue."""
    options: MeterOptions = field(default_factory=MeterOptions)
    formerly: tuple[str, ...] = ()
    """Names it may have had before its device was renamed: its books go on."""

    @property
    def quantum(self) -> Fraction:
        """Return what one book quantum is, in the medium's unit."""
        return Fraction(self.resolution) / QUANTA

    @property
    def is_read(self) -> bool:
        """Tell whether it has readings of its own."""
        return self.kind != "virtual"


def sources(plant: Plant) -> Iterator[Source]:
    """Yield every single tag of the plant file; arrays and what an MQTT broker may bring are left out."""
    for source in plant.sources.values():
        if isinstance(source, MqttSource):
            yield from _messages(plant, source)
            continue
        for device_name, device in source.devices.items():
            place = f"{device.at}/{device_name}"
            given = [each for each in (getattr(device, "ct", None), getattr(device, "pt", None)) if each]
            ratio = None if not given else float(given[0] * (given[1] if len(given) > 1 else 1))
            for name, tag in device.tags.items():
                if tag.count == 1:
                    path = f"{plant.gateway.site}/{place}/{name}"
                    scan = getattr(tag, "scan", None) or device.scan
                    yield Source(path, place, name, tag, scan, ratio)
    for device_name, derived in plant.derived.items():
        place = f"{derived.at}/{device_name}"
        for name, made in derived.tags.items():
            path = f"{plant.gateway.site}/{place}/{name}"
            yield Source(path, place, name, made, _DERIVED_SCAN_NS, None)


def _messages(plant: Plant, source: MqttSource) -> Iterator[Source]:
    """Yield tags whose device, place and name are spelled out."""
    for entry in source.messages:
        for name, tag in entry.tags.items():
            place = f"{entry.at}/{entry.device}"
            if "{" not in place + name:
                yield Source(f"{plant.gateway.site}/{place}/{name}", place, name, tag, _MQTT_SCAN_NS, None)


def by_themselves(plant: Plant) -> dict[str, tuple[Source, Medium]]:
    """Return the counters that are meters without a word, by the name the meter has."""
    best: dict[tuple[str, str], tuple[int, Source, Medium]] = {}
    for source in sources(plant):
        if isinstance(source.tag, DerivedTag):
            continue  # made of counters that are booked already
        for medium in media().values():
            if source.name in medium.names and is_counter(source.tag):
                rank, key = medium.names.index(source.name), (source.device, medium.name)
                if delivered(source.tag).quantity in medium.quantities and (
                    key not in best or rank < best[key][0]
                ):
                    best[key] = rank, source, medium
    last = [device.rpartition("/")[2] for device in {device for device, _ in best}]
    found = {}
    for (device, _), (_, source, medium) in best.items():
        short = device.rpartition("/")[2]
        name = short if last.count(short) == 1 else device.replace("/", ".")
        found[name if not medium.suffix else f"{name}.{medium.suffix}"] = source, medium
    return found


def is_counter(tag: AnyTag) -> bool:
    """Tell whether a tag is a number's running total."""
    return tag.counter or (isinstance(tag, SimulatedTag) and tag.shape == "counter")


def delivered(tag: TagOptions) -> Unit:
    """Return the unit in which a tag's values are stored."""
    return tag.deliver_as or tag.unit


def meters(plant: Plant) -> dict[str, Meter]:
    """Return every meter of a plant whose energy section has no mistakes, by name, sorted.

    The order is the same for the same plant file. Meters with mistakes are left out.
    """
    if not plant.energy.enabled:
        return {}
    known = {source.path: source for source in sources(plant)}
    own = by_themselves(plant)
    given = plant.energy.meters
    renamed = plant.renamed
    taken = {path for each in given.values() if each.enabled for path in (each.tag, each.power)}
    found = {}
    for name in sorted({*own, *given}):
        options = _beside(name, own, given)
        source = own[name][0] if name in own else None
        if has_source(options):
            source = known.get(options.tag or options.power or "")
        elif source is None or source.path in taken:
            continue
        medium = medium_of(name, plant, own) if options.enabled else None
        meter = None if medium is None else _meter(plant, name, options, source, medium)
        if meter is not None:
            path = "" if name not in own else f"{plant.gateway.site}/{own[name][0].device}"
            old = renamed.get(path)
            found[name] = meter if old is None else replace(meter, formerly=_formerly(old, own[name][1]))
    return found


def _formerly(old: str, medium: Medium) -> tuple[str, ...]:
    """Return the names a meter has by itself whose device has this path."""
    names = (old.rpartition("/")[2], old.partition("/")[2].replace("/", "."))
    return tuple(name if not medium.suffix else f"{name}.{medium.suffix}" for name in names)


def _beside(
    name: str, own: Mapping[str, tuple[Source, Medium]], given: Mapping[str, MeterOptions]
) -> MeterOptions:
    """Return a meter's options; a device's export and reactive counters measure where its import does.

    So they stand at the same place of the tree, and hang behind the same counter of the meter before.
    """
    options = given.get(name, MeterOptions())
    suffix = own[name][1].suffix if name in own else ""
    base = given.get(name.removesuffix(f".{suffix}"))
    if not suffix or base is None or has_source(options) or has_source(base):
        return options
    behind = f"{base.parent}.{suffix}"
    return options.model_copy(
        update={
            "at": base.at if options.at is None else options.at,
            "parent": behind if options.parent is None and behind in {*own, *given} else options.parent,
        }
    )


def has_source(options: MeterOptions) -> bool:
    """Tell whether the plant file says where the readings come from."""
    return bool(options.tag or options.power or options.expression or options.manual)


def medium_of(
    name: str, plant: Plant, own: Mapping[str, tuple[Source, Medium]], deep: int = 0
) -> Medium | None:
    """Return what a meter counts: as written, else as its counter's name says, else as its first term."""
    options = plant.energy.meters.get(name, MeterOptions())
    if options.medium is not None:
        return media().get(options.medium)
    if options.expression is not None:
        try:
            first = next(iter(linear(options.expression)), None)
        except NotAnExpression:
            return None
        return None if first is None or deep > 20 else medium_of(first, plant, own, deep + 1)
    if options.power is not None:
        return media()["electricity"]
    if options.tag is not None:
        word = options.tag.rpartition("/")[2]
        return next((each for each in media().values() if word in each.names), None)
    return own[name][1] if name in own and not options.manual else None


def _meter(
    plant: Plant, name: str, options: MeterOptions, source: Source | None, medium: Medium
) -> Meter | None:
    zone, site = plant.gateway.zone, plant.gateway.site
    kind: Literal["counter", "power", "virtual", "manual"] = "counter"
    terms: Linear = {}
    if options.expression is not None:
        kind = "virtual"
        try:
            terms = linear(options.expression)
        except NotAnExpression:
            return None
    elif options.manual:
        kind = "manual"
    elif options.power is not None:
        kind = "power"
    path = options.tag or options.power or (source.path if source else "")
    unit = options.unit or (delivered(source.tag) if source else medium.unit)
    to_unit = medium_units(unit, medium) if kind != "power" else Fraction(1)
    resolution = resolution_of(options, source if kind == "counter" else None, to_unit)
    quantum = Fraction(resolution) / QUANTA
    where = options.at if options.at is not None else path.partition("/")[2].rpartition("/")[0] or "-"
    maximum = Decimal(repr(options.maximum)) if options.maximum else medium.maximum
    return Meter(
        name=name,
        kind=kind,
        medium=medium,
        tag=path,
        node=site if where == "-" else f"{site}/{where}",
        resolution=resolution,
        to_unit=to_unit,
        rollover=_rollover(options, source, to_unit, quantum) if kind in ("counter", "manual") else None,
        maximum=maximum,
        is_maximum_assumed=options.maximum is None,
        is_single=kind == "counter" and isinstance(getattr(source, "tag", None), ModbusTag)
        and getattr(source.tag if source else None, "type", "") == "float32",
        scan=_MANUAL_SCAN_NS if kind == "manual" else source.scan if source else _MQTT_SCAN_NS,
        parent=options.parent,
        ratios=tuple(
            (to_ns(each.from_, zone), fraction(each.ct) * fraction(each.pt)) for each in options.ratios
        ),
        swaps=tuple(
            (
                to_ns(each.at, zone),
                round(fraction(each.start) / quantum),
                None if each.final is None else round(fraction(each.final) / quantum),
            )
            for each in options.swaps
        ),
        terms=terms,
        overdue_from=_overdue(options.verify_by, zone),
        options=options,
    )  # fmt: skip


def fraction(number: float) -> Fraction:
    """Return the number a person wrote, exactly: 0.1 is a tenth."""
    return Fraction(Decimal(repr(float(number))))


def medium_units(unit: Unit, medium: Medium) -> Fraction:
    """Return how many of the medium's units one of this unit is."""
    return fraction(unit.factor) / fraction(medium.unit.factor)


def resolution_of(options: MeterOptions, source: Source | None, to_unit: Fraction) -> Decimal:
    """Return the smallest step of the reading: as written, else the register's, else a hundredth."""
    if options.resolution is not None:
        return Decimal(repr(options.resolution))
    tag = source.tag if source else None
    if isinstance(tag, ModbusTag) and (tag.type in _BITS or tag.type == "bcd"):
        scale = abs(fraction(tag.scale)) * fraction(tag.unit.factor) / fraction(delivered(tag).factor)
        step = scale * to_unit
        exact = Decimal(step.numerator) / Decimal(step.denominator)
        return exact.quantize(Decimal("1e-9")).normalize()
    scale = (
        abs(fraction(tag.scale)) * to_unit
        if isinstance(tag, ModbusTag | Dlt645Tag | Cjt188Tag)
        else Fraction(0)
    )
    return DEFAULT_STEP if scale <= 1 else DEFAULT_STEP * Decimal(repr(float(scale)))


def _rollover(
    options: MeterOptions, source: Source | None, to_unit: Fraction, quantum: Fraction
) -> int | None:
    if options.rollover is not None:
        return round(fraction(options.rollover) / quantum)
    tag = source.tag if source else None
    bits = options.width
    if isinstance(tag, Dlt645Tag) and tag.format is not None:
        scale = abs(fraction(tag.scale)) * fraction(tag.unit.factor) / fraction(delivered(tag).factor)
        whole = Fraction(10) ** len(tag.format.partition(".")[0])
        return round(whole * scale * to_unit / quantum)
    if not isinstance(tag, ModbusTag):
        return None if bits is None else round(Fraction(2**bits) * QUANTA)
    scale = abs(fraction(tag.scale)) * fraction(tag.unit.factor) / fraction(delivered(tag).factor) * to_unit
    steps = 10 ** (4 * tag.registers) if tag.type == "bcd" else 2 ** (bits or _BITS.get(tag.type, 0))
    return round(steps * scale / quantum) if steps > 1 else None


def _overdue(verify_by: str | None, zone: ZoneInfo) -> int | None:
    if verify_by is None:
        return None
    return to_ns((date.fromisoformat(verify_by) + timedelta(days=1)).isoformat(), zone)


def children(found: Mapping[str, Meter], name: str) -> list[str]:
    """Return the meters that hang behind this one, sorted."""
    return sorted(each.name for each in found.values() if each.parent == name)
