"""What the service manager is told: that the gateway runs, that it lives, that it stops.

systemd's protocol (sd_notify): a datagram a message to the socket $NOTIFY_SOCKET names. Where nobody has
named one, as on Windows, nothing is sent. The watchdog is fed from the event loop, and only after the thread
that writes the log has come round: when either stands still the feeding ends, and systemd starts anew.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from gateway.buffer.contract import StoreFailed

log = logging.getLogger(__name__)

FEEDINGS: Final = 4
"""In one period of the watchdog: a commit that takes three quarters of it is slow, not stuck."""


class ServiceManager:
    """Whoever started the gateway and may wait to hear from it."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        given = os.environ if environment is None else environment
        self._address = given.get("NOTIFY_SOCKET", "")
        self._period_s = 0.0
        # Set for a parent's process and inherited: then it isn't ours to feed.
        if given.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()):
            self._period_s = int(given.get("WATCHDOG_USEC", "0")) / 1e6
        self._reason = ""

    def tell(self, message: str) -> None:
        """Send one message, such as ``READY=1``; never waits, never raises."""
        if not self._address:
            return
        # A leading @ is Linux's abstract namespace.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(0)
                sender.sendto(message.encode(), address)
        except OSError as exc:
            if str(exc) != self._reason:
                self._reason = str(exc)
                log.warning(
                    "the service manager can't be told", extra={"told": message, "reason": self._reason}
                )

    async def feed(self, alive: Callable[[], Awaitable[None]]) -> None:
        """Feed the watchdog each time `alive` returns, until it raises StoreFailed; end if nobody watches."""
        while self._address and self._period_s:
            try:
                await alive()
            except StoreFailed as exc:
                log.error("the watchdog is fed no more", extra={"reason": str(exc)})  # noqa: TRY400  the reason is enough
                return
            self.tell("WATCHDOG=1")
            await asyncio.sleep(self._period_s / FEEDINGS)
