"""What any payloads of an edge node must not do; the fuzzer's target, and what its corpus is replayed with.

    nice -n 19 python -m tests.fuzz.sparkplug_payload tests/cases/fuzz/sparkplug -max_total_time=600

An input is messages behind one honest birth: a byte for the kind, two for the length, the payload. atheris is
not among the project's dependencies.
"""

import inspect
import math
import sys
from typing import Any, Final

from connectors.sparkplug import datatypes, flatten, payload, readings
from connectors.sparkplug.guard import Guard
from connectors.sparkplug.naming import Naming
from connectors.sparkplug.node import Node
from connectors.sparkplug.payload import Malformed
from connectors.sparkplug.readings import Readings
from gateway.lab.sparkplug import EdgeNode
from tests.unit.sparkplug.hearing import MS, Hearing
from tests.verify.sparkplug import Payload

TOPICS: Final = (
    *("spBv1.0/plant/NDATA/press", "spBv1.0/plant/NBIRTH/press", "spBv1.0/plant/NDEATH/press"),
    *("spBv1.0/plant/DDATA/press/m1", "spBv1.0/plant/DBIRTH/press/m1", "spBv1.0/plant/DDEATH/press/m1"),
)
_WIDTHS: Final = (0, 8, 16, 32, 64)
_FIELDS: Final = ("v_u32", "v_u64", "v_f", "v_d", "v_bool", "v_s")


def born() -> EdgeNode:
    """Return the node whose birth goes before every input."""
    return EdgeNode("plant", "press", {"a": 1.5, "n": 7, "t": "run"}, devices={"m1": {"a": 2.5}})


def messages(data: bytes) -> list[tuple[str, bytes]]:
    """Return what an input says."""
    found, at = [], 0
    while at + 3 <= len(data):
        length = int.from_bytes(data[at + 1 : at + 3])
        found.append((TOPICS[data[at] % len(TOPICS)], data[at + 3 : at + 3 + length]))
        at += 3 + length
    return found


def check(data: bytes) -> None:
    """Raise when a payload crashes its reading, or a Good value is in none of them."""
    heard = Hearing()
    heard.hear(*born().births(MS))
    said: set[Any] = {1.5, 7, "run", 2.5}
    is_plain = True
    for message in messages(data):
        try:
            heard.hear_only(message)
        except Malformed:
            continue
        told, plain = values_in(message[1])
        said |= told
        is_plain &= plain
    heard.hear_only()
    for rows in (heard.wait(30), heard.rows(history=True)):
        for path, value, _ in rows:
            assert not isinstance(value, float) or math.isfinite(value), f"{path} is no number"
            assert value is None or not is_plain or value in said, f"{path} is said by nobody"


def values_in(message: bytes) -> tuple[set[Any], bool]:
    """Return every single value of a payload however it may be signed; whether there are no other values."""
    told = Payload.FromString(message)
    found: set[Any] = set()
    is_plain = True
    for metric in told.metrics:
        fields = [field for field in _FIELDS if metric.HasField(field)]
        is_plain &= bool(fields) or metric.is_null
        for field in fields:
            value = getattr(metric, field)
            if field in ("v_u32", "v_u64"):
                found |= {float(value - (1 << width if width else 0)) for width in _WIDTHS}
                found |= {value - (1 << width if width else 0) for width in _WIDTHS}
                found |= {value * 1_000_000, str(value)}
            found.add(value)
    return found, is_plain


if __name__ == "__main__":
    import atheris

    for place in (datatypes, flatten, payload, readings, Guard, Naming, Node, Readings):
        for name, function in list(vars(place).items()):
            if inspect.isfunction(function) and function.__module__.startswith("connectors.sparkplug"):
                setattr(place, name, atheris.instrument_func(function))
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
