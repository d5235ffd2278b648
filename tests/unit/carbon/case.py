"""A golden case of tests/cases/carbon: a plant's choices, what was used, and results worked out by hand.

The arithmetic stands in the case as a term of numbers and + - * / ( ); it is worked out here with fractions
and nothing of the gateway, so a slip of the pen in the case fails as well.
"""

import ast
from datetime import date, datetime, time
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from config.carbon import CarbonOptions
from config.factors import Factors
from gateway.energy.carbon.choice import Choices, choices
from gateway.energy.carbon.quantity import Quantity

FOLDER = Path(__file__).parents[2] / "cases" / "carbon"
ZONE = ZoneInfo("Asia/Shanghai")


def cases() -> list[Path]:
    return sorted(FOLDER.glob("*.yaml"))


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return found


def day(text: str | date) -> int:
    """First ns UTC of a day in Shanghai."""
    when = date.fromisoformat(text) if isinstance(text, str) else text
    return int(datetime.combine(when, time(), ZONE).timestamp()) * 10**9


def chosen(options: dict[str, Any], factors: Factors | None = None) -> Choices:
    return choices(CarbonOptions.model_validate(options), factors or Factors(), ZONE)


def quantity(row: dict[str, Any]) -> Quantity:
    parts = {name: Decimal(row[name]) for name in ("estimated", "manual") if name in row}
    start, end = day(row.get("from", "2026-01-01")), day(row.get("to", "2026-02-01"))
    return Quantity(
        row["medium"], Decimal(row["amount"]), row["unit"], start, end, row.get("at", "site"), **parts
    )


def worked_out(term: str) -> Fraction:
    """The value of a term, digit for digit."""

    def value(node: ast.expr) -> Fraction:
        match node:
            case ast.Constant():
                return Fraction(ast.get_source_segment(term, node) or "")
            case ast.UnaryOp(ast.USub(), inner):
                return -value(inner)
            case ast.BinOp(left, ast.Add(), right):
                return value(left) + value(right)
            case ast.BinOp(left, ast.Sub(), right):
                return value(left) - value(right)
            case ast.BinOp(left, ast.Mult(), right):
                return value(left) * value(right)
            case ast.BinOp(left, ast.Div(), right):
                return value(left) / value(right)
        raise AssertionError(term)

    return value(ast.parse(term, mode="eval").body)


def rounded_by_hand(exact: Fraction, places: int) -> Decimal:
    """Half to even, by the decimal module's own division: another way than the gateway's."""
    with localcontext() as context:
        context.prec = 60
        long = Decimal(exact.numerator) / Decimal(exact.denominator)
        return long.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
