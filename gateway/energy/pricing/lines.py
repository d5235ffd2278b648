"""One line of a bill, and the one place where yuan are rounded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Final, Literal

from config.bands import BANDS, PARTS, Band

FEN: Final = Decimal("0.01")
_DIGITS: Final = 100
"""Enough for every product of an energy and a price without a first rounding of its own."""
_ITEMS: Final = (*PARTS, "energy", "capacity", "demand", "demand_excess", "power_factor")


@contextmanager
def exactly() -> Iterator[None]:
    """Compute with so many digits that nothing is rounded before the line is."""
    with localcontext() as context:
        context.prec = _DIGITS
        yield


def fen(yuan: Decimal) -> Decimal:
    """Return yuan to the fen, halves away from zero (四舍五入)."""
    with exactly():
        return yuan.quantize(FEN, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: quantity × price = yuan; of a part of a bill what the line had grown by in it."""

    month: str
    """The name of its bill: a local month, ``2026-07``."""
    item: str
    """A part of the price per kWh, or `capacity`, `demand`, `demand_excess`, `power_factor`."""
    band: Band | None
    """None for lines that have none."""
    quantity: Decimal
    unit: Literal["kWh", "kVA", "kW", "%"]
    """Of `quantity`; with ``%`` the price is the sum the percentage is of, in yuan."""
    price: Decimal | None
    """Yuan per unit, exact; None: not known."""
    yuan: Decimal | None
    """To the fen, of `before` + `quantity` less that of `before`; None: not known."""
    before: Decimal = Decimal(0)
    """What of the line lies in the bill before the period: 0 where the bill is whole."""

    @property
    def order(self) -> tuple[str, bool, int, int]:
        """Return the line's place on the bill."""
        band = BANDS.index(self.band) if self.band is not None else len(BANDS)
        return self.month, self.band is None, band, _ITEMS.index(self.item)
