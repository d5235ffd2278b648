"""From one session of a source to the next: what a cut connection leaves behind, and how it is gone on with.

    reactivate   the session itself, over a new channel
    transfer     its subscriptions, to a new session
    recreate     nothing is left: nodes are looked up and subscribed anew

Before either of the first two counts, what was sent and did not arrive is asked for again (Republish), every
value is read once, and each subscription must bring a value it was just asked for: a status says nothing. No
rung is tried for ever: the session's key is given away before it is used, and subscriptions are taken over
twice at most. When to try is the supervisor's. A server that was started since has nothing of ours, whatever
its numbers say.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np
from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError

from connectors.clock import Clock
from connectors.errors import NotConnected
from connectors.opcua.client import SessionKey
from connectors.opcua.gaps import Past
from connectors.opcua.items import Item, Items
from connectors.opcua.limits import Limits
from connectors.opcua.publish import Published
from connectors.opcua.publishing import Acknowledgement, Publishing
from connectors.opcua.rows import Fault, Malformed
from connectors.opcua.session import Session
from connectors.opcua.subscribing import Subscriber, Subscription
from connectors.opcua.told import Told

_STARTED: Final = ua.NodeId(ua.ObjectIds.Server_ServerStatus_StartTime)
_TRIES: Final = 2
"""Times subscriptions are taken over: a cut in between is not their fault, an answer that never comes is."""
_INTERVALS: Final = 3
"""Publishing intervals a resumed subscription has, beside the timeout, to bring what it was asked for."""


@dataclass(slots=True)
class Left:
    """What a session whose connection was cut has left on the server, and what is known of it here."""

    started: datetime | None
    """When the server was."""
    key: SessionKey | None
    subscriptions: list[Subscription]
    expected: dict[int, int]
    """Number of the message each subscription sends next."""
    unacknowledged: list[Acknowledgement]
    """What is on its way to disk here, and still kept there."""
    namespaces: list[str]
    items: Items
    told: Told
    nodes: dict[int, ua.NodeId]
    limits: Limits
    subscribed: set[int]
    polled: list[int]
    refused: dict[int, int]
    was_finding: bool
    """Whether it was still looking for nodes."""
    tries: int = 0

    def take_key(self) -> SessionKey | None:
        """Return the session's key, once."""
        key, self.key = self.key, None
        return key


@dataclass(slots=True)
class Kept:
    """What outlives the sessions of one source, in memory."""

    left: Left | None = None
    found: list[Item] = field(default_factory=list)
    """Nodes that were found by globs."""
    past: Past = field(default_factory=Past)


async def read_start(session: Session) -> datetime | None:
    """Return when the server was started, None when it does not tell."""
    request = ua.ReadRequest()
    request.Parameters.NodesToRead = [ua.ReadValueId(NodeId=_STARTED, AttributeId=ua.AttributeIds.Value)]
    try:
        answer = await session.ask(request, ua.ReadResponse)
    except UaStatusCodeError:
        return None
    value = answer.Results[0].Value if answer.Results else None
    return value.Value if value is not None and isinstance(value.Value, datetime) else None


async def take_over(left: Left, session: Session, publishing: Publishing, *, is_earlier: bool) -> bool:
    """Go on with what is left; False when it is gone, and then nothing of it is left on the server either.

    Raises:
        NotConnected: the connection is lost.
    """
    if left.tries == _TRIES or not left.subscriptions:
        await give_up(left, session, publishing)
        return False
    left.tries += 1
    try:
        if not is_earlier:
            await _transfer(session, left.subscriptions)
        for each in left.subscriptions:
            await publishing.catch_up(each, left.expected.get(each.id))
    except (UaStatusCodeError, Fault, Malformed, _Refused):
        await give_up(left, session, publishing)
        return False
    return True


class _Refused(Exception):
    """The subscriptions can't be taken over."""


async def _transfer(session: Session, subscriptions: Sequence[Subscription]) -> None:
    request = ua.TransferSubscriptionsRequest()
    request.Parameters.SubscriptionIds = [ua.UInt32(each.id) for each in subscriptions]
    # Values are read once the missing messages are there: first what was sent, then what is.
    request.Parameters.SendInitialValues = False
    results = (await session.ask(request, ua.TransferSubscriptionsResponse)).Parameters.Results
    if len(results) != len(subscriptions) or not all(each.StatusCode.is_good() for each in results):
        raise _Refused


async def give_up(left: Left, session: Session, publishing: Publishing) -> None:
    """Delete the subscriptions, where the server has them."""
    publishing.forget()
    request = ua.DeleteSubscriptionsRequest()
    request.Parameters.SubscriptionIds = [ua.UInt32(each.id) for each in left.subscriptions]
    with contextlib.suppress(UaStatusCodeError):  # gone already
        await session.ask(request, ua.DeleteSubscriptionsResponse)
    left.subscriptions = []


class Proof:
    """That resumed subscriptions bring data: each is asked for the server's time, and must tell it soon."""

    def __init__(self, session: Session, clock: Clock, timeout: int) -> None:
        self._session = session
        self._clock = clock
        self._timeout = timeout
        self._open: dict[int, int] = {}
        self._brought: set[int] = set()
        self._how = ""
        self.at: int = 2**62
        """By when all must have brought it, monotonic ns."""

    async def ask(self, subscriber: Subscriber, subscriptions: Sequence[Subscription], how: str) -> bool:
        """Ask each for a value; False when one takes no further item, so that nothing can be proved.

        `how` they were taken over is what `settle` returns.
        """
        self._how = how
        for each in subscriptions:
            item = await subscriber.add_pulse(each)
            if item is None:
                return False
            self._open[each.id] = item
        slowest = max(each.interval_ms for each in subscriptions)
        self.at = self._clock.monotonic() + self._timeout + round(_INTERVALS * slowest * 1e6)
        return True

    @property
    def is_brought(self) -> bool:
        """Whether a value has come that `settle` has not seen yet."""
        return bool(self._brought)

    def look(self, published: Published, handle: int) -> None:
        """Look for the value in a message."""
        if published.subscription_id in self._open and any(
            bool(np.any(run.handle == handle)) for run in published.runs
        ):
            self._brought.add(published.subscription_id)

    async def settle(self, subscriber: Subscriber) -> str | None:
        """Take away the items that have served; once the last has, return how that was come to.

        Raises:
            NotConnected: a subscription did not bring its value in time, or the connection is lost.
        """
        for subscription in list(self._brought):
            self._brought.discard(subscription)
            await subscriber.remove(subscription, self._open.pop(subscription))
        if self._open and self._clock.monotonic() >= self.at:
            raise NotConnected(f"{self._session.peer} keeps a subscription that brings nothing any more")
        if self._open or self.at == 2**62:
            return None
        self.at = 2**62
        return self._how
