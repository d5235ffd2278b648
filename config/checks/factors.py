"""The chosen factors: does the row exist, is it for that purpose, are they in order of time?"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

from config.carbon import GridPick, MediumPick, Pick
from config.factor_rows import Calibre, ElectricityFactor, FuelFactor, Row
from config.factors import Factors
from config.plant import Plant
from config.problems import Phrase, Problem, quote
from config.reading.advice import near
from config.reading.document import Document, Path

PURPOSES: Final[dict[str, tuple[Calibre, ...]]] = {
    "electricity": ("average",),
    "residual": ("excl_market_nonfossil", "fossil", "average"),
    "footprint": ("product_footprint",),
}
"""Which electricity may be counted where; what is for allowances is counted nowhere."""
_OWN_KEYS: Final = ("electricity", "heat")


def check_factors(plant: Plant, document: Document, factors: Factors, *, is_whole: bool) -> Iterator[Problem]:
    """Yield wrong rows of the plant's own tables and wrong choices.

    Without `is_whole` the plant's own tables could not be had: nothing is said of rows that seem missing.
    """
    yield from factors.problems
    carbon = plant.carbon
    for key in ("electricity", "residual", "footprint"):
        at: tuple[str, ...] = ("carbon", key)
        picks: tuple[GridPick, ...] = getattr(carbon, key)
        yield from _in_order(picks, document, at)
        for i, pick in enumerate(picks):
            yield from _grid(pick, PURPOSES[key], document, (*at, i), factors, is_whole=is_whole)
    yield from _in_order(carbon.primary, document, ("carbon", "primary"))
    yield from _in_order(carbon.heat, document, ("carbon", "heat"))
    for i, heat in enumerate(carbon.heat):
        row = factors.heat(heat.set)
        at_set = document, ("carbon", "heat", i, "set")
        yield from _known(row, f"heat/{heat.set}", *at_set, factors if is_whole else None)
    for medium, chosen in carbon.media.items():
        at = ("carbon", "media", medium)
        if medium in _OWN_KEYS:
            yield document.problem("E-CF-1513", at, at_key=True, medium=medium)
        yield from _in_order(chosen, document, at)
        for i, each in enumerate(chosen):
            yield from _medium(medium, each, document, (*at, i), factors, is_whole=is_whole)
    for i, contract in enumerate(carbon.contracts):
        if contract.to <= contract.from_:
            yield document.problem("E-CF-1512", ("carbon", "contracts", i, "to"))


def _in_order(picks: Sequence[Pick], document: Document, path: Path) -> Iterator[Problem]:
    before = date.min
    for i, pick in enumerate(picks):
        start = pick.from_ or date.min
        if i and start <= before:
            at = (*path, i, "from") if pick.from_ else (*path, i)
            yield document.problem("E-CF-1504", at)
        before = start


def _grid(
    pick: GridPick,
    allowed: Sequence[Calibre],
    document: Document,
    path: Path,
    factors: Factors,
    *,
    is_whole: bool,
) -> Iterator[Problem]:
    if pick.calibre not in allowed:
        purpose = Phrase(f"calibre.{pick.calibre}")
        yield document.problem("E-CF-1503", (*path, "calibre"), purpose=purpose, choices=allowed)
        return
    row = factors.electricity(pick.area, pick.year, pick.calibre)
    if row is not None:
        yield from _doubt(row, document, (*path, "area"))
    elif is_whole:
        rows = [each.row for each in factors.listed() if isinstance(each.row, ElectricityFactor)]
        years = tuple(
            f"{r.data_year} {r.calibre}" for r in rows if r.area == pick.area and r.calibre in allowed
        )
        areas = tuple(dict.fromkeys(r.area for r in rows if r.calibre in allowed))
        advice = Phrase("advice.known", {"names": years}) if years else near(pick.area, areas)
        wanted = f"{quote(pick.area)} {pick.year} {pick.calibre}"
        yield document.problem(
            "E-CF-1502", (*path, "year" if years else "area"), wanted=wanted, advice=advice
        )


def _medium(
    medium: str, pick: MediumPick, document: Document, path: Path, factors: Factors, *, is_whole: bool
) -> Iterator[Problem]:
    if pick.set is not None:
        fuel = pick.fuel or medium
        row: Row | None = factors.fuel(pick.set, fuel)
        at = (*path, "fuel" if pick.fuel else "set")
        yield from _known(row, f"fuels/{pick.set}/{fuel}", document, at, factors if is_whole else None)
    elif pick.fuel is not None:
        yield document.problem("E-CF-1509", (*path, "fuel"), at_key=True, one="fuel", other="set")
    if pick.coal is not None:
        row, at = factors.coal(pick.coal), (*path, "coal")
        yield from _known(row, f"coal/{pick.coal}", document, at, factors if is_whole else None)
    if (pick.lhv is None) != (pick.per is None):
        one, other = ("lhv", "per") if pick.per is None else ("per", "lhv")
        yield document.problem("E-CF-1509", (*path, one), at_key=True, one=one, other=other)
    by_heat = [key for key in ("lhv", "steam") if getattr(pick, key) is not None]
    for key in by_heat if pick.coal is not None else by_heat[1:]:
        yield document.problem("E-CF-1510", (*path, key), at_key=True, field=key)
    entered = [key for key in ("lhv", "density", "steam") if getattr(pick, key) is not None]
    if entered and pick.source is None:
        yield document.problem("E-CF-1508", (*path, entered[0]), at_key=True, field=entered[0])


def _known(
    row: Row | None, row_id: str, document: Document, path: Path, factors: Factors | None
) -> Iterator[Problem]:
    if row is not None:
        yield from _doubt(row, document, path)
    elif factors is not None:
        table, _, key = row_id.partition("/")
        keys = tuple(each.row.key for each in factors.listed() if each.row.table == table)
        yield document.problem("E-CF-1505", path, wanted=quote(key), table=table, advice=near(key, keys))


def _doubt(row: Row, document: Document, path: Path) -> Iterator[Problem]:
    if row.confidence == "low":
        unsure = row.note if isinstance(row, FuelFactor) and row.note else row.source
        yield document.problem("W-CF-1511", path, row=row.id, source=quote(unsure))
