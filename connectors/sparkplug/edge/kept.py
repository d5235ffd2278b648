"""The number that ties a birth to its death, kept on disk: it counts connections over every restart.

It is written before the connection is tried. Killed between the two a number is left out, which nobody
misses; written afterwards a number could come twice, and the late death of one session would end the next.
"""

import contextlib
import logging
import os
from pathlib import Path
from typing import Final

import orjson

_NUMBERS: Final = 256

log = logging.getLogger(__name__)


def next_bd_seq(file: Path) -> int:
    """Return the number of the next connection, durable when this returns; 0 for the first.

    Raises:
        OSError: the file can't be written.
    """
    last = _read(file)
    number = 0 if last is None else (last + 1) % _NUMBERS
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    with fresh.open("wb") as opened:
        opened.write(orjson.dumps({"bd_seq": number}))
        opened.flush()
        os.fsync(opened.fileno())
    fresh.replace(file)
    if os.name != "nt":
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return number


def _read(file: Path) -> int | None:
    with contextlib.suppress(FileNotFoundError):
        data = file.read_bytes()
        with contextlib.suppress(ValueError):
            said = orjson.loads(data)
            number = said.get("bd_seq") if isinstance(said, dict) else None
            if type(number) is int and 0 <= number < _NUMBERS:
                return number
        log.warning("not read", extra={"file": str(file), "reason": "no number of a connection in it"})
    return None
