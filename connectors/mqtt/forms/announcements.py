"""What is told beside the data: how the gateway is, what each device's tags are, what is missing."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from connectors.broker.wire import Will
from connectors.contract import Context, GapNews
from connectors.mqtt.catalogue import device_catalogues, status
from connectors.mqtt.form import Form, Limit, Message
from connectors.mqtt.topics import status_topic, tags_topic

_STATUS_INTERVAL_NS: Final = 30_000_000_000
_GONE_AFTER_NS: Final = 10_000_000_000
"""A device whose source begins anew has no tags for a moment."""


class Announcements:
    """Tell each catalogue once a session and again when it changes, the status every 30 s.

    A catalogue is cleared when its device has had no tags for a while.
    """

    def __init__(self, prefix: str, site: str, context: Context) -> None:
        self._prefix = prefix
        self._context = context
        self._status_topic = status_topic(prefix, site, context.gateway)

    def will(self) -> Will:
        """Return the last will: the gateway is offline."""
        return Will(self._status_topic, status(self._context.gateway, online=False))

    def begin(self, limit: Limit) -> None:
        """Begin a session: nothing is told yet."""
        self._limit = limit
        self._told: dict[str, int] = {}
        self._catalogue_version = -1
        self._gone: dict[str, int] = {}
        self._cleared: set[str] = set()
        self._status_due: int | None = None

    def due(self, now: int) -> Iterator[Message | None]:
        """Yield the status when it is due, and every catalogue that is new; None between two devices."""
        if self._status_due is None or now >= self._status_due:
            self._status_due = now + _STATUS_INTERVAL_NS
            yield self.status(online=True)
        version = self._context.tags.version
        if version != self._catalogue_version:
            yield from self._catalogues()
            self._catalogue_version = version
            gone = self._context.tags.without_tags()
            self._cleared &= gone
            self._gone = {path: self._gone.get(path, now) for path in gone - self._cleared}
        yield from self._farewells(now)

    def status(self, *, online: bool) -> Message:
        """Return how the gateway is now."""
        payload = status(self._context.gateway, online=online, more=self._context.status())
        return Message(self._status_topic, payload, retain=True)

    def _catalogues(self) -> Iterator[Message | None]:
        context = self._context
        for device, payload in device_catalogues(context.gateway, context.tags, context.selects):
            topic = tags_topic(self._prefix, device)
            digest = hash(payload)
            if self._told.get(topic) != digest:  # a unit may be changed and changed back
                self._told[topic] = digest
                is_small = len(payload) <= self._limit.of_one(topic)
                refusal = "" if is_small else f"{len(payload)} bytes are more than a message may have"
                yield Message(topic, payload, refusal=refusal, retain=True)
            yield None  # 100,000 tags take a fifth of a second to describe

    def _farewells(self, now: int) -> Iterator[Message]:
        """Clear the catalogues of devices that were renamed or removed: the broker keeps them else."""
        for path in [path for path, since in self._gone.items() if now - since >= _GONE_AFTER_NS]:
            del self._gone[path]
            self._cleared.add(path)
            topic = tags_topic(self._prefix, path)
            self._told.pop(topic, None)
            yield Message(topic, b"", retain=True)


class AnnouncingForm(Form):
    """A form beside whose data all this is told, or gaps alone, or nothing."""

    def __init__(self, beside: Announcements | None, gaps: str | None) -> None:
        self._beside = beside
        self._gaps_topic = gaps

    def will(self) -> Will | None:
        """Return the last will, if the gateway's status is told."""
        return None if self._beside is None else self._beside.will()

    def begin(self, limit: Limit) -> Iterable[Message]:
        """Begin a session."""
        self._limit = limit
        if self._beside is not None:
            self._beside.begin(limit)
        return ()

    def due(self, now: int) -> Iterable[Message | None]:
        """Return status and catalogue where they are due."""
        return () if self._beside is None else self._beside.due(now)

    def missing(self, gaps: Sequence[GapNews]) -> Iterable[Message]:
        """Return a message a gap; it is not retained: who comes later asks the interface."""
        topic = self._gaps_topic
        return (
            () if topic is None else [Message(topic, each.json(self._limit.of_one(topic))) for each in gaps]
        )

    def end(self) -> Iterable[Message]:
        """Say that the gateway goes."""
        return () if self._beside is None else (self._beside.status(online=False),)
