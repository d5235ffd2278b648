"""Topic and message from templates: the plant file's author knows the platform, we know the rows.

A message of which the template makes nothing, or no JSON, is halved until the row is found that it fails for;
that row is refused, the others are sent.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from config.connections import TemplateForm as Options
from config.connections.mqtt_forms import LONGEST_TOPIC, is_topic
from config.templating import Failed, Row, compile_template, known_of_rows
from config.units import find_unit
from connectors.contract import Context, Delivery
from connectors.mqtt.form import Limit, Message
from connectors.mqtt.forms.announcements import Announcements, AnnouncingForm
from connectors.mqtt.forms.shares import Layouts, Share
from connectors.mqtt.forms.times import by_moment
from connectors.mqtt.forms.units import CHANGED, has_changed
from connectors.mqtt.topics import told_gaps_on

_MOST_WORK: Final = 50_000
"""Nodes × rows of one message, some 15 ms; what needs more is halved."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What of a share is the same each time."""

    place: dict[str, str]
    names: tuple[str, ...]
    units: tuple[str, ...]
    symbols: tuple[str, ...]
    refused: tuple[int, ...]
    """Places of rows whose value would be taken for one in another unit."""


class TemplateForm(AnnouncingForm, Layouts[_Known]):
    """Write what the templates make of each device's rows."""

    def __init__(self, options: Options, prefix: str, site: str, context: Context) -> None:
        beside = Announcements(prefix, site, context) if options.announce else None
        AnnouncingForm.__init__(self, beside, told_gaps_on(options, prefix, site, context.gateway))
        Layouts.__init__(self, context.tags)
        self._options = options
        self._gateway = context.gateway
        self._topic = compile_template(options.topic, options.each)
        self._payload = compile_template(options.payload, options.each)
        self._tells_units = bool({"unit", "symbol"} & self._payload.uses)
        self._most_rows = max(1, _MOST_WORK // (self._payload.nodes + self._topic.nodes))

    def begin(self, limit: Limit) -> Iterable[Message]:
        """Begin a session."""
        self._limit = limit
        return super().begin(limit)

    def messages(self, delivery: Delivery) -> Iterator[Message]:
        """Yield a message per device, per time or per value; more where one would be too large."""
        said = {
            "gateway": self._gateway,
            "epoch": str(delivery.epoch),
            "seq": delivery.seq,
            "late": delivery.is_past,
        }
        retain = self._options.retain and not delivery.is_past
        for share, known in self._layout(delivery.batch.parts):
            time, quality = share.time_and_quality(delivery)
            numbers = share.stored_rows(delivery)
            rows = list(
                map(
                    Row,
                    known.names,
                    share.values(delivery, quality),
                    quality.tolist(),
                    known.units,
                    known.symbols,
                    numbers.tolist(),
                    time.tolist(),
                )
            )
            if known.refused:
                yield Message("", b"", numbers[list(known.refused)], CHANGED)
            names = said | known.place
            for places in self._gathered(known, time):
                for topic, payload, some, refusal in self._fit(names, rows, places):
                    yield Message(topic, payload, numbers[some], refusal, retain)

    def _gathered(self, known: _Known, time: NDArray[np.int64]) -> Iterator[Sequence[int]]:
        """Yield the places of the rows of each message."""
        refused = set(known.refused)
        match self._options.each:
            case "value":
                groups: Iterable[Sequence[int]] = ([i] for i in range(len(known.names)))
            case "time":
                groups = (places for _, places in by_moment(known.names, time.tolist()))
            case "device":
                groups = (range(len(known.names)),)
        for places in groups:
            left = [i for i in places if i not in refused] if refused else places
            if left:
                yield left

    def _fit(
        self, names: dict[str, Any], rows: list[Row], places: Sequence[int]
    ) -> Iterator[tuple[str, bytes, list[int], str]]:
        """Yield topic, payload, places and refusal; halved until the template makes what fits."""
        some = list(places)
        made: tuple[str, bytes] | None = None
        refusal = ""
        if len(some) <= self._most_rows:
            try:
                made = self._make(names, [rows[i] for i in some])
            except Failed as error:
                refusal = str(error)
            else:
                refusal = "" if made else "one row makes too large a message"
        if made is not None:
            yield *made, some, ""
        elif len(some) == 1:
            yield "", b"", some, refusal
        else:
            middle = len(some) // 2
            yield from self._fit(names, rows, some[:middle])
            yield from self._fit(names, rows, some[middle:])

    def _make(self, names: dict[str, Any], rows: list[Row]) -> tuple[str, bytes] | None:
        """Return topic and payload; None when they would be too large."""
        # Each row is in one message: its first tells a message from all others, whenever it is sent.
        own = {"id": f"{names['epoch']}-{names['seq']}-{rows[0].number}"}
        known = names | own | known_of_rows(self._options.each, rows)
        topic = self._topic.render(known, LONGEST_TOPIC)
        if topic is None or not is_topic(topic):
            raise Failed(f"the template makes no topic: {topic or ''!r:.80}")
        limit = self._limit.of_one(topic) if len(rows) == 1 else self._limit(topic)
        text = self._payload.render(known, limit)
        if text is None:
            return None
        try:
            payload = text.encode()
            if self._options.json_:
                orjson.loads(payload)
        except ValueError as error:
            raise Failed(f"the template makes no JSON: {error}") from error
        return (topic, payload) if len(payload) <= limit else None

    def _prepare(self, share: Share) -> _Known:
        tags = [self._tags[number] for number in share.tag.tolist()]
        units = tuple(tag.unit for tag in tags)
        found = [find_unit(unit) for unit in units]
        levels = share.device.split("/")
        site, *between, device = levels if len(levels) > 1 else ("", *levels)
        area, line = (*between, "", "")[:2]
        refused = [] if self._tells_units else share.tag.tolist()
        return _Known(
            {"path": share.device, "site": site, "area": area, "line": line, "device": device},
            tuple(tag.name for tag in tags),
            units,
            tuple(unit.symbol if unit else code for unit, code in zip(found, units, strict=True)),
            tuple(i for i, number in enumerate(refused) if has_changed(self._tags, number)),
        )
