"""A unified namespace: a topic per tag, and on it its newest value."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from config.connections import PerTagForm as Options
from config.units import find_unit
from connectors.batch import Origin
from connectors.contract import Context, Delivery
from connectors.mqtt.form import Limit, Message
from connectors.mqtt.forms.announcements import Announcements, AnnouncingForm
from connectors.mqtt.forms.shares import Layouts, Share
from connectors.mqtt.forms.times import written_times
from connectors.mqtt.forms.units import CHANGED, has_changed
from connectors.mqtt.topics import past_topic, tag_topic, told_gaps_on


@dataclass(frozen=True, slots=True)
class _Row:
    """What of a row's messages is the same each time."""

    topic: str
    limit: int
    unit: str
    refusal: str


class PerTagForm(AnnouncingForm, Layouts[tuple[_Row, ...]]):
    """Write each row to the topic of its tag."""

    def __init__(self, options: Options, prefix: str, site: str, context: Context) -> None:
        beside = Announcements(prefix, site, context) if options.announce else None
        AnnouncingForm.__init__(self, beside, told_gaps_on(options, prefix, site, context.gateway))
        Layouts.__init__(self, context.tags)
        self._options = options
        self._prefix = prefix
        self._gateway = context.gateway

    def begin(self, limit: Limit) -> Iterable[Message]:
        """Begin a session."""
        self._limit = limit
        self._rows: dict[int, _Row] = {}
        self._forget()
        return super().begin(limit)

    def messages(self, delivery: Delivery) -> Iterator[Message]:
        """Yield a message per row; only a live one is retained."""
        said: dict[str, Any] = {"gw": self._gateway, "epoch": str(delivery.epoch), "seq": delivery.seq}
        tail: dict[str, Any] = {"hist": True} if delivery.is_past else {}
        if delivery.batch.origin is Origin.BACKFILL:
            tail["fill"] = True
        is_bare = self._options.bare and not delivery.is_past
        retain = self._options.retain and not delivery.is_past
        for share, prepared in self._layout(delivery.batch.parts):
            time, quality = share.time_and_quality(delivery)
            rows = share.stored_rows(delivery)
            columns = zip(
                prepared,
                share.values(delivery, quality),
                written_times(time, self._options.time),
                quality.tolist(),
                rows.tolist(),
                strict=True,
            )
            for place, (row, value, written, code, number) in enumerate(columns):
                topic = past_topic(row.topic) if self._options.bare and delivery.is_past else row.topic
                if is_bare:
                    payload = orjson.dumps(value)
                else:
                    measured = {"v": value, "t": written, "q": code, "u": row.unit}
                    payload = orjson.dumps(measured | said | {"row": number} | tail)
                refusal = row.refusal if is_bare else ""
                if len(payload) > row.limit:
                    refusal = f"one row makes a message of {len(payload)} bytes"
                yield Message(topic, payload, rows[place : place + 1], refusal, retain)

    def _prepare(self, share: Share) -> tuple[_Row, ...]:
        return tuple(map(self._row, share.tag.tolist()))

    def _renamed(self) -> None:
        self._rows.clear()

    def _row(self, number: int) -> _Row:
        """Return what is known of a tag: one object for all layouts it is in."""
        found = self._rows.get(number)
        if found is None:
            found = self._rows[number] = self._made(number)
        return found

    def _made(self, number: int) -> _Row:
        tag = self._tags[number]
        unit = find_unit(tag.unit)
        topic = tag_topic(self._prefix, tag.path)
        return _Row(
            topic,
            self._limit.of_one(past_topic(topic)),
            tag.unit if unit is None else unit.symbol,
            CHANGED if has_changed(self._tags, number) else "",
        )
