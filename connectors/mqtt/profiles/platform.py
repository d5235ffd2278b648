"""What all platforms have in common: devices under names of their own, messages within limits, replies.

    begin ─► admission of the devices ──reply──► … ─► messages ──reply──► accepted
                    │                                     │
                    ▼ refused: its rows go to             ▼ refused: in halves, until
                      quarantine, others go on              the one reading is alone

Ids begin at random: a late reply to the session before must not pass for the reply to a message of this one.
"""

import secrets
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson

from config.connections import PlatformForm as PlatformOptions
from config.platform_names import property_name
from connectors.clock import Clock
from connectors.contract import Delivery, GapNews
from connectors.errors import NotConnected
from connectors.mqtt.form import SEVERAL, Answer, Form, Heard, Limit, Message
from connectors.mqtt.forms.units import CHANGED
from connectors.mqtt.profiles.packs import Cell, Frame, Limits, Pack, pack
from connectors.mqtt.profiles.rows import DeviceRows, RowReader
from connectors.mqtt.profiles.verdicts import Verdict
from connectors.tags import TagTable

LONGEST_ID: Final = 13
LONGEST_TEXT: Final = 2_048
"""Bytes of a text every product model can take."""
GAP: Final = "wanglian_gap"
"""What gaps are called where the platform needs no model of them."""
_NS_PER_MS: Final = 1_000_000
_ASK_AGAIN_NS: Final = 60_000_000_000
"""A device that was refused is asked for again so often; by then a person may have entered it."""


_MOST_ROWS: Final = 4_000
"""Written in some 5 ms: others want their turn."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of readings that waits for its reply."""

    topic: str
    frame: Frame
    pack: Pack


