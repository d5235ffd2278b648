"""`{"ts": …, "values": {tag: value}}`: an object per device and time, which most platforms can read."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from config.connections import ValuesForm as Options
from connectors.batch import Origin
from connectors.contract import Context, Delivery
from connectors.mqtt.form import Limit, Message
from connectors.mqtt.forms.announcements import Announcements, AnnouncingForm
from connectors.mqtt.forms.shares import Layouts, Share
from connectors.mqtt.forms.times import Group, by_moment, written_times
from connectors.mqtt.forms.units import CHANGED, has_changed
from connectors.mqtt.topics import data_topic, told_gaps_on
from connectors.quality import is_bad

_HISTORICAL: Final = b',"hist":true'
_BACKFILL: Final = b',"fill":true'


@dataclass(frozen=True, slots=True)
class _Names:
    """What of a share's messages is the same each time."""

    topic: str
    limit: int
    device: bytes
    names: tuple[str, ...]
    units: tuple[str | None, ...] | None
    """A row's unit where the catalogue tells another, or none; None when it tells all."""
    refused: tuple[int, ...]
    """Places of rows whose value would be taken for one in another unit."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """One device's rows of a delivery, as Python has them."""

    texts: _Names
    head: bytes
    mark: bytes
    tail: bytes
    values: list[Any]
    quality: list[int] | None
    """None when all are Good."""
    rows: NDArray[np.int32]


class ValuesForm(AnnouncingForm, Layouts[_Names]):
    """Write objects of values by name."""

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
        self._forget()
        return super().begin(limit)

    def messages(self, delivery: Delivery) -> Iterator[Message]:
        """Yield a message per device and time, or per device; more where one would be too large."""
        origin = {"gw": self._gateway, "epoch": str(delivery.epoch), "seq": delivery.seq}
        head = b"{" if self._options.plain else orjson.dumps(origin)[:-1]
        for share, texts in self._layout(delivery.batch.parts):
            yield from self._of_device(share, texts, head, delivery)

    def _prepare(self, share: Share) -> _Names:
        tags = self._tags
        topic = data_topic(self._prefix, share.device)
        is_plain = self._options.plain
        numbers = share.tag.tolist()
        units = tuple(None if tags.is_told(each) else tags[each].unit for each in numbers)
        return _Names(
            topic,
            self._limit(topic),
            b"" if is_plain else b',"dev":' + orjson.dumps(share.device),
            tuple(tags[number].name for number in numbers),
            units if any(units) and not is_plain else None,
            tuple(i for i, each in enumerate(numbers) if is_plain and has_changed(tags, each)),
        )

    def _of_device(self, share: Share, texts: _Names, head: bytes, delivery: Delivery) -> Iterator[Message]:
        time, quality = share.time_and_quality(delivery)
        is_marked = not self._options.plain
        found = _Rows(
            texts,
            head + texts.device,
            _HISTORICAL if is_marked and delivery.is_past else b"",
            _BACKFILL if is_marked and delivery.batch.origin is Origin.BACKFILL else b"",
            share.values(delivery, quality),
            quality.tolist() if is_marked and quality.any() else None,
            share.stored_rows(delivery),
        )
        groups = by_moment(texts.names, written_times(time, self._options.time))
        if texts.refused:
            yield Message(texts.topic, b"", found.rows[list(texts.refused)], CHANGED)
        left_out = set(texts.refused)
        if self._options.bad == "left_out":
            left_out.update(np.flatnonzero(is_bad(quality)).tolist())
        if left_out:
            groups = [(moment, [i for i in places if i not in left_out]) for moment, places in groups]
            groups = [group for group in groups if group[1]]
        if self._options.list_:
            yield from self._fit(found, groups)
        else:
            for group in groups:
                yield from self._fit(found, [group])

    def _fit(self, found: _Rows, groups: Sequence[Group]) -> Iterator[Message]:
        """Yield one message of these groups, or several, halved until they fit."""
        if not groups:
            return
        objects = [self._object(found, group) for group in groups]
        payload = b"[" + b",".join(objects) + b"]" if self._options.list_ else objects[0]
        # Room for the mark is always kept, so that a live message and its historical repeat split alike.
        room = 0 if self._options.plain or found.mark else len(_HISTORICAL) * len(groups)
        moment, places = groups[0]
        fits = len(payload) + room <= found.texts.limit
        if not fits and len(groups) == 1 and len(places) == 1:
            fits = len(payload) + room <= self._limit.of_one(found.texts.topic)
        if fits or (len(groups) == 1 and len(places) == 1):
            refusal = "" if fits else f"one row makes a message of {len(payload)} bytes"
            rows = found.rows
            if len(groups) > 1 or len(places) < len(rows):
                rows = rows[[i for _, places in groups for i in places]]
            yield Message(found.texts.topic, payload, rows, refusal)
        elif len(groups) > 1:
            middle = len(groups) // 2
            yield from self._fit(found, groups[:middle])
            yield from self._fit(found, groups[middle:])
        else:
            middle = len(places) // 2
            yield from self._fit(found, [(moment, places[:middle])])
            yield from self._fit(found, [(moment, places[middle:])])

    def _object(self, found: _Rows, group: Group) -> bytes:
        (time, turn), places = group
        names, values = found.texts.names, found.values
        said: dict[str, Any] = {"ts": time}
        if turn and not self._options.plain:
            said["n"] = turn
        is_whole = len(places) == len(names)
        said["values"] = dict(
            zip(names, values, strict=True) if is_whole else ((names[i], values[i]) for i in places)
        )
        quality, units = found.quality, found.texts.units
        if quality is not None:
            doubtful = {names[i]: quality[i] for i in places if quality[i]}
            if doubtful:
                said["q"] = doubtful
        if units is not None:
            others = {names[i]: units[i] for i in places if units[i] is not None}
            if others:
                said["unit"] = others
        text = orjson.dumps(said)
        if self._options.plain:
            return text
        return b"".join((found.head, found.mark, b",", text[1:-1], found.tail, b"}"))
