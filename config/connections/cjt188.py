"""CJ/T 188: water, heat and gas meters on a serial line, read and never written."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from config.base import DeviceName, Duration, Name
from config.connections.asked import AskedDevice
from config.connections.meter_line import MeterLine
from config.tags import TagOptions

TYPES: Final = {"cold_water": 0x10, "hot_water": 0x11, "heat": 0x20, "gas": 0x30, "electricity": 0x40}
UNIT_CODES: Final = {"MTQ": 0x2C, "KWH": 0x05}
"""What a meter says behind a number of this unit; the codes published frames agree on."""


class Cjt188Tag(TagOptions):
    """One number of a meter."""

    di: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{4}$")] = "901F"
    """Data identifier, four hexadecimal digits in quotes; 901F is the present readings."""
    place: Annotated[int, Field(ge=1, le=8)] = 1
    """Which of the numbers in the reply, each four bytes and a unit; of a water meter 1 is the total."""
    decimals: Annotated[int, Field(ge=0, le=4)] = 2
    """Digits behind the point."""
    unit_code: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{2}$")] | None = None
    """The unit byte the meter must say, two hexadecimal digits in quotes; known for m3 and kWh."""

    @model_validator(mode="before")
    @classmethod
    def _cubic_metres(cls, data: Any) -> Any:
        """Take cubic metres where no unit is written."""
        return {"unit": "m3", **data} if isinstance(data, Mapping) else data

    @property
    def expected(self) -> int | None:
        """Return the unit byte the meter must say, None where it is not known."""
        return UNIT_CODES.get(self.unit.code) if self.unit_code is None else int(self.unit_code, 16)

    @property
    def count(self) -> int:
        """Return how many values it has, as other tags do."""
        return 1


class Cjt188Device(AskedDevice):
    """One meter."""

    address: Annotated[str, Field(pattern=r"^([0-9]{14}|any)$")]
    """Fourteen digits in quotes, maker's code first; ``any`` for the only meter on a line."""
    type: Literal["cold_water", "hot_water", "heat", "gas", "electricity"] = "cold_water"
    di_order: Literal["low_first", "high_first"] = "low_first"
    """high_first for meters that want the identifier as 90 1F."""
    scan: Annotated[Duration, Field(ge=10_000_000)] = 60_000_000_000
    """Scan interval; scans fall on whole multiples of it. Battery meters want it long."""
    timeout: Annotated[Duration, Field(ge=1_000_000)] | None = None
    """Longest wait for one reply; the line's own when absent."""
    tags: dict[Name, Cjt188Tag] = Field(default_factory=dict)


class Cjt188Source(MeterLine):
    """A line (RS-485, M-Bus behind a converter) of meters that speak CJ/T 188."""

    kind: Literal["cjt188"]
    baud: Annotated[int, Field(ge=50, le=4_000_000)] = 2400
    """Bits a second, the same on every device of the line."""
    parity: Literal["none", "even", "odd"] = "even"
    devices: Annotated[dict[DeviceName, Cjt188Device], Field(min_length=1)]
    """By name. ``meter_{1..20}`` stands for twenty meters alike: the first has the `address` that is written,
    each further one the next number."""
