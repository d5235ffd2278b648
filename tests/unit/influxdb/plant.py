"""Tags, deliveries and options the tests of this connector share."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from config.base import Secret, SecretText
from config.connections import InfluxDbSink
from connectors import Batch, Columns, Context, Delivery, Epoch, Kind, SystemClock, Tag, TagTable
from connectors.influxdb import InfluxDb
from tests.fakes import T0

EPOCH = Epoch(1, 0xABCDEF)
TOKEN = "t0ken-nobody-may-see"  # noqa: S105  of nobody
NAMES = ("v", "w", "x", "y")


def table(kind: Kind = Kind.FLOAT64, names: Sequence[str] = NAMES) -> TagTable:
    tags = TagTable()
    tags.announce([Tag(f"cz/hall/l1/m1/{name}", kind, "KWT", "src") for name in names])
    return tags


def columns(
    values: Sequence[Any], *, tags: Any = None, time: Any = T0, quality: Any = 0, dtype: Any = np.float64
) -> Columns:
    n = len(values)
    value = np.empty(n, dtype)
    value[:] = values
    return Columns(
        np.arange(n, dtype=np.int32) if tags is None else np.broadcast_to(np.int32(tags), n).copy(),
        np.broadcast_to(np.int64(time), n).copy(),
        value,
        np.broadcast_to(np.uint32(quality), n).copy(),
    )


def delivery(seq: int, *parts: Columns, rows: tuple[Any, ...] | None = None) -> Delivery:
    return Delivery(Batch(parts, T0), EPOCH, seq, rows=rows)


def sink(url: str, tags: TagTable | None = None, *, token: bool = False, **more: Any) -> InfluxDb:
    said = {"kind": "influxdb", "url": url, "bucket": "plant", "org": "factory", "timeout": "8s"} | more
    if token:
        said["token"] = Secret(SecretText(TOKEN))
    return InfluxDb(InfluxDbSink.model_validate(said), Context("g1", tags or table(), SystemClock()))
