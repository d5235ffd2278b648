"""Reads a store from its format description alone (docs/reference/store-format.md); imports nothing of ours.

`python read_store.py DIRECTORY` prints one JSON line a row; for a copy of a store, killed or closed."""

import json
import sqlite3
import struct
import sys
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np


def offsets(data: bytes, at: int, n: int, base: int, width: int, *, unit: int = 1) -> np.ndarray:
    if width == 0:
        return np.full(n, base, np.int64)
    column = np.frombuffer(data, f"<u{width}", n, at).astype(np.uint64) * np.uint64(unit)
    return (column + np.uint64(base & 0xFFFF_FFFF_FFFF_FFFF)).view(np.int64)


def part_rows(data: bytes, at: int, found: list[tuple[int, Any, int]]) -> int:
    n, code, t_width, t_unit, q_width, t_base, q_base, v_base, size = struct.unpack_from(
        "<IBBBBqIqI", data, at
    )
    time = offsets(data, at + 32, n, t_base, t_width, unit=10**t_unit)
    quality = offsets(data, at + 32 + n * t_width, n, q_base, q_width)
    at += 32 + n * (t_width + q_width)
    width = code & 0x0F
    if code & 0xF0 == 0x10:
        value = np.frombuffer(data, f"<f{width}", n, at).astype(np.float64).tolist()
    else:
        value = offsets(data, at, n, v_base, width).tolist()
    if code & 0xF0 == 0x30:
        text = data[at + n * width : at + size].decode("utf-8", "surrogatepass")
        value = [text[a:b] for a, b in pairwise(np.cumsum([0, *value]))]
    found += zip(time.tolist(), value, quality.tolist(), strict=True)
    return at + size


def batches(directory: Path) -> Iterator[tuple[str, int, str, int, list[tuple[str, int, Any, int]]]]:
    """Yield (epoch, seq, source, arrived, [(tag path, time, value, quality), …]) of every provable batch."""
    files = sorted(directory.glob("*.segment"))
    for path, stop in zip(files, [*(int(file.stem) for file in files), 2**62][1:], strict=False):
        db = sqlite3.connect(path)
        meta = {}
        with suppress(sqlite3.DatabaseError):  # killed while it was begun: nothing was accepted into it
            meta = dict(db.execute("SELECT key, value FROM meta"))
        if not {"epoch", "random"} <= set(meta):
            db.close()
            continue
        epoch = struct.pack("<QQ", ordinal := int(meta["epoch"]), random := int(meta["random"], 16))
        sources = {number: name for number, name, *_ in db.execute("SELECT * FROM sources")}
        kept = db.execute("SELECT layout, crc, CAST(tags AS BLOB) FROM layouts")
        layouts = {i: tags for i, crc, tags in kept if tags is not None and zlib.crc32(tags) == crc}
        names = {}
        with suppress(sqlite3.DatabaseError):
            for number, crc, record in db.execute("SELECT number, crc, CAST(record AS BLOB) FROM tags"):
                with suppress(TypeError):  # a flipped type
                    names[number] = json.loads(record)["path"] if zlib.crc32(record, number) == crc else ""
        stored = db.execute("SELECT * FROM batches WHERE seq < ? ORDER BY seq", (stop,))
        for seq, source, arrived, rows, layout, inline, resume, crc, data in stored:
            with suppress(KeyError, TypeError, AttributeError, struct.error):  # a flipped type
                facts = struct.pack("<qqqq", seq, arrived, rows, layout or -1)
                proof = (epoch, sources[source].encode(), facts, inline or b"", resume or b"", data)
                if zlib.crc32(b"".join(proof)) != crc:
                    continue
                one = inline and offsets(inline, 9, rows, *struct.unpack_from("<qB", inline))
                given = np.frombuffer(layouts[layout], "<i4") if one is None else one
                at, found = 4, []
                while at < len(data):
                    at = part_rows(data, at, found)
                tags = (names.get(tag) or f"#{tag}" for tag in given.tolist())
                named = [(tag, *rest) for tag, rest in zip(tags, found, strict=True)]
                yield f"{ordinal}-{random:016x}", seq, sources[source], arrived, named
        db.close()


if __name__ == "__main__":
    for *key, rows in batches(Path(sys.argv[1])):
        for number, row in enumerate(rows):
            print(json.dumps([*key, number, *row], ensure_ascii=False))
