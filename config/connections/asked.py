"""What every device has that says something only when it is asked."""

from typing import Annotated

from pydantic import Field

from config.base import Duration
from config.tags import DeviceOptions


class AskedDevice(DeviceOptions):
    """A device that answers requests."""

    reply: Annotated[Duration, Field(le=60_000_000_000)] = 20_000_000
    """What it takes before it answers a request: `wanglian check` and `wanglian plan` foretell with it how
    long a cycle takes, nothing else uses it. Simple devices are said to take 5 to 30 ms, modular ones
    hundreds."""