class PlatformForm(Form):
    """Devices and readings; heirs know how they are written."""

    platform: str
    """As the plant file calls it."""
    truth: tuple[bytes, bytes] = (b"false", b"true")
    ids: int = 10**LONGEST_ID
    """Ids are below this."""
    answers: bool
    """Whether a message of readings gets a reply of the platform's own."""
    most_rate: int | None = None
    """Messages a second, where the platform says so in print."""

    def __init__(
        self, devices: Mapping[str, object], options: PlatformOptions, tags: TagTable, clock: Clock
    ) -> None:
        self.rate = options.rate or self.most_rate
        self._devices = devices
        self._names = options.names
        self._clock = clock
        self._reader = RowReader(tags, self._name, self.truth)
        self._last_id = secrets.randbelow(self.ids)
        self._sent: dict[str, Sent] = {}
        self._refused: dict[str, str] = {}
        """Devices the platform does not take, and why."""
        self._ask_again = 0
        self._refusals = 0
        self._events: set[str] = set()
        """Messages about gaps that wait for their reply."""

    def statistics(self) -> dict[str, int]:
        """Return how many Bad rows had no place, and how often a device was refused."""
        return {"left_out": self._reader.left_out, "devices_refused": self._refusals}

    def begin(self, limit: Limit) -> Iterable[Message]:
        """Forget the last session; ask for the devices."""
        self._limit = limit
        self._events.clear()
        self._sent.clear()
        self._refused.clear()
        self._ask_again = self._clock.monotonic() + _ASK_AGAIN_NS
        return self._admit(list(self._devices))

    def due(self, now: int) -> Iterable[Message]:
        """Ask again for the devices that were refused."""
        if now < self._ask_again or not self._refused:
            return ()
        self._ask_again = now + _ASK_AGAIN_NS
        return [message for device in self._refused for message in self._admit([device])]

    def messages(self, delivery: Delivery) -> Iterator[Message]:
        """Return as few messages as the limits allow; live and past readings may differ in form."""
        return (message for _, message in self.loads((delivery,)))

    def loads(self, deliveries: Sequence[Delivery]) -> Iterator[tuple[int, Message]]:
        """Return the messages of a write: what waited together goes together, platforms count messages."""
        for together in _together(deliveries):
            for message in self._loads(together, is_past=together[0][1].is_past):
                yield SEVERAL, message

    def _loads(self, deliveries: Sequence[tuple[int, Delivery]], *, is_past: bool) -> Iterator[Message]:
        taken: list[DeviceRows] = []
        for found in self._reader.read(deliveries):
            for tag, rows in found.nameless.items():
                why = f"tag {tag} of {found.device} has no name of its own on the platform: see `names`"
                yield _never(rows, why)
            if found.changed:
                yield _never(found.changed, CHANGED)
            if found.rows:
                why = self._why_not(found.device)
                if why and is_the_gateways_own(found.device) and found.device not in self._devices:
                    self._reader.left_out += len(found.rows)
                elif why:
                    yield _never(found.rows, why)
                else:
                    taken.append(found)
        for topic, frame, cells in self._written(taken, is_past=is_past):
            limits = self._limits(self._limit(topic))
            for each in pack(cells, frame, limits, LONGEST_ID):
                yield self._message(Sent(topic, frame, each))

    @abstractmethod
    def _written(
        self, devices: Sequence[DeviceRows], *, is_past: bool
    ) -> Iterator[tuple[str, Frame, Iterable[Cell]]]:
        """Yield (topic, frame, cells) of each kind of message these readings need."""

    @abstractmethod
    def _limits(self, most_bytes: int) -> Limits:
        """Return what one message may hold, if the broker takes so many bytes."""

    def _admit(self, devices: Sequence[str]) -> Sequence[Message]:  # noqa: ARG002  most need nothing
        """Return what makes these devices known to the platform."""
        return ()

    def _why_not(self, device: str) -> str:
        """Return why a device's rows can't be sent; empty when they can."""
        if device not in self._devices:
            return f"{device} has no entry under `devices`"
        return self._refused.get(device, "")

    def _name(self, device: str, tag: str) -> str | None:  # noqa: ARG002  a name is the same for all devices
        return self._names.get(tag) or property_name(tag, self.platform)

    def _whose(self, device: str, words: str) -> str:  # noqa: ARG002  most platforms name no property alone
        """Return whom a device shares a refusal of a property with, in the platform's words."""
        return device

    def _next_id(self) -> str:
        self._last_id = (self._last_id + 1) % self.ids
        return str(self._last_id)

    def _message(self, sent: Sent) -> Message:
        rows = np.array([cell.row for cell in sent.pack.cells], np.int64)
        number = self._next_id() if self.answers else ""
        payload = sent.frame.head(number) + sent.pack.body + sent.frame.tail
        most = self._limits(self._limit.of_one(sent.topic)).bytes
        if not sent.pack.fits and len(payload) > most:
            return Message(sent.topic, b"", rows, f"one reading makes a message of {len(payload)} bytes")
        if self.answers:
            self._sent[number] = sent
        return Message(sent.topic, payload, rows, reply=number)

    def _judged(self, number: str, verdict: Verdict, words: str, refused: Mapping[str, str]) -> Heard:
        """Return what follows from the reply to a message; `refused` are properties it names."""
        sent = self._sent.pop(number, None)
        if sent is None:
            return self._event_judged(number, verdict, words)
        cells = sent.pack.cells
        match verdict:
            case Verdict.ACCEPTED:
                return self._accepted(number, sent, refused)
            case Verdict.BYTES if len(cells) == 1:
                return Heard([Answer(number, refusal=f"{self.platform} refuses it: {words}")])
            case Verdict.BYTES:
                middle = len(cells) // 2
                return self._instead(number, sent, [cells[:middle], cells[middle:]])
            case Verdict.DEVICE:
                if len(parts := _apart(cells, lambda cell: cell.device)) > 1:
                    return self._instead(number, sent, parts)
                self._refuse(cells[0].device, words)
                return Heard([Answer(number, refusal=self._refused[cells[0].device])])
            case _:
                raise self._trouble(verdict, words)

    def _accepted(self, number: str, sent: Sent, refused: Mapping[str, str]) -> Heard:
        named = [cell for cell in sent.pack.cells if cell.name in refused]
        if not named:
            return Heard([Answer(number)])
        parts = _apart(named, lambda cell: self._whose(cell.device, refused[cell.name]))
        if len(parts) > 1:  # the reply does not say whose it is
            return self._instead(number, sent, parts)
        words = "; ".join(f"{name}: {refused[name]}" for name in sorted({cell.name for cell in named}))
        rows = np.array([cell.row for cell in named], np.int64)
        return Heard([Answer(number, refusal=words, rows=rows)])

    def _recorded(self, gap: GapNews) -> dict[str, Any]:
        """Return a gap as the value of an event that has one text, ``record``."""
        text = gap.json(LONGEST_TEXT).decode()
        return {"value": {"record": text}, "time": self._clock.now() // _NS_PER_MS}

    def _event(self, topic: str, said: Mapping[str, Any]) -> Message:
        """Return a message beside the readings that the platform answers; its ``id`` is put in."""
        number = self._next_id()
        self._events.add(number)
        return Message(topic, orjson.dumps({**said, "id": number}), reply=number)

    def _event_judged(self, number: str, verdict: Verdict, words: str) -> Heard:
        if number not in self._events:  # of a session before, or said twice
            return Heard()
        self._events.discard(number)
        if verdict is Verdict.LATER:
            raise self._trouble(verdict, words)
        refusal = "" if verdict is Verdict.ACCEPTED else f"{self.platform} refuses it: {words}"
        return Heard([Answer(number, refusal=refusal)])

    def _instead(self, number: str, sent: Sent, parts: Iterable[Sequence[Cell]]) -> Heard:
        limits = self._limits(self._limit(sent.topic))
        messages = [
            self._message(Sent(sent.topic, sent.frame, each))
            for part in parts
            for each in pack(part, sent.frame, limits, LONGEST_ID)
        ]
        return Heard([Answer(number, instead=messages)])

    def _refuse(self, device: str, words: str) -> None:
        """Note a device the platform does not take.

        Raises:
            NotConnected: it takes none of them; then the set-up is wrong, and no row is at fault.
        """
        self._refusals += 1
        self._refused[device] = f"{self.platform} does not take {device}: {words}"
        if len(self._refused) == len(self._devices):
            raise NotConnected(
                f"{self.platform} takes none of the devices; {device}: {words}", needs_a_person=True
            )

    def _trouble(self, verdict: Verdict, words: str) -> NotConnected:
        return NotConnected(f"{self.platform} answers {words}", needs_a_person=verdict is Verdict.PERSON)


def _together(deliveries: Sequence[Delivery]) -> Iterator[list[tuple[int, Delivery]]]:
    """Yield (index, delivery) of neighbours that are all live or all past, some thousand rows at a time."""
    group: list[tuple[int, Delivery]] = []
    rows = 0
    for index, delivery in enumerate(deliveries):
        if group and (rows >= _MOST_ROWS or delivery.is_past != group[0][1].is_past):
            yield group
            group, rows = [], 0
        group.append((index, delivery))
        rows += len(delivery.batch)
    if group:
        yield group


def is_the_gateways_own(device: str) -> bool:
    """Tell whether a device is none of the plant's, as ``site/_energy/demand/main``."""
    return device.split("/")[1].startswith("_")


def _apart(cells: Sequence[Cell], whose: Callable[[Cell], str]) -> list[list[Cell]]:
    parts: dict[str, list[Cell]] = {}
    for cell in cells:
        parts.setdefault(whose(cell), []).append(cell)
    return list(parts.values())


def _never(rows: Sequence[int], why: str) -> Message:
    return Message("", b"", np.array(rows, np.int64), refusal=why)
