"""Reads the forms of MQTT messages back into rows, as a platform would: by their documentation alone.

Imports nothing of the gateway. A `Reading` has what the form says: where it leaves something out, so does the
reading.
"""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reading:
    """A value as it was told."""

    path: str
    """site/area/line/device/tag"""
    time: int | str
    value: Any
    quality: int | None
    """None where the form does not say it."""
    key: tuple[Any, ...] | None
    """What names the reading for ever; None where the form does not say it."""
    is_late: bool | None = None
    unit: str | None = None


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


def parse(payload: bytes) -> Any:
    """Parse strict JSON; a key that comes twice is an error."""
    return json.loads(payload, object_pairs_hook=_once, parse_constant=_no_constant)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"a key comes twice: {[name for name, _ in pairs]}")
    return found


def read_values(topic: str, payload: bytes, *, prefix: str, is_list: bool = False) -> list[Reading]:
    """Read a message of kind `values`."""
    said = parse(payload)
    if is_list != isinstance(said, list):
        raise ValueError(f"{topic}: a list is {'missing' if is_list else 'not expected'}")
    return [reading for each in (said if is_list else [said]) for reading in _of_object(topic, each, prefix)]


def _of_object(topic: str, said: dict[str, Any], prefix: str) -> list[Reading]:
    device = topic.removeprefix(f"{prefix}/")
    if said["dev"] != device:
        raise ValueError(f"{said['dev']} on {topic}")
    found = []
    for tag, value in said["values"].items():
        key = (said["gw"], said["epoch"], said["seq"], device, tag, said["ts"], said.get("n", 0))
        quality = said.get("q", {}).get(tag, 0)
        unit = said.get("unit", {}).get(tag)
        reading = Reading(f"{device}/{tag}", said["ts"], value, quality, key, said.get("hist", False), unit)
        found.append(reading)
    return found


def read_plain(topic: str, payload: bytes, *, prefix: str, is_list: bool = False) -> list[Reading]:
    """Read a message of kind `values` with `plain: true`."""
    said = parse(payload)
    found = []
    for each in said if is_list else [said]:
        if set(each) != {"ts", "values"}:
            raise ValueError(f"not plain: {sorted(each)}")
        device = topic.removeprefix(f"{prefix}/")
        found += [Reading(f"{device}/{tag}", each["ts"], v, None, None) for tag, v in each["values"].items()]
    return found


def read_per_tag(topic: str, payload: bytes, *, prefix: str) -> Reading:
    """Read a message of kind `per_tag`."""
    said = parse(payload)
    path = topic.removeprefix(f"{prefix}/").removesuffix("/_past")
    key = (said["gw"], said["epoch"], said["seq"], said["row"])
    return Reading(path, said["t"], said["v"], said["q"], key, said.get("hist", False), said["u"])
