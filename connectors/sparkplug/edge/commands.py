"""What a host may ask: to be told the births again. Nothing else is understood, nothing else can happen."""

from typing import Any

from connectors.sparkplug.payload import REBIRTH, Malformed, parse

__all__ = ["Heard", "hear"]

Heard = tuple[bool, int]
"""Whether a rebirth is asked for, and how many other commands there were."""


def hear(payload: bytes | bytearray) -> Heard:
    """Read a command to the node; one that can't be read is one that is refused."""
    try:
        said = parse(payload)
    except Malformed:
        return False, 1
    asked = [_is_rebirth(metric) for metric in said.metrics]
    return any(asked), len(asked) - sum(asked)


def _is_rebirth(metric: Any) -> bool:
    return (
        metric.name == REBIRTH
        and metric.WhichOneof("value") == "boolean_value"
        and bool(metric.boolean_value)
    )
