"""What any payload of an MQTT message must not do; the fuzzer's target, and what its corpus is replayed with.

    nice -n 19 python -m tests.fuzz.mqtt_message tests/cases/fuzz/mqtt -max_total_time=600

An input's first byte chooses how the message is read; the payload follows. atheris is not among the project's
dependencies.
"""

import inspect
import json
import math
import sys
from typing import Any, Final

import numpy as np

from config.connections import MqttMessages
from connectors.batch import Origin
from connectors.broker.rows import Rows
from connectors.mqtt import extract, ids, places, times
from connectors.mqtt.extract import Extraction, Malformed
from connectors.quality import is_bad

ARRIVED: Final = 1_790_000_000_000_000_000
_TYPES: Final = ("number", "integer", "text", "bool")
_PATHS: Final = ("a", "b", "c[0]", "d.e")


def _entry(**more: Any) -> Extraction:
    tags = {kind: {"path": path, "type": kind} for kind, path in zip(_TYPES, _PATHS, strict=True)}
    made = Extraction(MqttMessages.model_validate({"topic": "t", "device": "d", "tags": tags} | more))
    made.number(range(len(tags)))
    return made


def _plain(kind: str) -> Extraction:
    entry = {"topic": "t", "device": "d", "tags": {"x": {"type": kind}}}
    made = Extraction(MqttMessages.model_validate(entry))
    made.number(range(1))
    return made


READINGS: Final = (
    _entry(),
    _entry(time={"path": "ts", "form": "unix_ms"}),
    _entry(time={"path": "ts", "form": "iso8601"}, quality="q"),
    *(_plain(kind) for kind in _TYPES),
)


def check(data: bytes) -> None:
    """Raise when a message crashes its reading, or a Good value is not what the message says."""
    if not data:
        return
    reading, payload = READINGS[data[0] % len(READINGS)], data[1:]
    rows = Rows()
    try:
        said = reading.parse(payload, 32)
    except Malformed:
        return
    reading.append(said, ARRIVED, rows)
    if not len(rows):
        return
    batch = rows.batch(ARRIVED, Origin.LIVE)
    for part in batch.parts:
        good = ~is_bad(part.quality)
        if part.value.dtype == np.float64:
            assert np.isfinite(part.value[good]).all(), "a Good value is no number"
    if reading in READINGS[:3] and isinstance(truth := json.loads(payload), dict):
        for part in batch.parts:
            for tag, value, bad in zip(
                part.tag.tolist(), part.value.tolist(), is_bad(part.quality), strict=True
            ):
                assert bad or _is_said(truth, tag, value), "a Good value is not in the message"


def _is_said(truth: dict[str, Any], tag: int, value: Any) -> bool:
    if tag < 2:
        found = truth[_PATHS[tag]]
        return not isinstance(found, float | int) or found == value or math.isclose(found, value, rel_tol=0)
    if tag == 2:
        return bool(truth["c"][0] == value)
    return True


if __name__ == "__main__":
    import atheris

    for module in (extract, ids, places, times):
        for name, function in list(vars(module).items()):
            if inspect.isfunction(function) and function.__module__ == module.__name__:
                setattr(module, name, atheris.instrument_func(function))
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
