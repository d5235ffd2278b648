"""What every tag and device has in the plant file, whatever connector reads it."""

from typing import Annotated, Final

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from config.alarms import TagAlarm
from config.base import Duration, Model, Name, Number
from config.units import Unit, find_unit

SHORTEST_ACCOUNTING_INTERVAL_NS: Final = 15 * 60 * 1_000_000_000
"""Energy is booked in quarters of an hour; a counter must speak at least that often."""


def _unit(value: object) -> Unit:
    unit = value if isinstance(value, Unit) else find_unit(value) if isinstance(value, str) else None
    if unit is None:
        raise PydanticCustomError("unit", "not a unit")
    return unit


UnitName = Annotated[
    Unit, BeforeValidator(_unit), WithJsonSchema({"type": "string", "examples": ["kWh", "KWH", "V", "°C"]})
]
"""A unit of the closed table, by symbol or by UNECE Rec 20 common code."""


class Limits(Model):
    """Plausible range of the delivered value; outside it the quality becomes Uncertain."""

    low: Number | None = None
    high: Number | None = None


class Deadband(Model):
    """A change smaller than this is not reported."""

    size: float
    percent: bool = False
    """True: of the range between the limits."""


def _deadband(value: object) -> Deadband:
    if isinstance(value, Deadband):
        return value
    percent = isinstance(value, str) and value.strip().endswith("%")
    try:
        size = float(value.strip().rstrip("%")) if isinstance(value, str) and percent else value
    except ValueError:
        size = None
    if isinstance(size, bool) or not isinstance(size, int | float) or not 0 <= size < float("inf"):
        raise PydanticCustomError("deadband", "not a deadband")
    return Deadband(size=float(size), percent=percent)


DeadbandText = Annotated[
    Deadband,
    BeforeValidator(_deadband),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"}]}
    ),
]


class TagOptions(Model):
    """What any tag may say about itself."""

    unit: UnitName = Field(default_factory=lambda: _unit("1"), validate_default=True)
    """Unit of the value after scale and offset."""
    scale: Number = 1.0
    """Value = scale × raw + offset."""
    offset: Number = 0.0
    deliver_as: UnitName | None = None
    """Convert to this unit of the same quantity before storing, e.g. Wh read, kWh delivered."""
    limits: Limits = Limits()
    """Plausible range, in the delivered unit."""
    alarm: TagAlarm | None = None
    """Bounds beyond which somebody must look; the value itself stays Good."""
    deadband: DeadbandText | None = None
    """Report only changes larger than this: absolute in the delivered unit, or ``1%`` of the limits."""
    heartbeat: Duration | None = None
    """Report at least this often even without change."""
    counter: bool = False
    """A meter's running total: every reading is reported, silence is a gap."""
    class_: Name | None = Field(default=None, alias="class")
    """A word to select by, e.g. energy, process, state."""
    was: str | None = None
    """The full path this tag had before it was renamed: its number and history stay."""


class Placed(Model):
    """What stands somewhere in the plant."""

    at: str = "-/-"
    """Area and line, e.g. ``press_shop/line_1``; site before and device name behind make the path."""


class DeviceOptions(Placed):
    """What any device may say about itself."""

    was: str | None = None
    """The full path this device had before it was renamed or moved, ``site/area/line/device``: its tags keep
    their numbers and their history, its meters their books."""
