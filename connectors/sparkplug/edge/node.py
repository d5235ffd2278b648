"""The edge node as a host sees it: what is born, what each message may say, and what a death says. No I/O.

A device is born when something is known of it and it can be had; it dies when all that is known of it says
that it can't. What was known of the past of a dead device is not lost: it is born for as long as that takes.

A birth tells the newest values there are, and these may be ahead of what the cursor still holds. Such rows
are marked historical: they are true, but what is now has been told, and nothing may put it back.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from connectors.batch import Columns
from connectors.contract import Context, Delivery
from connectors.sparkplug.edge.births import (
    GAP,
    Catalogue,
    device_death,
    newest,
    of_device,
    of_gap,
    of_node,
)
from connectors.sparkplug.edge.counts import Statistics
from connectors.sparkplug.edge.devices import NEVER, Device, Past, Standing
from connectors.sparkplug.edge.encode import encode
from connectors.sparkplug.edge.layout import Share
from connectors.sparkplug.edge.messages import cut
from connectors.sparkplug.edge.naming import DeviceIds
from connectors.sparkplug.edge.remembered import Remembered
from connectors.sparkplug.edge.wire import varint

_SETTLING_NS: Final = 10_000_000_000
"""A cursor that serves live rows is never further behind than five seconds."""
LENT_NS: Final = 10_000_000_000
"""A dead device stays born so long after the last of its past."""
GROWING_NS: Final = 1_000_000_000
"""A device that learns of more metrics is born again at most so often."""

Say = Callable[[str, str, bytes], None]
"""Send a message of this type, of this device (empty: the node), without its sequence number."""


class NotYet(Exception):
    """A birth is due that may not be yet."""

    def __init__(self, wait: int) -> None:
        super().__init__(f"in {wait} ns")
        self.wait_s = wait / 1e9


class EdgeNode:
    """One session's births and deaths, and the order of everything."""

    def __init__(
        self, context: Context, ids: DeviceIds, say: Say, *, bd_seq: int, statistics: Statistics
    ) -> None:
        self._tags = context.tags
        self._last = Remembered(context.last, context.tags, context.kept.setdefault("thinned", {}))
        self._kept = context.kept
        self._clock = context.clock
        self._ids = ids
        self._say = say
        self._bd_seq = bd_seq
        self._statistics = statistics
        self._catalogue = Catalogue(context.tags, context.selects)
        self._standing = Standing(context.tags)
        self._devices: dict[int, Device] = {}
        self._generation = 0
        """Grows with every birth: what a share knows of names is then to be looked at again."""
        self._version = context.tags.version
        self._looked = NEVER
        self._gap_ms = 0
        self.born = NEVER
        """When the node was born last, by the monotonic clock."""

    def be_born(self) -> None:
        """Tell everything anew: the node, then every device that is there."""
        self._standing.forget()
        self._version = self._tags.version
        self.born = self._looked = self._clock.monotonic()
        self._say("NBIRTH", "", of_node(self._bd_seq, self._clock.now(), self._kept.get(GAP)))
        self._statistics.births += 1
        for device in self._devices.values():
            device.is_born = False
        for number in self._all():
            device = self._device(number)
            device.has(self._catalogue.metrics(number))
            self._standing.look(device, newest(self._last, device.metrics))
            if device.is_alive or device.lent_until:
                self._bear(number, device)

    def tell_gap(self, gap: str) -> None:
        """Say what is missing; births repeat the newest that was said."""
        self._gap_ms = max(self._clock.now() // 1_000_000, self._gap_ms + 1)
        self._kept[GAP] = gap
        self._say("NDATA", "", of_gap(self._gap_ms, gap))

    def tell(self, share: Share, delivery: Delivery, limit: Callable[[str], int]) -> list[NDArray[np.int32]]:
        """Say a device's rows, its birth before and its death behind them where they are due.

        Returns the stored row numbers of rows that no message can carry, one by one.

        Raises:
            NotYet: nothing was said.
        """
        device = self._device(share.device)
        columns = share.columns(delivery.batch.parts)
        past = self._past(device, columns, delivery)
        self._standing.follow(device, columns, past)
        has_past = any(old is True or (old is not False and old.any()) for old in past)
        if not (device.is_alive or device.is_born or has_past):
            self._statistics.implied += len(share.tag)
            return []
        if not device.is_born or (
            share.named != self._generation and not self._standing.are_named(share.tag)
        ):
            self._grow(share, device)
            past = self._past(device, columns, delivery)
        share.named = self._generation
        if has_past and not device.is_alive:
            device.lent_until = self._clock.monotonic() + LENT_NS
        if share.is_own is None:
            share.is_own = self._last.are_own(share.tag)
        if share.is_own and not delivery.is_past:
            self._last.remember(columns)
        too_large = self._send(device, _Rows(share, delivery, columns, past), limit(device.id))
        if not device.is_alive and not device.lent_until:
            self._die(device)
        return too_large

    def tick(self, now: int) -> None:
        """Let those die that were born for their past only, and bear anew those that have changed."""
        for device in self._devices.values():
            if device.lent_until and device.lent_until <= now:
                device.lent_until = 0
                if device.is_born and not device.is_alive:
                    self._die(device)
        if self._version != self._tags.version and now >= self._looked + GROWING_NS:
            self._version, self._looked = self._tags.version, now
            for number in self._all():
                device, metrics = self._device(number), self._catalogue.metrics(number)
                if device.is_born and not metrics:  # it was renamed or removed
                    device.has(())
                    self._die(device)
                elif device.is_born and device.metrics != metrics:
                    self._bear(number, device)

    def next_at(self) -> int | None:
        """Return when `tick` has something to do, by the monotonic clock; None: nothing is known of."""
        due = [device.lent_until for device in self._devices.values() if device.lent_until]
        if self._version != self._tags.version:
            due.append(self._looked + GROWING_NS)
        return min(due, default=None)

    def _all(self) -> list[int]:
        return sorted({*self._catalogue.devices(), *self._devices})

    def _device(self, number: int) -> Device:
        found = self._devices.get(number)
        if found is None:
            found = self._devices[number] = Device(self._ids.of(number))
        return found

    def _grow(self, share: Share, device: Device) -> None:
        """Bear a device that has tags the host does not know."""
        wait = device.born + GROWING_NS - self._clock.monotonic() if device.is_born else 0
        if wait > 0:
            raise NotYet(wait)
        self._catalogue.add(share.device, share.tag)
        self._bear(share.device, device)

    def _bear(self, number: int, device: Device) -> None:
        """Say the device's birth, with the newest that is known of it."""
        before = device.tags
        device.has(self._catalogue.metrics(number))
        last = newest(self._last, device.metrics)
        device.is_born = True
        device.born, device.born_at = self._clock.monotonic(), self._clock.now()
        self._standing.name(device.tags, last, before=before)
        self._generation += 1
        self._say("DBIRTH", device.id, of_device(device.metrics, last, device.born_at))
        self._statistics.device_births += 1

    def _die(self, device: Device) -> None:
        device.is_born = False
        self._say("DDEATH", device.id, device_death(self._clock.now()))
        self._statistics.device_deaths += 1

    def _past(self, device: Device, columns: Sequence[Columns], delivery: Delivery) -> list[Past]:
        if delivery.is_past:
            return [True] * len(columns)
        is_settled = self._clock.monotonic() - device.born >= _SETTLING_NS
        if is_settled or not device.is_born or delivery.batch.arrived > device.born_at:
            return [False] * len(columns)
        return [self._standing.older(each) for each in columns]

    def _send(self, device: Device, rows: "_Rows", limit: int) -> list[NDArray[np.int32]]:
        share, delivery, columns, past = rows
        encoded = [
            encode(group, each, historical=old)
            for group, each, old in zip(share.groups, columns, past, strict=True)
        ]
        head = b"\x08" + varint(self._clock.now() // 1_000_000)
        row = share.row if delivery.rows is None else np.concatenate(delivery.rows)[share.row]
        for each, old in zip(columns, past, strict=True):
            if old is not False:
                self._statistics.historical += int(np.broadcast_to(old, len(each)).sum())
        too_large = []
        for data, numbers in cut(encoded, row, limit):
            if data:
                self._say("DDATA", device.id, head + data)
            else:
                too_large.append(numbers)
        return too_large


class _Rows(NamedTuple):
    """A device's rows on their way."""

    share: Share
    delivery: Delivery
    columns: Sequence[Columns]
    past: Sequence[Past]
