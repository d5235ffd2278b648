"""From a library's thread to the event loop."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any


def post(loop: asyncio.AbstractEventLoop, call: Callable[..., object], *args: Any) -> None:
    """Have the loop make this call soon; once it is closed nobody waits any more, and nothing happens."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(call, *args)
