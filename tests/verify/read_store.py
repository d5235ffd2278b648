"""Reads a store from its format description alone (docs/reference/store-format.md); imports nothing of ours.

`python read_store.py DIRECTORY` prints one JSON line a row. Works on a copy of a killed gateway's store.
"""

import json
import sqlite3
import struct
import sys
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np


def offsets(data: bytes, at: int, n: int, base: int, width: int, *, unit: int = 1) -> np.ndarray:
    if width == 0:
        return np.full(n, base, np.int64)
    column = np.frombuffer(data, f"<u{width}", n, at).astype(np.uint64) * np.uint64(unit)
    return (column + np.uint64(base & 0xFFFF_FFFF_FFFF_FFFF)).view(np.int64)


def part_rows(data: bytes, at: int) -> tuple[int, list[tuple[int, Any, int]]]:
    n, code, t_width, t_unit, q_width, t_base, q_base, v_base, size = struct.unpack_from(
        "<IBBBBqIqI", data, at
    )
    at += struct.calcsize("<IBBBBqIqI")
    time = offsets(data, at, n, t_base, t_width, unit=10**t_unit)
    at += n * t_width
    quality = offsets(data, at, n, q_base, q_width)
    at += n * q_width
    width = code & 0x0F
    if code & 0xF0 == 0x10:
        value = np.frombuffer(data, f"<f{width}", n, at).astype(np.float64).tolist()
    else:
        value = offsets(data, at, n, v_base, width).tolist()
    if code & 0xF0 == 0x30:
        text = data[at + n * width : at + size].decode("utf-8", "surrogatepass")
        ends = np.cumsum([0, *value]).tolist()
        value = [text[a:b] for a, b in pairwise(ends)]
    return at + size, list(zip(time.tolist(), value, quality.tolist(), strict=True))


def batches(directory: Path) -> Iterator[tuple[str, int, str, int, list[tuple[str, int, Any, int]]]]:
    """Yield (epoch, seq, source, arrived, [(tag path, time, value, quality), …]) of every provable batch."""
    files = sorted(Path(directory).glob("*.segment"))
    for path, following in zip(files, [*files[1:], None], strict=True):
        db = sqlite3.connect(path)
        meta = dict(db.execute("SELECT key, value FROM meta"))
        ordinal, random = int(meta["epoch"]), int(meta["random"], 16)
        seed = zlib.crc32(struct.pack("<QQ", ordinal, random))
        sources = dict(db.execute("SELECT source, name FROM sources"))
        tag_rows = db.execute("SELECT number, crc, record FROM tags").fetchall()
        names = {n: json.loads(record)["path"] for n, crc, record in tag_rows if zlib.crc32(record, n) == crc}
        layouts = {i: tags for i, crc, tags in db.execute("SELECT * FROM layouts") if zlib.crc32(tags) == crc}
        stop = int(following.stem) if following else 2**62
        for row in db.execute("SELECT * FROM batches WHERE seq < ? ORDER BY seq", (stop,)):
            seq, source, arrived, rows, layout, inline, resume, crc, data = row
            facts = sources[source].encode() + struct.pack("<qqqq", seq, arrived, rows, layout or -1)
            if (
                zlib.crc32(
                    data, zlib.crc32(resume or b"", zlib.crc32(inline or b"", zlib.crc32(facts, seed)))
                )
                != crc
            ):
                print(f"{path.name}: seq {seq} is damaged", file=sys.stderr)
                continue
            tags = (
                np.frombuffer(layouts[layout], "<i4")
                if layout
                else offsets(inline, 9, rows, *struct.unpack_from("<qB", inline))
            ).tolist()
            at, found = 4, []
            for _ in range(data[2]):
                at, more = part_rows(data, at)
                found += more
            yield (
                f"{ordinal}-{random:016x}",
                seq,
                sources[source],
                arrived,
                [(names.get(tag, f"#{tag}"), *rest) for tag, rest in zip(tags, found, strict=True)],
            )
        db.close()


if __name__ == "__main__":
    for epoch, seq, source, arrived, rows in batches(Path(sys.argv[1])):
        for row, (path, time, value, quality) in enumerate(rows):
            print(
                json.dumps([epoch, seq, row, source, arrived, path, time, value, quality], ensure_ascii=False)
            )
