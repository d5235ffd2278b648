"""Energy: does each meter have readings, do units and expressions make sense, do shifts fit?"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Final

from config.checks.energy_shifts import check_shifts
from config.connections import OpenSource
from config.energy import Medium, MeterOptions, media
from config.energy_expression import linear
from config.energy_meters import (
    Source,
    by_themselves,
    delivered,
    fraction,
    is_counter,
    medium_of,
    resolution_of,
    sources,
)
from config.energy_times import to_ns
from config.expression import NotAnExpression
from config.plant import Plant
from config.problems import Phrase, Problem, quote
from config.reading import advice
from config.reading.document import Document, Path
from config.rings import leads_back

_SOURCES: Final = ("tag", "power", "expression", "manual")
_MOST_STEPS: Final = 10**9
"""Steps of the reading in an hour's maximum; above it the books' whole numbers would not fit 64 bits."""
_POWER: Final = "power"
_GENERATED: Final = "electricity_generation"
_SITE: Final = "-"


def check_energy(plant: Plant, document: Document, *, is_whole: bool) -> Iterator[Problem]:
    """Yield every mistake of the energy section; without `is_whole` nothing is said of what seems missing."""
    energy = plant.energy
    known = {source.path: source for source in sources(plant)}
    own = by_themselves(plant)
    names = {name for name, options in energy.meters.items() if options.enabled} | (
        set(own) - {name for name, options in energy.meters.items() if not options.enabled}
    )
    is_open = any(isinstance(source, OpenSource) for source in plant.sources.values())
    first_use: dict[str, str] = {}
    parents = {name: [each.parent] if each.parent else [] for name, each in energy.meters.items()}
    for name, options in energy.meters.items():
        path: Path = ("energy", "meters", name)
        if not options.enabled:
            continue
        given = [field for field in _SOURCES if getattr(options, field)]
        if len(given) > 1:
            yield document.problem("E-CF-1305", (*path, given[1]), at_key=True, given=given)
            continue
        if not given and name not in own:
            if is_whole:
                said = advice.near(name, tuple(sorted(own)))
                yield document.problem("E-CF-1325", path, at_key=True, name=quote(name), advice=said)
            continue
        yield from _source(options, known, document, path, is_sure=is_whole and not is_open)
        tag = options.tag or options.power
        if tag is not None and tag in first_use:
            field = "tag" if options.tag else "power"
            yield document.problem("E-CF-1318", (*path, field), tag=tag, first=first_use[tag])
        elif tag is not None:
            first_use[tag] = name
        yield from _medium(name, options, plant, own, known=known, document=document)
        yield from _relations(name, plant, names, parents, document=document, is_whole=is_whole)
        if options.at == _SITE and _holds_generation(options, plant, own):
            yield document.problem("W-CF-1332", (*path, "at"))
        yield from _changes(options, plant, known, own.get(name), document=document, path=path)
    yield from check_shifts(energy, document)


def _holds_generation(options: MeterOptions, plant: Plant, own: Mapping[str, tuple[Source, Medium]]) -> bool:
    """Tell whether own generation would be priced, or given a grid's factor, as though it were bought."""
    if options.expression is None or (plant.tariff is None and not plant.carbon.electricity):
        return False
    found = [medium_of(term, plant, own) for term in _terms(options.expression)]
    return any(medium is not None and medium.name == _GENERATED for medium in found)


def _source(
    options: MeterOptions, known: Mapping[str, Source], document: Document, path: Path, *, is_sure: bool
) -> Iterator[Problem]:
    for field in ("tag", "power"):
        name = getattr(options, field)
        if name is None:
            continue
        at = (*path, field)
        source = known.get(name)
        if source is None:
            if is_sure:
                yield document.problem(
                    "E-CF-1301", at, tag=quote(name), advice=advice.near(name, tuple(sorted(known)))
                )
        elif field == "tag" and not is_counter(source.tag):
            yield document.problem("E-CF-1302", at, tag=name)
        elif field == "power" and delivered(source.tag).quantity != _POWER:
            yield document.problem("E-CF-1306", at, tag=name, unit=delivered(source.tag).symbol)


