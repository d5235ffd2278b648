"""The newest batches in memory, so that healthy sinks never touch the disk, and how old the log's end is."""

from collections import deque
from typing import Final

from connectors import Delivery

_BEHIND_NS: Final = 5_000_000_000
_MARK_NS: Final = 250_000_000


class Ring:
    """Batches by seq, the oldest going first when the bytes are full."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held: dict[int, Delivery] = {}
        self._sizes: deque[tuple[int, int]] = deque()
        self.bytes = 0
        self.get = self._held.get
        """Return the batch with this seq, or None: bound once, for it is asked for every delivery."""

    def put(self, delivery: Delivery, size: int) -> None:
        """Remember the newest batch; `size` is what it holds in memory."""
        self._held[delivery.seq] = delivery
        self._sizes.append((delivery.seq, size))
        self.bytes += size
        while self.bytes > self._most and len(self._sizes) > 1:
            seq, gone = self._sizes.popleft()
            del self._held[seq]
            self.bytes -= gone

    def forget(self, start: int, stop: int) -> None:
        """Let go of [start, stop): the log has lost it."""
        self._sizes = deque(each for each in self._sizes if not start <= each[0] < stop)
        for seq in [seq for seq in self._held if start <= seq < stop]:
            del self._held[seq]
        self.bytes = sum(size for _, size in self._sizes)


class Lateness:
    """Where the log ended five seconds ago, to a quarter of a second."""

    def __init__(self, end: int) -> None:
        """Whatever earlier runs stored is late."""
        self._marks: deque[tuple[int, int]] = deque()
        self._behind = end
        self._last = (0, end)

    def note(self, now: int, end: int) -> None:
        """Learn where the log ends; `now` is monotonic ns."""
        if not self._marks or now - self._marks[-1][0] >= _MARK_NS:
            self._marks.append((now, end))
        self._last = (now, end)

    def behind(self, now: int) -> int:
        """Return the seq below which everything was stored more than 5 s ago."""
        while self._marks and now - self._marks[0][0] >= _BEHIND_NS:
            self._behind = self._marks.popleft()[1]
        if now - self._last[0] >= _BEHIND_NS:
            self._behind = self._last[1]
        return self._behind
