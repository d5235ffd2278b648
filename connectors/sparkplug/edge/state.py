"""Whether the primary host is there, as its STATE says. Pure."""

from typing import Final

import orjson

_LATEST: Final = 1 << 63


class PrimaryHost:
    """What one connection has heard of the host.

    STATE carries the time the host connected, in its birth and in its will: what is older than the newest is
    of a session that is over, and says nothing.
    """

    def __init__(self) -> None:
        self.is_online = False
        self.is_known = False
        """Whether anything valid was heard at all."""
        self.since = 0
        """The time it carries, ms."""

    def hear(self, payload: bytes | bytearray) -> bool:
        """Take a message on the host's own topic; tell whether it was valid and not of the past."""
        try:
            said = orjson.loads(payload)
        except ValueError:
            return False
        if not isinstance(said, dict):
            return False
        online, time = said.get("online"), said.get("timestamp")
        if not isinstance(online, bool) or type(time) is not int or not self.since <= time < _LATEST:
            return False
        self.is_online, self.is_known, self.since = online, True, time
        return True
