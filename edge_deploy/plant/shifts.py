"""When people work: three shifts, each with a meal for which the lines stop; the hours of the tariff."""

from typing import Final, Literal

Shift = Literal["night", "early", "late"]
Tariff = Literal["sharp", "peak", "flat", "valley"]

_MEAL: Final = 1800
_HOURS: Final[tuple[tuple[int, Tariff], ...]] = (
    (8, "valley"), (11, "peak"), (17, "flat"), (19, "peak"), (21, "sharp"), (22, "peak"), (24, "flat"),
)  # fmt: skip
"""Until which hour which price holds: made up, of a summer's shape."""
TARIFFS: Final[tuple[Tariff, ...]] = ("sharp", "peak", "flat", "valley")


def shift(second: int) -> Shift:
    """Return the shift at a second of the local day: they change at 0, 8 and 16 o'clock."""
    return ("night", "early", "late")[second // 28_800]  # type: ignore[return-value]


def is_meal(second: int) -> bool:
    """Tell whether the lines stand for a meal: half an hour from the fourth hour of each shift on."""
    return 0 <= second % 28_800 - 14_400 < _MEAL


def tariff(second: int) -> int:
    """Return the place in `TARIFFS` of the price that holds."""
    hour = second // 3600
    return TARIFFS.index(next(name for until, name in _HOURS if hour < until))
