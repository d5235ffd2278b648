"""One webhook as a link: whatever has gathered goes into one message, at most twenty a minute.

It remembers in the table what it told last, so a restart goes on there; a message whose answer was lost is
sent again. `supervise` waits between attempts, and what happens meanwhile becomes one message.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from config.alarms import Webhook
from connectors import Clock, NotConnected
from gateway.alarms.table import Event
from gateway.alarms.webhooks.messages import PAUSE_S, From, compose, judge
from gateway.alarms.webhooks.post import post
from gateway.supervise import Link, LinkState

APART_S: Final = 3.0
"""Twenty a minute, what WeCom and DingTalk allow."""
_AT_ONCE: Final = 500
_THEIRS: Final = 500
"""From this status on it is the peer's trouble, and passes."""
_TOLD: Final = frozenset({"began", "raised", "cleared", "unshelved"})


class Events(Protocol):
    """Who keeps the events, and what was told of them."""

    async def events_for(self, who: str, most: int) -> Sequence[Event]:
        """Return what somebody has not told yet, waiting for it."""
        ...

    async def told(self, who: str, number: int) -> None:
        """Remember the last event somebody has told."""
        ...


class WebhookLink:
    """Tells one webhook."""

    def __init__(
        self,
        link: Link,
        webhook: Webhook,
        keeper: Events,
        told_by: Callable[[], From],
        clock: Clock,
        *,
        apart_s: float = APART_S,
    ) -> None:
        self._link = link
        self._webhook = webhook
        self._keeper = keeper
        self._told_by = told_by
        self._clock = clock
        self._apart_s = apart_s
        self._owes = False
        """What was to be told last was not taken yet."""

    async def session(self) -> None:
        """Tell what is to be told, for ever; NotConnected when it is not taken."""
        while True:
            if not self._owes:
                self._link.become(LinkState.CONNECTED)
            events = await self._keeper.events_for(self._link.name, _AT_ONCE)
            wanted = [each for each in events if self._wants(each)]
            if wanted:
                self._owes = True
                await self._tell(wanted)
                self._owes = False
            self._link.become(LinkState.CONNECTED)
            await self._keeper.told(self._link.name, events[-1].number)
            self._link.moved(len(wanted))
            if wanted:
                await asyncio.sleep(self._apart_s)

    def _wants(self, event: Event) -> bool:
        is_severe = self._webhook.min_severity == "warning" or event.alarm.severity == "urgent"
        return event.what in _TOLD and is_severe and not event.quiet

    async def _tell(self, events: list[Event]) -> None:
        status, answer = await asyncio.to_thread(self._post, events)
        verdict = judge(self._webhook, status, answer)
        if verdict.is_accepted:
            return
        peer = f"webhook {self._link.name}"
        if verdict.is_busy:
            raise NotConnected(f"{peer}: {verdict.reason}", retry_after_s=PAUSE_S[self._webhook.kind])
        raise NotConnected(f"{peer}: {verdict.reason}", needs_a_person=status < _THEIRS)

    def _post(self, events: list[Event]) -> tuple[int, bytes]:
        webhook = self._webhook
        secret = None if webhook.secret is None else webhook.secret.current()
        told = compose(webhook, events, self._told_by(), self._clock.now(), secret)
        return post(webhook.url.current(), told.query, told.body, is_local=webhook.local, proxy=webhook.proxy)