def _medium(
    name: str,
    options: MeterOptions,
    plant: Plant,
    own: Mapping[str, tuple[Source, object]],
    *,
    known: Mapping[str, Source],
    document: Document,
) -> Iterator[Problem]:
    path = ("energy", "meters", name)
    medium = medium_of(name, plant, own)  # type: ignore[arg-type]
    if options.medium is not None and medium is None:
        words = quote(options.medium)
        said = advice.near(options.medium, tuple(media()))
        yield document.problem("E-CF-1303", (*path, "medium"), medium=words, advice=said)
    elif medium is None:
        if options.expression is None:
            yield document.problem("E-CF-1304", path, at_key=True, media=list(media()))
    elif options.expression is None and options.power is None:
        source = known.get(options.tag or "") or (
            own[name][0] if name in own and not options.manual else None
        )
        unit = options.unit or (delivered(source.tag) if source else medium.unit)
        if unit.quantity not in medium.quantities:
            at = "unit" if options.unit else "medium" if options.medium else "tag"
            yield document.problem("E-CF-1307", (*path, at), unit=unit.symbol, medium=medium.name)
            return
        step = resolution_of(options, source, fraction(unit.factor) / fraction(medium.unit.factor))
        most = Fraction(repr(options.maximum)) if options.maximum else Fraction(medium.maximum)
        if most > Fraction(step) * _MOST_STEPS:
            at = "maximum" if options.maximum else "resolution"
            yield document.problem("E-CF-1323", (*path, at), resolution=f"{step:f}")
        if options.rollover is not None and fraction(options.rollover) <= Fraction(step):
            yield document.problem("E-CF-1311", (*path, "rollover"), resolution=f"{step:f}")
    if options.contract is not None and medium is not None and "energy" not in medium.quantities:
        yield document.problem("E-CF-1326", (*path, "contract"), at_key=True, medium=medium.name)
    if options.rollover is not None and options.width is not None:
        yield document.problem("E-CF-1312", (*path, "width"), at_key=True)


def _relations(
    name: str,
    plant: Plant,
    names: set[str],
    parents: Mapping[str, list[str]],
    *,
    document: Document,
    is_whole: bool,
) -> Iterator[Problem]:
    options = plant.energy.meters[name]
    path = ("energy", "meters", name)
    if options.parent is not None:
        if options.parent not in names:
            if is_whole:
                said = advice.near(options.parent, tuple(sorted(names)))
                yield document.problem(
                    "E-CF-1309", (*path, "parent"), parent=quote(options.parent), advice=said
                )
        elif leads_back(name, parents):
            yield document.problem("E-CF-1310", (*path, "parent"), parent=options.parent)
    if options.expression is not None:
        yield from _expression(name, options.expression, plant, names, document, is_whole=is_whole)


def _expression(
    name: str, text: str, plant: Plant, names: set[str], document: Document, *, is_whole: bool
) -> Iterator[Problem]:
    at = ("energy", "meters", name, "expression")
    try:
        terms = linear(text)
    except NotAnExpression as error:
        reason = Phrase(error.key, {"found": quote(error.found.strip('"'))})
        yield document.problem("E-CF-1308", at, reason=reason)
        return
    for each in terms:
        if each not in names:
            if is_whole:
                said = advice.near(each, tuple(sorted(names)))
                yield document.problem("E-CF-1313", at, name=quote(each), advice=said)
            return
    uses = {each: _terms(m.expression) for each, m in plant.energy.meters.items() if m.expression}
    if leads_back(name, uses):
        yield document.problem("E-CF-1316", at)


def _terms(text: str) -> list[str]:
    try:
        return list(linear(text))
    except NotAnExpression:
        return []


def _changes(
    options: MeterOptions,
    plant: Plant,
    known: Mapping[str, Source],
    own: tuple[Source, object] | None,
    *,
    document: Document,
    path: Path,
) -> Iterator[Problem]:
    zone = plant.gateway.zone
    for field, times in (
        ("ratios", [to_ns(each.from_, zone) for each in options.ratios]),
        ("swaps", [to_ns(each.at, zone) for each in options.swaps]),
    ):
        for i in range(1, len(times)):
            if times[i] <= times[i - 1]:
                yield document.problem("E-CF-1317", (*path, field, i), at_key=True, field=field)
    source = known.get(options.tag or "") or (own[0] if own else None)
    if options.ratios and source is not None and source.ratio is not None and source.ratio != 1:
        yield document.problem("E-CF-1319", (*path, "ratios"), at_key=True, ratio=f"{source.ratio:g}")
    if options.verified and options.verify_by and options.verified > options.verify_by:
        yield document.problem("E-CF-1327", (*path, "verify_by"), verified=options.verified)
    if options.at is not None and options.at != "-" and not all(options.at.split("/")):
        yield document.problem("E-CF-1328", (*path, "at"), at=quote(options.at))
