"""Creating subscriptions and their monitored items: in chunks the server takes, each node on its own."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError

from config.connections import OpcUaSource
from connectors.opcua.items import Items
from connectors.opcua.nodes import NAMESPACES, Limits, too_much
from connectors.opcua.reasons import status_name
from connectors.opcua.session import Session

_LIFETIME_NS: Final = 60_000_000_000
"""A subscription nobody asks for dies after this long, or three keep-alives if that is more."""
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

    def __init__(self, session: Session, options: OpcUaSource, items: Items, limits: Limits) -> None:
        self._session = session
        self._options = options
        self._items = items
        self._limits = limits
        self._last: Subscription | None = None
        """The one that is being filled."""

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
        places = list(nodes)
        while places:
            chunk = places[: self._limits.monitor]
            request = self._request(self._last.id)
            request.Parameters.ItemsToCreate = [self._item(self._last, i, nodes[i]) for i in chunk]
            try:
                results = (await self._session.ask(request, ua.CreateMonitoredItemsResponse)).Results
            except UaStatusCodeError as error:
                if too_much(error.code) and len(chunk) > 1:
                    self._limits.monitor = len(chunk) // 2
                    continue
                done.poll(places, error.code)
                break
            before = len(done.items)
            full = self._take(done, chunk, [int(each.StatusCode.value) for each in results])
            places = [*full, *places[len(chunk) :]]
            # One that took none of a chunk is the second full subscription in a row: there is no room.
            if full and (len(done.items) == before or not await self._another(done)):
                done.poll(places, ua.StatusCodes.BadTooManyMonitoredItems)
                break
        return done

    def _take(self, done: Subscribed, chunk: Sequence[int], status: Sequence[int]) -> list[int]:
        """Sort a chunk by what became of it; return the items for which there was no room."""
        full = []
        for place, each in zip(
            chunk, [*status, *[ua.StatusCodes.BadUnexpectedError] * len(chunk)], strict=False
        ):
            if not each & 0x8000_0000:
                done.items.add(place)
            elif each in _FULL:
                full.append(place)
            elif each in _OF_THE_NODE:
                done.refused[place] = each
            else:
                done.poll([place], each)
        return full

    async def _another(self, done: Subscribed) -> bool:
        try:
            self._last = await self._open()
        except UaStatusCodeError:
            return False
        done.subscriptions.append(self._last)
        return True

    async def _watch_namespaces(self, subscription: Subscription) -> None:
        """Subscribe the NamespaceArray itself, as the item after the last; a server may decline."""
        request = self._request(subscription.id)
        request.Parameters.ItemsToCreate = [self._wanted(len(self._items), NAMESPACES, 1_000.0, 1)]
        with contextlib.suppress(UaStatusCodeError):
            await self._session.ask(request, ua.CreateMonitoredItemsResponse)

    def _item(self, subscription: Subscription, place: int, node: ua.NodeId) -> ua.MonitoredItemCreateRequest:
        scan_ms = self._items.items[place].scan / 1e6
        burst = -(-subscription.interval_ms // scan_ms)
        return self._wanted(place, node, scan_ms, max(2, 2 * int(burst)))

    def _wanted(
        self, handle: int, node: ua.NodeId, sampling_ms: float, queue: int
    ) -> ua.MonitoredItemCreateRequest:
        wanted = ua.MonitoredItemCreateRequest()
        wanted.ItemToMonitor.NodeId = node
        wanted.ItemToMonitor.AttributeId = ua.AttributeIds.Value
        wanted.MonitoringMode = ua.MonitoringMode.Reporting
        wanted.RequestedParameters.ClientHandle = handle
        wanted.RequestedParameters.SamplingInterval = sampling_ms
        wanted.RequestedParameters.QueueSize = queue
        wanted.RequestedParameters.DiscardOldest = True
        return wanted

    def _request(self, subscription: int) -> ua.CreateMonitoredItemsRequest:
        request = ua.CreateMonitoredItemsRequest()
        request.Parameters.SubscriptionId = subscription
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        return request
