"""What a subscriber received, byte for byte: an append-only file of (time, topic, payload)."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HEAD = struct.Struct("<qHI")
"""Receive time in ns UTC, bytes of the topic, bytes of the payload; topic and payload follow."""


class Record(NamedTuple):
    received: int
    topic: str
    payload: bytes
    place: int
    """Offset in the file."""


def pack(received: int, topic: bytes, payload: bytes) -> bytes:
    return b"".join((HEAD.pack(received, len(topic), len(payload)), topic, payload))


def read(file: Path, start: int = 0) -> Iterator[Record]:
    """Yield the records of a file; a last one that is cut off was never acknowledged and is left out."""
    with file.open("rb") as recording:
        place = recording.seek(start)
        while len(head := recording.read(HEAD.size)) == HEAD.size:
            received, topic_length, length = HEAD.unpack(head)
            topic, payload = recording.read(topic_length), recording.read(length)
            if len(payload) < length:
                return
            yield Record(received, topic.decode(), payload, place)
            place += HEAD.size + topic_length + length
