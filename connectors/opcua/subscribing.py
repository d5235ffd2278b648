"""Creating subscriptions and their monitored items: in chunks the server takes, each node on its own."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError

from config.connections import OpcUaSource
from connectors.opcua.items import NAMESPACES_HANDLE, PULSE_HANDLE, Items
from connectors.opcua.limits import Limits, too_much
from connectors.opcua.nodes import NAMESPACES
from connectors.opcua.reasons import status_name
from connectors.opcua.sampling import Sampling
from connectors.opcua.session import Session
from connectors.opcua.statistics import Statistics

_LIFETIME_NS: Final = 60_000_000_000
"""A subscription nobody asks for dies after this long, or three keep-alives if that is more."""
_TIME: Final = ua.NodeId(ua.ObjectIds.Server_ServerStatus_CurrentTime)
_MOST_PER_MESSAGE: Final = 10_000
_FULL: Final = frozenset({ua.StatusCodes.BadTooManyMonitoredItems, ua.StatusCodes.BadTooManySubscriptions})
_OF_THE_NODE: Final = frozenset(
    {
        ua.StatusCodes.BadNodeIdUnknown,
        ua.StatusCodes.BadNodeIdInvalid,
        ua.StatusCodes.BadAttributeIdInvalid,
        ua.StatusCodes.BadUserAccessDenied,
        ua.StatusCodes.BadNotReadable,
    }
)
"""What is no better by polling."""


@dataclass(slots=True)
class Subscription:
    """One subscription as the server has it."""

    id: int
    interval_ms: float
    """Publishing interval it settled on."""
    keep_alive_ns: int


@dataclass(slots=True)
class Subscribed:
    """What became of subscribing items."""

    subscriptions: list[Subscription] = field(default_factory=list)
    """Those that were opened for it."""
    items: set[int] = field(default_factory=set)
    polled: list[int] = field(default_factory=list)
    """Items the server would not subscribe, though it may let them be read."""
    refused: dict[int, int] = field(default_factory=dict)
    """Items the server does not have or does not give, by status."""
    why_polled: str = ""

    def poll(self, places: Sequence[int], status: int) -> None:
        """Leave these items to polling."""
        self.polled += places
        self.why_polled = status_name(status)


class Subscriber:
    """Creates what one session subscribes."""

    def __init__(
        self, session: Session, options: OpcUaSource, items: Items, limits: Limits, statistics: Statistics
    ) -> None:
        self._session = session
        self._options = options
        self._sampling = Sampling(items, statistics)
        self._items = items
        self._limits = limits
        self._last: Subscription | None = None
        """The one that is being filled."""

    def go_on(self, subscriptions: Sequence[Subscription]) -> None:
        """Fill the last of these, of an earlier session, before another is opened."""
        self._last = subscriptions[-1]

    async def add_pulse(self, subscription: Subscription) -> int | None:
        """Have a subscription tell the server's time; return the item's id, None when it is not taken."""
        request = self._request(subscription.id)
        request.Parameters.ItemsToCreate = [_item(_TIME, _newest(PULSE_HANDLE, subscription.interval_ms))]
        try:
            (made,) = (await self._session.ask(request, ua.CreateMonitoredItemsResponse)).Results
        except (UaStatusCodeError, ValueError):
            return None
        return int(made.MonitoredItemId) if made.StatusCode.is_good() else None

    async def remove(self, subscription: int, item: int) -> None:
        """Remove an item."""
        request = ua.DeleteMonitoredItemsRequest()
        request.Parameters.SubscriptionId = ua.UInt32(subscription)
        request.Parameters.MonitoredItemIds = [ua.UInt32(item)]
        with contextlib.suppress(UaStatusCodeError):
            await self._session.ask(request, ua.DeleteMonitoredItemsResponse)

    async def _open(self) -> Subscription:
        """Create a subscription; UaStatusCodeError when the server has none to give."""
        options = self._options
        request = ua.CreateSubscriptionRequest()
        wanted = request.Parameters
        interval = options.publish
        keep_alives = max(1, round(options.keep_alive / interval))
        wanted.RequestedPublishingInterval = interval / 1e6
        wanted.RequestedMaxKeepAliveCount = keep_alives
        wanted.RequestedLifetimeCount = max(3 * keep_alives, -(-_LIFETIME_NS // interval))
        wanted.MaxNotificationsPerPublish = _MOST_PER_MESSAGE
        wanted.PublishingEnabled = True
        answer = (await self._session.ask(request, ua.CreateSubscriptionResponse)).Parameters
        interval_ms = answer.RevisedPublishingInterval
        return Subscription(
            int(answer.SubscriptionId),
            interval_ms,
            round(interval_ms * 1e6 * answer.RevisedMaxKeepAliveCount),
        )

    async def subscribe(self, nodes: Mapping[int, ua.NodeId]) -> Subscribed:
        """Create a monitored item per node, in this order; further subscriptions are opened when one is full.

        Who wants long runs of one type sorts by type.
        """
        done = Subscribed()
        if self._last is None:
            try:
                self._last = await self._open()
            except UaStatusCodeError as error:
                done.poll(list(nodes), error.code)
                return done
            done.subscriptions.append(self._last)
            await self._watch_namespaces(self._last)
        await self._sampling.learn(self._session, nodes, self._limits)
        places = list(nodes)
        while places:
            chunk = places[: self._limits.monitor]
            request = self._request(self._last.id)
            wanted = [self._sampling.parameters(i, self._last.interval_ms) for i in chunk]
            request.Parameters.ItemsToCreate = [
                _item(nodes[i], each) for i, each in zip(chunk, wanted, strict=True)
            ]
            try:
                results = (await self._session.ask(request, ua.CreateMonitoredItemsResponse)).Results
            except UaStatusCodeError as error:
                if too_much(error.code) and len(chunk) > 1:
                    self._limits.monitor = len(chunk) // 2
                    continue
                done.poll(places, error.code)
                break
            before = len(done.items)
            full, again = self._take(done, chunk, wanted, results)
            places = [*full, *again, *places[len(chunk) :]]
            # One that took none of a chunk is the second full subscription in a row: there is no room.
            if full and (len(done.items) == before or not await self._another(done)):
                done.poll(places, ua.StatusCodes.BadTooManyMonitoredItems)
                break
        self._sampling.tell()
        return done

    def _take(
        self,
        done: Subscribed,
        chunk: Sequence[int],
        wanted: Sequence[ua.MonitoringParameters],
        results: Sequence[ua.MonitoredItemCreateResult],
    ) -> tuple[list[int], list[int]]:
        """Sort a chunk by what became of it; return who found no room, and who is asked otherwise."""
        full, again = [], []
        for i, place in enumerate(chunk):
            made = results[i] if i < len(results) else None
            status = ua.StatusCodes.BadUnexpectedError if made is None else int(made.StatusCode.value)
            if made is not None and not status & 0x8000_0000:
                done.items.add(place)
                self._sampling.note(place, wanted[i], made)
            elif status in _FULL:
                full.append(place)
            elif status in _OF_THE_NODE:
                done.refused[place] = status
            elif self._sampling.is_refused_filter(place, status):
                again.append(place)
            else:
                done.poll([place], status)
        return full, again

    async def _another(self, done: Subscribed) -> bool:
        try:
            self._last = await self._open()
        except UaStatusCodeError:
            return False
        done.subscriptions.append(self._last)
        return True

    async def _watch_namespaces(self, subscription: Subscription) -> None:
        """Subscribe the NamespaceArray itself; a server may decline."""
        request = self._request(subscription.id)
        request.Parameters.ItemsToCreate = [_item(NAMESPACES, _newest(NAMESPACES_HANDLE, 1_000.0))]
        with contextlib.suppress(UaStatusCodeError):
            await self._session.ask(request, ua.CreateMonitoredItemsResponse)

    def _request(self, subscription: int) -> ua.CreateMonitoredItemsRequest:
        request = ua.CreateMonitoredItemsRequest()
        request.Parameters.SubscriptionId = subscription
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        return request


def _newest(handle: int, sampling_ms: float) -> ua.MonitoringParameters:
    wanted = ua.MonitoringParameters()
    wanted.ClientHandle = handle
    wanted.SamplingInterval, wanted.QueueSize, wanted.DiscardOldest = sampling_ms, 1, True
    return wanted


def _item(node: ua.NodeId, wanted: ua.MonitoringParameters) -> ua.MonitoredItemCreateRequest:
    item = ua.MonitoredItemCreateRequest()
    item.ItemToMonitor.NodeId = node
    item.ItemToMonitor.AttributeId = ua.AttributeIds.Value
    item.MonitoringMode = ua.MonitoringMode.Reporting
    item.RequestedParameters = wanted
    return item
