"""The dialogue that brings notifications: a few requests wait at the server, answers come in their order.

    server      ┌ request ┐┌ request ┐┌ request ┐      waiting, `_IN_FLIGHT` of them
                 ╲ answer: notification, or keep-alive
    `next`      one answer is taken, its gap (if any) closed by Republish, a new request sent in its place

Nobody takes answers while the gateway can't store: then no requests wait at the server, and it queues, within
its own limits, until the overflow bit tells. A request acknowledges what is on disk by then.

A message that is lost for good ends the session: what it said nobody knows, and the next reports everything.
What a later session needs to go on with the subscriptions of this one is told by `heard`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from asyncua import ua
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, struct_to_binary
from asyncua.ua.uaerrors import UaStatusCodeError

from connectors.clock import Clock
from connectors.errors import NotConnected
from connectors.opcua.publish import Published, decode_publish
from connectors.opcua.reasons import status_name
from connectors.opcua.rows import Fault, Malformed
from connectors.opcua.session import Session
from connectors.opcua.statistics import Statistics
from connectors.opcua.subscribing import Subscription

log = logging.getLogger(__name__)

_IN_FLIGHT: Final = 5
_SILENCES: Final = 3
"""Keep-alives that may be missing in a row."""
_MOST_MISSING: Final = 100
"""Messages asked for again at most; a larger gap is no gap but another sequence."""
_LAST: Final = 2**32 - 1
_NOT_KEPT: Final = ua.StatusCodes.BadMessageNotAvailable
_OF_THE_SESSION: Final = (
    ua.StatusCodes.BadSessionIdInvalid,
    ua.StatusCodes.BadSessionClosed,
    ua.StatusCodes.BadSecureChannelClosed,
    ua.StatusCodes.BadSecureChannelIdInvalid,
)
_TEMPORARY: Final = (ua.StatusCodes.BadTimeout, ua.StatusCodes.BadRequestTimeout)

Acknowledgement = tuple[int, int]
"""Subscription id, sequence number."""


class Publishing:
    """The notifications of one session's subscriptions."""

    def __init__(self, session: Session, clock: Clock, statistics: Statistics) -> None:
        self._session = session
        self._clock = clock
        self._statistics = statistics
        self._subscriptions: dict[int, Subscription] = {}
        self._heard: dict[int, int] = {}
        self._expected: dict[int, int] = {}
        self._arrived: deque[tuple[int, asyncio.Future[Any]]] = deque()
        self._ready: deque[tuple[Published, int]] = deque()
        self._acknowledged: list[Acknowledgement] = []
        self._ended: NotConnected | None = None
        self._waiting = 0
        self._window = _IN_FLIGHT
        self.arrived: asyncio.Event = asyncio.Event()
        """Set when there may be something to take, or the connection has dropped."""
        session.on_lost = self.arrived.set

    def add(self, subscription: Subscription) -> None:
        """Listen to one more subscription."""
        self._subscriptions[subscription.id] = subscription
        self._heard[subscription.id] = self._clock.monotonic()
        self._fill()

    async def catch_up(self, subscription: Subscription, expected: int | None) -> None:
        """Listen to a subscription of an earlier session, after what was sent and did not arrive then.

        `expected` is the number of the next message, None where none had come.

        Raises:
            UaStatusCodeError: the server does not have the subscription any more.
            NotConnected: the connection is lost.
        """
        self._subscriptions[subscription.id] = subscription
        self._heard[subscription.id] = self._clock.monotonic()
        if expected is not None:
            self._expected[subscription.id] = expected
            for _ in range(_MOST_MISSING):
                try:
                    await self._republish(subscription.id)
                except UaStatusCodeError as error:
                    if error.code != _NOT_KEPT:
                        raise
                    break

    def forget(self) -> None:
        """Listen to no subscription any more; what was fetched of them stays to be taken."""
        self._subscriptions.clear()
        self._heard.clear()
        self._expected.clear()

    def subscriptions(self) -> list[Subscription]:
        """Return the subscriptions listened to."""
        return list(self._subscriptions.values())

    def heard(self) -> dict[int, int]:
        """Return the number of the message each subscription, that has been heard, sends next."""
        return dict(self._expected)

    def unsent(self) -> list[Acknowledgement]:
        """Return what was not told the server yet."""
        return list(self._acknowledged)

    def begin(self) -> None:
        """Ask for messages of the subscriptions there are."""
        self._fill()

    @property
    def deadline(self) -> int:
        """Return when the first subscription counts as silent, monotonic ns."""
        heard = (at + _SILENCES * self._subscriptions[i].keep_alive_ns for i, at in self._heard.items())
        return min(heard, default=2**62)

    def acknowledge(self, acknowledgements: Sequence[Acknowledgement]) -> None:
        """Tell the server, with the next request, that these need not be kept."""
        self._acknowledged += acknowledgements

    async def next(self) -> tuple[Published, int] | None:
        """Return the next message with values and when it arrived (UTC ns); None when there is none yet.

        Raises:
            NotConnected: the connection, a subscription or a message is lost, or a subscription is silent.
        """
        while not self._ready:
            if not self._arrived:
                if self._ended is not None:
                    raise self._ended
                self._session.check()
                self.arrived.clear()
                if self._clock.monotonic() >= self.deadline:
                    await self._session.knock()
                    raise NotConnected(self._silence())
                return None
            at, future = self._arrived[0]
            published = self._decoded(future)
            if published is not None:
                await self._close_gap(published)
                self._hear(published, at)
            self._arrived.popleft()
            try:
                self._fill()
            except NotConnected as exc:  # told once what has arrived is taken
                self._ended = exc
        return self._ready.popleft()

    def _fill(self) -> None:
        """Keep the window full."""
        if self._waiting == 0:
            # Nobody could be heard while nothing was asked.
            now = self._clock.monotonic()
            self._heard = dict.fromkeys(self._subscriptions, now)
        while self._waiting + len(self._arrived) < self._window:
            request = ua.PublishRequest()
            request.Parameters.SubscriptionAcknowledgements = [
                ua.SubscriptionAcknowledgement(ua.UInt32(i), ua.UInt32(number))
                for i, number in self._acknowledged
            ]
            future = self._session.send(request)
            self._acknowledged = []
            self._waiting += 1
            future.add_done_callback(self._arrive)

    def _arrive(self, future: "asyncio.Future[Any]") -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # looked at in its turn; if that never comes, asyncio shall not complain
        self._arrived.append((self._clock.now(), future))
        self.arrived.set()

    def _decoded(self, future: "asyncio.Future[Any]") -> Published | None:
        """Decode an answer; None when the server only had no answer in time or takes fewer requests."""
        if future.cancelled() or future.exception() is not None:
            self._session.check()
            raise NotConnected(f"{self._session.peer} was lost: {future.exception()}")
        body = future.result()
        try:
            return decode_publish(body.copy().read(len(body)))
        except Malformed as exc:
            raise NotConnected(f"{self._session.peer} sent a notification that can't be read: {exc}") from exc
        except Fault as fault:
            if fault.status in _TEMPORARY:
                return None
            if fault.status == ua.StatusCodes.BadTooManyPublishRequests and self._window > 1:
                self._window -= 1
                return None
            reason = f"publishes no more: {status_name(fault.status)}"
            if fault.status in _OF_THE_SESSION:
                self._session.lose(reason)  # what it subscribed may live on
            raise NotConnected(f"{self._session.peer} {reason}") from fault

    async def _close_gap(self, published: Published) -> None:
        """Fetch the messages missing before this one; after a cancellation it goes on where it was."""
        subscription = published.subscription_id
        while (expected := self._expected.get(subscription)) not in (None, published.sequence_number):
            missing = (published.sequence_number - (expected or 0)) % _LAST
            if missing > _MOST_MISSING:
                self._statistics.missed += 1
                raise NotConnected(f"{self._session.peer} jumps over {missing} notifications")
            try:
                await self._republish(subscription)
            except (UaStatusCodeError, Fault, Malformed) as exc:
                self._statistics.missed += missing
                raise NotConnected(f"{self._session.peer} lost notification {expected}: {exc}") from exc

    async def _republish(self, subscription: int) -> None:
        """Ask again for the message that comes next, and take it in."""
        request = ua.RepublishRequest()
        request.Parameters.SubscriptionId = ua.UInt32(subscription)
        request.Parameters.RetransmitSequenceNumber = ua.UInt32(self._expected[subscription])
        found = decode_publish(_as_publish(subscription, await self._session.ask_raw(request)))
        self._statistics.republished += 1
        self._hear(found, self._clock.now(), is_repeated=True)

    def _hear(self, published: Published, at: int, *, is_repeated: bool = False) -> None:
        """Take note of a message in its turn."""
        subscription = published.subscription_id
        if subscription not in self._subscriptions:
            return
        # Asked for again, it tells that we took the subscription over ourselves.
        is_ours = is_repeated and published.status_change == ua.StatusCodes.GoodSubscriptionTransferred
        if published.status_change is not None and not is_ours:
            status = status_name(published.status_change)
            raise NotConnected(f"{self._session.peer} ended a subscription: {status}")
        self._heard[subscription] = self._clock.monotonic()
        # A keep-alive has the number of the message that comes next (OPC 10000-4, 5.14.1.1).
        number = published.sequence_number
        self._expected[subscription] = number if published.keep_alive else number % _LAST + 1
        if published.keep_alive:
            self._statistics.keep_alives += 1
            return
        self._statistics.notifications += 1
        self._ready.append((published, at))

    def _silence(self) -> str:
        silent = min(
            self._heard, key=lambda i: self._heard[i] + _SILENCES * self._subscriptions[i].keep_alive_ns
        )
        waited = (self._clock.monotonic() - self._heard[silent]) / 1e9
        return f"{self._session.peer} is connected, but a subscription has been silent for {waited:.1f} s"


def _as_publish(subscription: int, body: Any) -> bytes:
    """Dress the answer to a Republish as the PublishResponse it repeats; both carry a NotificationMessage."""
    data = body.copy()
    nodeid_from_binary(data)
    header = struct_from_binary(ua.ResponseHeader, data)
    return b"".join(
        (
            _PUBLISH_RESPONSE,
            struct_to_binary(header),
            subscription.to_bytes(4, "little"),
            b"\xff\xff\xff\xff\x00",  # no available numbers, no more notifications
            data.read(len(data)),
            b"\xff\xff\xff\xff" * 2,  # no results, no diagnostics
        )
    )


_PUBLISH_RESPONSE: Final = b"\x01\x00" + (829).to_bytes(2, "little")
