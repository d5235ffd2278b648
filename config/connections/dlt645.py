"""DL/T 645-2007: electricity meters on a serial line, read and never written."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from config.base import DeviceName, Duration, Name
from config.connections.asked import AskedDevice
from config.connections.meter_line import MeterLine
from config.dlt645_identifiers import TemplateName, identifiers, template
from config.tags import TagOptions


class Dlt645Tag(TagOptions):
    """One number of a meter."""

    di: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{8}$")]
    """Data identifier, eight hexadecimal digits in quotes, DI3 first as manuals write: ``"00010000"``."""
    format: Annotated[str, Field(pattern=r"^X{1,12}(\.X{1,8})?$")] | None = None
    """Digits of the value, ``XXXXXX.XX``; for an identifier in the table, its own when absent."""
    signed: bool = False
    """The top bit is the sign; for an identifier in the table, its own when absent."""

    @model_validator(mode="before")
    @classmethod
    def _known(cls, data: Any) -> Any:
        """Fill in what the table says of the identifier."""
        di = data.get("di") if isinstance(data, Mapping) else None
        known = identifiers().get(di.upper()) if isinstance(di, str) else None
        return data if known is None else {**known.defaults(), **data}

    @property
    def count(self) -> int:
        """Return how many values it has, as other tags do."""
        return 1


class Dlt645Device(AskedDevice):
    """One meter."""

    address: Annotated[str, Field(pattern=r"^([0-9]{12}|any)$")]
    """Twelve digits in quotes, as on its label, zeros in front; ``any`` for the only meter on a line."""
    scan: Annotated[Duration, Field(ge=10_000_000)] = 60_000_000_000
    """Scan interval; scans fall on whole multiples of it."""
    timeout: Annotated[Duration, Field(ge=1_000_000)] | None = None
    """Longest wait for one reply; the line's own when absent."""
    template: TemplateName | None = None
    """The usual tags of a meter, each a request of its own; `tags` adds to them or replaces some."""
    tags: dict[Name, Dlt645Tag] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, data: Any) -> Any:
        """Put the template's tags before the device's own."""
        if not isinstance(data, Mapping) or not isinstance(data.get("template"), str):
            return data
        own = data.get("tags", {})
        usual = {name: {"di": di} for name, di in template(data["template"]).items()}
        return {**data, "tags": {**usual, **own}} if isinstance(own, Mapping) else data


class Dlt645Source(MeterLine):
    """A line (RS-485, infrared head) of meters that speak DL/T 645-2007."""

    kind: Literal["dlt645"]
    baud: Annotated[int, Field(ge=50, le=4_000_000)] = 2400
    """Bits a second, the same on every device of the line."""
    parity: Literal["none", "even", "odd"] = "even"
    devices: Annotated[dict[DeviceName, Dlt645Device], Field(min_length=1)]
    """By name. ``meter_{1..20}`` stands for twenty meters alike: the first has the `address` that is written,
    each further one the next number."""
