"""The networking rate 设备联网率: numerator, denominator and the list both were counted from.

The denominator is a list of production equipment somebody answers for. The plant file can't be it: what
is not connected does not stand there, and the rate would always flatter. Without a list there is no rate.
"""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from config.plant import Plant
from config.problems import Phrase
from config.sheets import SheetRefused, read_sheet, sheet_text
from connectors import Tag
from gateway.energy.carbon.networking import Item, Rate
from gateway.energy.periods import QUARTER_NS, Span
from gateway.history import HISTORY, Reader
from gateway.reports.content import Cell, Column, Computed, Row, Table, number
from gateway.reports.ground import Ground
from gateway.reports.refused import Refused

_RATE = (
    Column("item", width=40),
    Column("numerator", "number", 0, 12),
    Column("denominator", "number", 0, 12),
    Column("rate", "percent", 2, 12),
)
_EQUIPMENT = (
    Column("equipment", width=36),
    Column("device", width=44),
    Column("counts", "number", 0, 10),
    Column("reason", width=44),
)
_COLUMNS = {"equipment", "device"}


class Listed(NamedTuple):
    """One piece of production equipment."""

    name: str
    device: str
    """Path of the device within the site; empty: not connected."""


def networking_tables(ground: Ground) -> Iterator[Table]:
    """Yield rate and list.

    Raises:
        Refused: E-RP-0009, the list of equipment has a mistake.
    """
    used = _used(ground)
    if ground.equipment is None:
        devices = [Listed(path, path) for path in _devices(ground.plant)]
        rate = None
    else:
        devices = read_equipment(ground.equipment, _devices(ground.plant))
        rate = None if used is None else Rate("networking", tuple(_item(each, used) for each in devices))
    yield Table("rate", _RATE, _rate(rate, ground.equipment is not None))
    yield Table("equipment", _EQUIPMENT, _list(devices, used, is_counted=rate is not None))


def read_equipment(file: Path, devices: list[str]) -> list[Listed]:
    """Return the list of production equipment; `devices` are those of the plant file.

    Raises:
        Refused: E-RP-0009, or the table's own. OSError: it can't be read.
    """
    try:
        sheet = read_sheet(sheet_text(file.read_bytes()))
        rows = [(row.line, sheet.named(row)) for row in sheet.rows]
    except SheetRefused as exc:
        raise Refused(exc.code, **exc.args_of_text) from exc
    if not set(sheet.columns) >= _COLUMNS:
        raise Refused("E-RP-0009", line=1, reason=", ".join(sheet.columns))
    found: list[Listed] = []
    for line, row in rows:
        name, device = row["equipment"], row["device"]
        if not name or name in {each.name for each in found}:
            raise Refused("E-RP-0009", line=line, reason=name or "–")
        if device and device not in devices:
            raise Refused("E-RP-0009", line=line, reason=device)
        found.append(Listed(name, device))
    return found


def _devices(plant: Plant) -> list[str]:
    return sorted(
        f"{device.at}/{name}" for source in plant.sources.values() for name, device in source.devices.items()
    )


def _used(ground: Ground) -> set[str] | None:
    """Return the devices with a usable value in the period; None where the history has nothing of it."""
    reader = Reader(ground.data_dir / HISTORY)
    tags = reader.tags()
    by_device: dict[str, list[int]] = {}
    for tag, told in tags.items():
        by_device.setdefault(_device(told), []).append(tag)
    found, has_any = set(), False
    for device, numbers in sorted(by_device.items()):
        good, any_ = _counted(reader, numbers, ground.period)
        has_any = has_any or any_
        if good:
            found.add(device)
    return found if has_any else None


def _device(tag: Tag) -> str:
    return tag.path.partition("/")[2].rpartition("/")[0]


def _counted(reader: Reader, tags: list[int], period: Span) -> tuple[bool, bool]:
    """Tell whether any usable row, and any row at all, lies in the period; stops at the first usable."""
    has_any = False
    # Quarters of an hour meet both ends of any period; a wider bucket would reach beyond them.
    points = -(-(period.last - period.first) // QUARTER_NS)
    for tag in tags:
        (trend,) = reader.trend_now([tag], period.first, period.last, points)
        inside = (trend.time >= period.first) & (trend.time < period.last)
        if trend.good[inside].any():
            return True, True
        has_any = has_any or bool(trend.bad[inside].any())
    return False, has_any


def _item(each: Listed, used: set[str]) -> Item:
    if not each.device:
        return Item(each.name, counts=False, reason=Phrase("rate.not_connected"))
    if each.device in used:
        return Item(each.name, counts=True)
    return Item(each.name, counts=False, reason=Phrase("report.rate.nothing_usable"))


def _rate(rate: Rate | None, has_list: bool) -> Iterator[Row]:
    title = Phrase("report.title.networking")
    if rate is None or rate.percent is None:
        yield Row((title, None, None, None))
        yield Row((Phrase("report.note.no_history" if has_list else "report.note.no_equipment"),), "note")
    else:
        exact = number(Fraction(rate.numerator, rate.denominator))
        top = Computed(Decimal(rate.numerator), "{equipment.counts@0}")
        value: Cell = exact if exact is None else Computed(exact, "{numerator}/{denominator}")
        yield Row((title, top, Decimal(rate.denominator), value))
    yield Row((Phrase("rate.networking"),), "note")
    yield Row((Phrase("report.note.rate"),), "note")


def _list(devices: list[Listed], used: set[str] | None, *, is_counted: bool) -> Iterator[Row]:
    count = 0
    for each in devices:
        if used is None:
            counts, reason = None, Phrase("report.rate.unknown")
            yield Row((each.name, each.device, counts, reason))
            continue
        item = _item(each, used)
        count += item.counts
        yield Row((each.name, each.device, Decimal(int(item.counts)), item.reason or ""))
    if is_counted and devices:
        total = Computed(Decimal(count), "SUM({counts:})")
        yield Row((Phrase("report.total"), "", total, ""), "total")
