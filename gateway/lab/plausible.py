"""What simulated equipment reads: numbers that go together, from a value's name, its unit and the clock."""

import math
from collections.abc import Mapping
from typing import Final, Protocol

STEP_S: Final = 1.0
"""Values change this often, as a meter's display does."""
_POWER_W: Final = 8_600.0


class Named(Protocol):
    """What is known of a value."""

    @property
    def name(self) -> str:
        """As the template or the plant file calls it."""
        ...

    @property
    def unit(self) -> str | None:
        """Its symbol."""
        ...

    @property
    def is_counter(self) -> bool:
        """Tell whether it only rises."""
        ...


def value(point: Named, place: int, unit_id: int, elapsed_s: float) -> float:
    """Return what a point is, in its unit, so long after the lab began."""
    step = math.floor(elapsed_s / STEP_S)
    sway = math.sin(step / 7 + unit_id + place)
    load = 0.6 + 0.3 * math.sin(step / 31 + unit_id)
    unit = point.unit or ""
    thousand = 1000.0 if unit.startswith("k") else 1e6 if unit.startswith("M") else 1.0
    if point.is_counter:
        # What has run for a hundred days at this load, and runs on.
        kwh = (2400 + elapsed_s / 3600) * _POWER_W * 0.6 / 1000 + 17 * unit_id
        return kwh * 1000 / thousand if unit.endswith(("Wh", "varh", "VAh")) else step + 1000 * unit_id
    known: Mapping[str, float] = {
        "V": 230 + 2 * sway,
        "A": 40 * load + sway,
        "Hz": 50 + 0.02 * sway,
        "W": _POWER_W * load + 20 * sway,
        "VA": _POWER_W * load * 1.05,
        "var": _POWER_W * load * 0.32,
        "degC": 23 + sway,
        "°C": 23 + sway,
        "%": 50 + 20 * sway,
    }
    base = unit[1:] if thousand > 1 else unit
    if base in known:
        return known[base] / thousand
    return 0.95 if "pf" in point.name else 1.0
