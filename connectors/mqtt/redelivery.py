"""What of the broker's repeats is in the store already: exactly once across a kill.

A message is on disk first and acknowledged then. Killed between the two, or before the PUBACK has reached
the broker, we get it again, with the DUP flag and the same packet id (MQTT 5, 4.4). So each stored batch
carries a token: packet id and checksum of every message on disk that the broker may not know to be ours. An
entry leaves the token when a marker, sent after its PUBACK, is answered, or its packet id comes with another
message.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np

_VERSION: Final = 1
_HEAD: Final = struct.Struct("<BH")
"""Version, number of messages."""
_ENTRY_BYTES: Final = 6
"""All packet ids, uint16, then all checksums, uint32, little-endian; behind them the filters, NUL between."""
_MARK_AFTER: Final = 64
"""So many PUBACKs in doubt are worth a marker …"""
_MARK_AFTER_NS: Final = 5_000_000_000
"""… and so is any at this age."""
_MOST_IN_DOUBT: Final = 2 * 65_536
"""Twice the packet ids there are: of more PUBACKs half are of ids that came again with other messages."""
_REPEATS_WITHIN_NS: Final = 30_000_000_000
"""A broker repeats right after the connection; it is given this long all the same."""

Entry = tuple[int, int]
"""Packet id and checksum; the very object stands for one message."""


def checksum(topic: str, payload: bytes | bytearray) -> int:
    """Return what tells a message from another with the same packet id, 32 bits."""
    return zlib.crc32(payload, zlib.crc32(topic.encode()))


class Redelivery:
    """Of one session: what is stored and may be repeated."""

    def __init__(self, filters: Sequence[str] = ()) -> None:
        self._filters = filters
        self.stale_filters: list[str] = []
        """Filters an earlier plant file had; the broker's session still has them."""
        self._earlier: dict[int, int] = {}
        self._doubtful: dict[int, Entry] = {}
        self._since_mark: list[Entry] = []
        self._marked: dict[int, list[Entry]] = {}
        self._is_answered = False
        self._opened = self._last_mark = 0

    def load(self, token: bytes | None) -> None:
        """Take over what the newest stored batch says; one of another form is of no use and left."""
        if token is None or len(token) < _HEAD.size or token[0] != _VERSION:
            return
        _, n = _HEAD.unpack_from(token)
        end = _HEAD.size + n * _ENTRY_BYTES
        if len(token) < end:
            return
        ids = np.frombuffer(token, "<u2", n, _HEAD.size)
        sums = np.frombuffer(token, "<u4", n, _HEAD.size + ids.nbytes)
        self._earlier = dict(zip(ids.tolist(), sums.tolist(), strict=True))
        earlier = token[end:].decode("utf-8", "replace").split("\0")
        self.stale_filters = [each for each in earlier if each and each not in self._filters]

    def open(self, now: int, *, session_present: bool) -> None:
        """Begin at the broker's answer; without its session it repeats nothing and numbers anew."""
        self._opened = self._last_mark = now
        if not session_present:
            self._earlier.clear()

    def is_repeat(self, packet_id: int, summed: int, *, can_tell: bool) -> bool:
        """Tell whether the message is in the store already; ask once per message.

        `can_tell` is set for the DUP flag, or a message with a time or id of its own: those with equal
        bytes are one. Else two equal readings could be taken for one.
        """
        earlier = self._earlier.pop(packet_id, None)
        return can_tell and earlier == summed

    def note(self, packet_id: int, summed: int) -> Entry:
        """Remember a message that is on its way to the store, or there."""
        entry = self._doubtful[packet_id] = (packet_id, summed)
        return entry

    def acked(self, entries: list[Entry]) -> None:
        """Learn that PUBACKs were sent."""
        self._since_mark += entries
        if len(self._since_mark) > _MOST_IN_DOUBT:  # a flood, and a broker that is slow to answer the marker
            self._since_mark = [each for each in self._since_mark if self._doubtful.get(each[0]) is each]

    def wants_marker(self, now: int) -> bool:
        """Tell whether it is time for a marker; at most one is under way."""
        if not self._since_mark or self._marked:
            return False
        return len(self._since_mark) >= _MARK_AFTER or now - self._last_mark >= _MARK_AFTER_NS

    def marked(self, marker: int, now: int) -> None:
        """Learn that a marker was sent behind every PUBACK so far."""
        self._marked[marker] = self._since_mark
        self._since_mark = []
        self._last_mark = now

    def proven(self, marker: int) -> None:
        """Forget what the answered marker vouches for."""
        self._is_answered = True
        for entry in self._marked.pop(marker, ()):
            if self._doubtful.get(entry[0]) is entry:
                del self._doubtful[entry[0]]

    def caught_up(self, now: int) -> None:
        """Learn that no message waits: what was not repeated before a marker's answer never will be."""
        if self._is_answered and self._earlier and now - self._opened >= _REPEATS_WITHIN_NS:
            self._earlier.clear()

    def token(self) -> bytes:
        """Return what to store with the next batch: all that was noted, and what may still be repeated."""
        ids = np.array([*self._earlier, *self._doubtful], "<u2")
        sums = [*self._earlier.values(), *[summed for _, summed in self._doubtful.values()]]
        head, filters = _HEAD.pack(_VERSION, len(ids)), "\0".join(self._filters).encode()
        return head + ids.tobytes() + np.array(sums, "<u4").tobytes() + filters
