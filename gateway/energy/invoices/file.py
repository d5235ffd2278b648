"""The supplier's invoice as a person enters it: YAML, or CSV with the columns item, band, value."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from config.bands import BANDS, Band
from config.base import Model
from config.exact import Exact, Month
from config.problems import ConfigurationError, Problem, quote
from config.reading.structure import validate
from config.reading.yaml_tree import read_document
from config.sheets import SheetRefused, read_sheet, sheet_text

InvoiceItem = Literal[
    "purchase",
    "losses",
    "transmission",
    "system",
    "funds",
    "energy",
    "capacity",
    "demand",
    "demand_excess",
    "basic",
    "power_factor",
]
"""A line of the bill; `energy` is all parts per kWh together, `basic` the capacity and demand charges."""


class InvoiceLine(Model):
    """One amount of the bill."""

    item: InvoiceItem
    band: Band | None = None
    """Absent: all bands together."""
    yuan: Exact


class Invoice(Model):
    """What one month's bill says; what it does not say is left out."""

    month: Month
    number: str | None = None
    kwh: dict[Band, Exact] = Field(default_factory=dict)
    demand_kw: Exact | None = None
    kvarh: Exact | None = None
    power_factor: Exact | None = None
    lines: Annotated[tuple[InvoiceLine, ...], Field(strict=False)] = ()
    total: Exact | None = None
    """Yuan."""


_COLUMNS: Final = ("item", "band", "value")
_WORDS: Final = ("month", "number")
_SINGLE: Final = ("demand_kw", "kvarh", "power_factor", "total")


def read_invoice(data: bytes, name: str) -> Invoice:
    """Return the invoice of a YAML file.

    Raises:
        ConfigurationError: the file has mistakes; all of them are named.
    """
    document, problems = read_document(data, name)
    if document is None:
        raise ConfigurationError(problems)
    found = validate(document, Invoice)
    if found.model is None or found.problems:
        raise ConfigurationError(found.problems)
    return found.model


def read_invoice_csv(data: bytes, name: str) -> Invoice:
    """Return the invoice of a CSV file: rows of item, band, value, with or without that heading.

    ``month,,2026-07`` and ``number,,…`` once; ``kwh,peak,1200``; ``purchase,peak,530.11``; ``total,,…``.

    Raises:
        ConfigurationError: a row is not of this form, or a figure can be read two ways.
    """
    found: dict[str, Any] = {"kwh": {}, "lines": []}
    try:
        sheet = read_sheet(sheet_text(data), _COLUMNS)
        figures = sheet.figures("value", (row for row in sheet.rows if row.cells[0] not in _WORDS))
        for row in sheet.rows:
            item, band, value = (sheet.named(row)[column] for column in _COLUMNS)
            plain = value if item in _WORDS else figures.plain(value, row.line)
            try:
                _take(found, item, band, plain)
            except (ValueError, InvalidOperation):
                raise ConfigurationError([Problem("E-TF-0020", name, row.line, 1, quote(item))]) from None
    except SheetRefused as exc:
        raise ConfigurationError([exc.problem(name)]) from exc
    try:
        return Invoice.model_validate(found, by_alias=True, by_name=False)
    except ValueError:
        raise ConfigurationError([Problem("E-TF-0020", name, 1, 1, "month")]) from None


def _take(found: dict[str, Any], item: str, band: str, value: str) -> None:
    if band and band not in BANDS:
        raise ValueError(band)
    if item in _WORDS:
        found[item] = value
    elif item == "kwh":
        _once(found["kwh"], band, value)
    elif item in _SINGLE:
        _once(found, item, value)
    else:
        found["lines"].append(InvoiceLine(item=item, band=band or None, yuan=_number(value)))  # type: ignore[arg-type]


def _once(into: dict[str, Any], key: str, value: str) -> None:
    if not key or key in into:
        raise ValueError(key)
    into[key] = _number(value)


def _number(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError(text)
    return number


def kwh_of(invoice: Invoice) -> Mapping[Band, Decimal]:
    """Return the kWh by band, in the order of bands."""
    return {band: invoice.kwh[band] for band in BANDS if band in invoice.kwh}
