"""Units of measure: a closed table with the UNECE Rec 20 common codes, as OPC UA and invoices use."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit; value in the quantity's base unit = factor × value + offset."""

    code: str
    """UNECE Rec 20 common code, e.g. KWH."""
    symbol: str
    """What people write, e.g. kWh."""
    quantity: str
    """Only units of the same quantity convert into each other."""
    factor: float
    offset: float = 0.0


@cache
def _table() -> dict[str, Unit]:
    text = (resources.files("config") / "data" / "units" / "units.csv").read_text(encoding="utf-8")
    found: dict[str, Unit] = {}
    for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")):
        unit = Unit(row["code"], row["symbol"], row["quantity"], float(row["factor"]), float(row["offset"]))
        for name in (unit.code, unit.symbol, *row["also"].split()):
            found[name] = unit
    return found


def find_unit(text: str) -> Unit | None:
    """Return the unit with this common code or symbol (case counts: mW is not MW)."""
    return _table().get(text.strip())


def all_units() -> list[Unit]:
    """Return the table, each unit once, in its order."""
    return list(dict.fromkeys(_table().values()))


def conversion(source: Unit, target: Unit) -> tuple[float, float]:
    """Return (scale, offset) with target value = scale × source value + offset.

    Raises:
        ValueError: the units measure different quantities.
    """
    if source.quantity != target.quantity:
        raise ValueError(f"{source.symbol} is {source.quantity}, {target.symbol} is {target.quantity}")
    return source.factor / target.factor, (source.offset - target.offset) / target.factor
