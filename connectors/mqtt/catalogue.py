"""The two retained messages beside the data: what a device's tags are, and how the gateway is."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from config.units import find_unit
from config.version import wanglian_version
from connectors.tags import Tag, TagTable


def device_catalogues(
    gateway: str, tags: TagTable, selects: Callable[[NDArray[np.int32]], NDArray[np.bool_]] | None = None
) -> Iterator[tuple[str, bytes]]:
    """Yield (device path, `_tags` payload) of every device that has active tags, of those a sink selects."""
    active = tags.active()
    if selects is not None and len(active):
        active = active[selects(active)]
    device = tags.device[active]
    for number in np.unique(device).tolist():
        path = tags.device_path(number)
        told = {tags[tag].name: described(tags[tag]) for tag in active[device == number].tolist()}
        yield path, orjson.dumps({"gw": gateway, "dev": path, "tags": told})


def status(gateway: str, *, online: bool, more: dict[str, Any] | None = None) -> bytes:
    """Return a `_status` payload; the last will says the same with `online` false and nothing more."""
    return orjson.dumps({"gw": gateway, "online": online, "version": wanglian_version(), **(more or {})})


def described(tag: Tag) -> dict[str, Any]:
    """Return what the catalogue says of a tag."""
    unit = find_unit(tag.unit)
    found: dict[str, Any] = {
        "kind": tag.kind.name.lower(),
        "unit": tag.unit,
        "symbol": tag.unit if unit is None else unit.symbol,
    }
    if tag.counter:
        found["counter"] = True
    if tag.was:
        found["was"] = tag.was
    if tag.tag_class:
        found["class"] = tag.tag_class
    limits = {"low": tag.low, "high": tag.high}
    return found | {name: limit for name, limit in limits.items() if not math.isnan(limit)}
