"""The MQTT sink: QoS 1, accepted when the broker says so and, where the form waits for it, the platform too.

What is said is the form's business (`form`), how it gets there the session's. The sink remembers which rows
a message carries, and what was refused.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass, replace
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from config.connections import MqttSink as MqttOptions
from connectors.broker.seen import Seen
from connectors.broker.session import GRACE_S, Session, Statistics
from connectors.contract import Certificate, Context, Delivery, Order
from connectors.dial import Traffic
from connectors.errors import NotConnected, Refusal, Rejected
from connectors.mqtt.envelope import Envelope
from connectors.mqtt.form import SEVERAL, Answer, Form, Message
from connectors.mqtt.forms.build import build_form
from connectors.mqtt.sizes import Sizes

_TURN_S: Final = 0.005
"""A write lets others have their turn at least so often, but for what one message takes to make."""

log = logging.getLogger(__name__)

Rows = NDArray[np.int32] | NDArray[np.int64]
_Key = tuple[str, object]
"""Topic and, on it, what makes this message the same in the next session."""


@dataclass(frozen=True, slots=True)
class _Ticket:
    """What comes back with a message that is refused."""

    key: _Key
    topic: str
    delivery: int | None = None
    """Index into what `write` was given, or SEVERAL; None for what is told beside the data."""
    rows: Rows | None = None
    reply: str = ""
    size: int = 0
    """Bytes of the payload, before it is compressed."""


class MqttSink:
    """Publish what the buffer delivers, new values first."""

    order = Order.LIVE_FIRST

    def __init__(self, name: str, options: MqttOptions, context: Context, site: str) -> None:
        self._options = options
        self._context = context
        self._client_id = options.client_id or f"wanglian-{context.gateway}-{name}"
        self._traffic = Traffic()
        self.seen = Seen()
        self._envelope = Envelope(options, context.gateway)
        self._form: Form = build_form(options, context, site)
        self._statistics = Statistics()
        self._refused: dict[_Key, str] = {}
        self._sizes = Sizes(options)
        self._breaks = self._in_doubt = 0
        """Sessions in a row that ended with messages in flight, and how many these were."""
        self._refused_beside: dict[str, _Key] = {}
        """Which of them is told beside the data, by topic."""

    async def __aenter__(self) -> Self:
        """Connect, then say what the form says first, and be answered."""
        options, client_id = await asyncio.to_thread(self._who)  # a secret may be in a file
        self._session = Session(
            options,
            client_id,
            self._form.will(),
            self._statistics,
            window=options.window,
            subscriptions=self._form.subscriptions,
        )
        self._session.count_into(self._traffic)
        self._session.show_in(self.seen)
        self._unanswered: dict[str, tuple[_Ticket, float]] = {}
        self._next_at = self._answered_at = 0.0
        self._refusals: list[Refusal] = []
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._session.close, goodbye=False)
            await self._session.open()
            try:
                await self._tell(
                    self._form.begin(self._sizes.limit(self._session.limits, self._envelope.most))
                )
                await self._settle()
                await self._tell(self._form.due(self._context.clock.monotonic()))
                await self._settle()
                await self._tell_gaps()
            finally:
                self._learn()
            if self._breaks > 1:
                # Twice in a row the link broke under the same messages: one of them may be what breaks it,
                # and a broker that closes on what lies behind it is not heard saying which.
                self._session.alone = self._in_doubt
            stack.pop_all()
        return self

    async def write(self, deliveries: Sequence[Delivery]) -> None:
        """Return once every message is acknowledged and answered.

        Raises:
            NotConnected: what was acknowledged before will come again; its keys make that harmless.
            Rejected: the rows of messages the broker or the platform refuses for what they are.
        """
        await self._tell(self._form.due(self._context.clock.monotonic()))
        await self._tell_gaps()
        self._refusals = []
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            for index, message in self._form.loads(deliveries):
                if loop.time() - began > _TURN_S:
                    await asyncio.sleep(0)
                    began = loop.time()
                if message.rows is None:
                    await self._tell((message,))
                else:
                    await self._publish_rows(index, deliveries, message, message.rows)
            await self._settle()
            self._breaks = self._in_doubt = 0
        except NotConnected:
            self._breaks, self._in_doubt = self._breaks + 1, self._session.unacknowledged
            if self._sizes.changed:  # what broke it is known
                self._breaks = self._in_doubt = 0
            raise
        finally:
            self._learn()
        self._refused = {key: why for key, why in self._refused.items() if not isinstance(key[1], tuple)}
        if self._refusals:
            raise Rejected(self._refusals)

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close; a clean stop says so, after a fault the broker sends the will."""
        is_clean = exc is None or isinstance(exc, asyncio.CancelledError)
        try:
            if is_clean:
                with suppress(NotConnected, TimeoutError):
                    async with asyncio.timeout(GRACE_S):
                        await self._tell(self._form.end())
                        await self._session.drain()
        finally:
            await self._session.close(goodbye=is_clean)

    def statistics(self) -> dict[str, int]:
        """Return the counts since start: messages, bytes, acks, refused, timeouts, and the form's own."""
        return asdict(self._statistics) | self._form.statistics()

    def certificates(self) -> Sequence[Certificate]:
        """Return those of the running session; none without TLS."""
        return self._session.certificates

    def traffic(self) -> int:
        """Return the bytes moved over the network, both ways, over all sessions."""
        return self._traffic.total()

    def _who(self) -> tuple[MqttOptions, str]:
        """Return the options to connect with, and the client id."""
        sign_in = self._form.sign_in(self._context.clock.now())
        if sign_in is None:
            return self._options, self._client_id
        known = {"username": sign_in.username, "password": sign_in.password}
        return self._options.model_copy(update=known), sign_in.client_id or self._client_id

    async def _tell(self, messages: Iterable[Message | None]) -> None:
        """Publish what is told beside the data; what the broker has refused before is left out."""
        for message in messages:
            if message is None:
                await asyncio.sleep(0)
                continue
            key = (message.topic, hash(message.payload))
            if key in self._refused:
                continue
            size = len(message.payload)
            if message.refusal:
                _warn(message.topic, message.refusal)
            else:
                await self._publish(message, _Ticket(key, message.topic, reply=message.reply, size=size))

    async def _tell_gaps(self) -> None:
        """Tell what is missing; noted as told once the broker has it."""
        while news := await self._context.gaps.untold():
            await self._tell(self._form.missing(news))
            await self._settle()
            await self._context.gaps.told(news[-1].revision)

    async def _publish_rows(
        self, index: int, deliveries: Sequence[Delivery], message: Message, rows: Rows
    ) -> None:
        first = int(rows[0])
        delivery = deliveries[first >> 32 if index == SEVERAL else index]
        key = (message.topic, (delivery.epoch, delivery.seq, first & 0xFFFF_FFFF))
        refusal = message.refusal or self._refused.get(key)
        if refusal is not None:
            self._refusals += _refusals(index, rows, refusal)
            return
        while message.reply and len(self._unanswered) >= self._options.window:
            await self._hear()
            await self._take_up()
        ticket = _Ticket(key, message.topic, index, rows, message.reply, len(message.payload))
        await self._publish(message, ticket)

    async def _publish(self, message: Message, ticket: _Ticket) -> None:
        loop = asyncio.get_running_loop()
        if self._form.rate is not None:
            self._next_at = max(self._next_at, loop.time())
            await asyncio.sleep(self._next_at - loop.time())
            self._next_at += 1 / self._form.rate
        if message.reply:
            self._unanswered[message.reply] = ticket, loop.time()
        if message.qos:
            payload, properties = self._envelope.of(message, ticket.key)
            await self._session.publish(
                message.topic, payload, ticket, retain=message.retain, properties=properties
            )
        else:
            self._session.send(message.topic, message.payload)

    async def _settle(self) -> None:
        """Return once every message is acknowledged, and answered where the form waits for it."""
        while True:
            await self._session.drain()
            self._learn()
            if self._sizes.changed:
                raise NotConnected(f"{self._session.broker} takes smaller messages only: splitting them")
            await self._take_up()
            if self._session.is_quiet:
                if not self._unanswered:
                    return
                await self._hear()

    async def _hear(self) -> None:
        """Wait until something is said; the deadline runs from when the oldest message became that."""
        ticket, since = next(iter(self._unanswered.values()))
        await self._session.hear(max(since, self._answered_at), ticket.topic)

    async def _take_up(self) -> None:
        """Let the form hear what was said, and do what follows."""
        for topic, payload in self._session.take_heard():
            heard = self._form.heard(topic, payload)
            for answer in heard.answers:
                await self._on_answer(answer)
            await self._tell(heard.send)

    async def _on_answer(self, answer: Answer) -> None:
        ticket, _ = self._unanswered.pop(answer.reply, (None, 0.0))
        if ticket is None:
            return
        self._answered_at = asyncio.get_running_loop().time()
        if answer.refusal:
            self._statistics.refused += 1
            self._on_refusal(ticket, answer.refusal, answer.rows)
        for message in answer.instead:
            await self._publish(
                message, replace(ticket, rows=message.rows, reply=message.reply, size=len(message.payload))
            )

    def _learn(self) -> None:
        """Take up what the broker refused, and remember every refusal for the next session.

        Mosquitto 2.0 closes the connection after PUBACK 0x95: sent again, such a message would end every
        session before `write` could tell of it. One of many rows is sent again in the next, in parts.
        """
        for each in self._session.take_refused():
            ticket: _Ticket = each.ticket
            if each.is_too_large and ticket.rows is not None:
                self._sizes.refused(each.topic, ticket.size, len(ticket.rows))
                if len(ticket.rows) > 1:
                    continue
            if ticket.delivery is None:  # of what changes with time the last is enough
                self._refused.pop(self._refused_beside.get(ticket.topic, ticket.key), None)
                self._refused_beside[ticket.topic] = ticket.key
            self._refused[ticket.key] = each.reason
            self._unanswered.pop(ticket.reply, None)
            self._on_refusal(ticket, each.reason, None)

    def _on_refusal(self, ticket: _Ticket, reason: str, rows: Rows | None) -> None:
        rows = ticket.rows if rows is None else rows
        if ticket.delivery is None or rows is None:
            _warn(ticket.topic, reason)
        else:
            self._refusals += _refusals(ticket.delivery, rows, reason)


def _refusals(delivery: int, rows: Rows, reason: str) -> Iterator[Refusal]:
    if delivery != SEVERAL:
        yield Refusal(delivery, rows.astype(np.int32), reason)
        return
    of = rows >> 32
    for index in np.unique(of).tolist():
        yield Refusal(index, (rows[of == index] & 0xFFFF_FFFF).astype(np.int32), reason)


def _warn(topic: str, reason: str) -> None:
    log.warning("not published", extra={"topic": topic, "reason": reason})
