"""How many messages may be in flight: as many as the line carries in a tenth of their deadline, no more.

What waits in a modem's queue delays every acknowledgement behind it: at 64 kbit/s sixty-four messages of a
device are ten seconds, and a broker that sends its answers one after another (Nagle) answers none of them
sooner. So a session begins with a few, grows by one with each that is acknowledged soon, and halves when one
took longer, at most once for those that were under way together.
"""

from typing import Final

FIRST: Final = 4
SOON: Final = 0.1
LONG: Final = 0.2
"""Parts of the deadline."""


class Window:
    """Times are the event loop's, in seconds."""

    def __init__(self, most: int, deadline_s: float) -> None:
        self.most = most
        self._deadline_s = deadline_s
        self._size = min(FIRST, most)
        self._sent: dict[int, float] = {}
        self._halved = 0.0
        self._quickest = deadline_s

    @property
    def size(self) -> int:
        """Messages that may be in flight now."""
        return min(self._size, self.most)

    def sent(self, packet_id: int, now: float) -> None:
        """Note when a message went out."""
        self._sent[packet_id] = now

    def acknowledged(self, packet_id: int, now: float) -> None:
        """Learn from how much longer it took than the quickest: that is what waited on the way."""
        sent = self._sent.pop(packet_id, None)
        if sent is None:
            return
        self._quickest = min(self._quickest, now - sent)
        waited = now - sent - self._quickest
        if waited <= SOON * self._deadline_s:
            self._size = min(self._size + 1, self.most)
        elif waited > LONG * self._deadline_s and sent > self._halved:
            self._size, self._halved = max(1, self.size // 2), now
