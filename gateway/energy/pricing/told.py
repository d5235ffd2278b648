"""The arithmetic of a figure of cost, ready for JSON: each line with energy, price, tariff and source."""

from typing import Any

from config.problems import Phrase
from gateway.energy.pricing.booked import Priced
from gateway.energy.pricing.lines import Line


def told(found: Priced) -> dict[str, Any]:
    """Return what a figure of cost is made of; amounts as decimal text, never a float."""
    cost = found.cost
    entries = [each for each in found.table.plan.terms if each.name in cost.notes]
    return {
        "yuan": None if cost.yuan is None else f"{cost.yuan:f}",
        "known_yuan": f"{cost.known_yuan:f}",
        "kwh": f"{cost.kwh:f}",
        "lines": [_line(line) for line in cost.lines],
        "rounding": "each line to the fen, halves away from zero, of what it comes to since its bill began",
        "missing": cost.missing,
        "open": [{"code": each.code, "en": each.text("en"), "zh": each.text("zh")} for each in cost.open],
        "tariffs": [
            {
                "tariff": each.name,
                "class": each.class_name,
                "instrument": each.tariff.instrument,
                "confidence": each.tariff.confidence,
                "sources": {name: source.text for name, source in each.tariff.sources.items()},
            }
            for each in entries
        ],
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "bill": line.month,
        "item": line.item,
        "item_zh": Phrase(f"report.item.{line.item}").text("zh"),
        "band": line.band,
        "before": f"{line.before:f}",
        "quantity": f"{line.quantity:f}",
        "unit": line.unit,
        "price": None if line.price is None else f"{line.price:f}",
        "yuan": None if line.yuan is None else f"{line.yuan:f}",
        "arithmetic": _arithmetic(line),
    }


def _arithmetic(line: Line) -> str:
    if line.price is None or line.yuan is None:
        return "its price is not known"
    quantity = f"{line.quantity:f} {line.unit}"
    if line.before:
        both = f"({line.before:f} + {line.quantity:f}) {line.unit} × {line.price:f}"
        return f"{both} - {line.before:f} {line.unit} × {line.price:f} = {line.yuan:f}"
    return f"{quantity} × {line.price:f} = {line.yuan:f}"
