"""Tags computed from other tags, of one device or of many."""

from typing import Annotated

from pydantic import Field

from config.base import Duration, Name
from config.tags import DeviceOptions, TagOptions


class DerivedTag(TagOptions):
    """One value computed whenever one of the tags it is made of is stored."""

    expression: Annotated[str, Field(min_length=1)]
    """Arithmetic over tags: ``press_1.power`` (device.tag), or the whole path in double quotes."""
    max_age: Annotated[Duration, Field(ge=1_000_000_000)] | None = None
    """Older than this, a tag it is made of makes the result Uncertain.

    Absent: three times that tag's own scan or heartbeat, at least 10s.
    """

    @property
    def count(self) -> int:
        """Return how many values it has, as other tags do."""
        return 1


class DerivedDevice(DeviceOptions):
    """What derived tags are shown under, as if a device had them."""

    tags: Annotated[dict[Name, DerivedTag], Field(min_length=1)]
