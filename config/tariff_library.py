"""Reading tariffs: those that come with the gateway, read once, and a plant's own file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, NamedTuple

from config.problems import Problem
from config.reading.document import Document
from config.reading.references import why_unreadable
from config.reading.structure import validate
from config.reading.yaml_tree import read_document
from config.supply import Contract, Supply
from config.tariff_rules import check_tariff
from config.tariffs import Capacity, CustomerClass, Overlay, Tariff, Who


class TariffReading(NamedTuple):
    """What came of reading a tariff."""

    tariff: Tariff | None
    """None when the file has mistakes."""
    problems: tuple[Problem, ...]
    document: Document | None = None


_FOLDER: Final = resources.files("config") / "data" / "tariffs"


@cache
def tariff_names() -> tuple[str, ...]:
    """Return the names of the tariffs that come with the gateway, sorted."""
    names = (file.name for file in _FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


@cache
def shipped_tariff(name: str) -> TariffReading:
    """Return a tariff of `tariff_names()`; KeyError for another name."""
    if name not in tariff_names():
        raise KeyError(name)
    file = _FOLDER / f"{name}.yaml"
    return read_tariff(file, str(file))


def read_tariff(file: Traversable | Path, shown: str) -> TariffReading:
    """Return the tariff of a file with every mistake in it, shown under this name."""
    try:
        data = file.read_bytes()
    except OSError as error:
        return TariffReading(
            None, (Problem("E-CF-0002", shown, 1, 1, "", {"reason": why_unreadable(error)}),)
        )
    document, problems = read_document(data, shown)
    if document is None:
        return TariffReading(None, tuple(problems))
    tariff, problems, is_whole = validate(document, Tariff)
    if tariff is not None and is_whole:
        problems += check_tariff(tariff, document)
    sound = tariff if is_whole and not problems else None
    return TariffReading(sound, tuple(problems), document)


@dataclass(frozen=True, slots=True)
class Terms:
    """One entry of the plant file's `tariff` with what it refers to."""

    name: str
    """As the plant file names the tariff."""
    supply: Supply
    tariff: Tariff
    class_name: str
    customer: CustomerClass
    first: date
    """The first local day it holds …"""
    last: date | None
    """… and the last; None: no end is known."""

    def overlays(self) -> tuple[Overlay, ...]:
        """Return the overlays that concern this customer."""
        return tuple(each for each in self.tariff.overlays if self._concerns(each.who))

    def _concerns(self, who: Who) -> bool:
        contract = self.supply.contract
        if self.supply.hours == "flat" or who.use not in (None, contract.use):
            return False
        if who.two_part is not None and who.two_part != is_two_part(self.customer, contract):
            return False
        return within(who.capacity_kva, contract.capacity_kva) is not False


def within(bounds: Capacity, capacity_kva: Decimal | None) -> bool | None:
    """Tell whether a capacity lies within bounds; None where there are any and it is not known."""
    if bounds.at_least is None and bounds.below is None:
        return True
    if capacity_kva is None:
        return None
    above = bounds.at_least is None or capacity_kva >= bounds.at_least
    return above and (bounds.below is None or capacity_kva < bounds.below)


def is_two_part(customer: CustomerClass, contract: Contract) -> bool:
    """Tell whether capacity or demand is charged beside the energy."""
    return contract.charge is not None if customer.two_part is None else customer.two_part


def reading_of(supply: Supply) -> TariffReading | None:
    """Return the tariff an entry names, None where it names none that exists."""
    if supply.file is not None:
        return read_tariff(Path(supply.file), supply.file)
    return shipped_tariff(supply.use) if supply.use in tariff_names() else None


def terms_of(entries: Sequence[Supply]) -> tuple[Terms, ...]:
    """Return the entries of a plant file that was read without mistakes, in the order of their days.

    Raises:
        ValueError: an entry has mistakes that `wanglian check` names.
    """
    found: list[Terms] = []
    for supply in reversed(entries):
        reading = reading_of(supply)
        tariff = reading.tariff if reading else None
        class_name = class_of(supply, tariff) if tariff else None
        if tariff is None or class_name is None:
            raise ValueError(f"tariff {supply.use or supply.file}: run `wanglian check`")
        first = supply.from_ or tariff.valid_from
        if first is None:
            raise ValueError(f"tariff {supply.use or supply.file}: no first day")
        ends = [found[-1].first - timedelta(days=1)] if found else []
        ends += [tariff.valid_to] if tariff.valid_to else []
        name = supply.use or Path(supply.file or "").stem
        customer = tariff.classes[class_name]
        found.append(Terms(name, supply, tariff, class_name, customer, first, min(ends, default=None)))
    return tuple(reversed(found))


def class_of(supply: Supply, tariff: Tariff) -> str | None:
    """Return the class an entry takes, None where it names none of the tariff's or must name one."""
    if supply.class_ is None:
        return next(iter(tariff.classes)) if len(tariff.classes) == 1 else None
    return supply.class_ if supply.class_ in tariff.classes else None
