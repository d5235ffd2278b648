"""The devices behind one line as a source: one batch is one scan of one device."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from connectors.batch import Batch, Columns, together
from connectors.clock import Clock
from connectors.errors import NotConnected
from connectors.line.dialogue import Answers, Poll, Terms
from connectors.line.exchange import Exchange
from connectors.line.statistics import Statistics, added_up
from connectors.schedule import Schedule
from connectors.tags import Tag, TagTable

log = logging.getLogger(__name__)

_PATIENCE: Final = 2
"""Requests in a row nobody answers before the rest of a scan is left out; one of a device in doubt."""

_TWICE: Final = 2
"""How often a counter that may be torn is asked for again; a device renews it less often than that."""

_NOTICE: Final = 1_000_000_000
"""How long a change of devices may go unnoticed while nothing is due."""

_EARLY_S: Final = 0.001
"""Waited for with the rest: uvloop takes less for nothing, and would go round and round until it is over."""

_ROUNDS: Final = 8
"""Scans in one read at most, while a refused request is being narrowed down to the value at fault."""


class Line(Protocol):
    """What a connection is made over."""

    peer: str
    """How messages name it."""

    async def connect(self, clock: Clock, statistics: Statistics) -> Exchange:
        """Return the exchange over a new connection, or raise NotConnected; never longer than the timeout."""
        ...


class Decoder(Protocol):
    """From what a scan brought to rows."""

    def columns(self, answers: Answers) -> tuple[Columns, ...]:
        """Return the scan's rows, a part per kind of value."""
        ...


class DeviceTerms(Protocol):
    """What a device's options say about asking it."""

    @property
    def scan(self) -> int:
        """Scan interval, ns."""
        ...

    @property
    def timeout(self) -> int | None:
        """Longest wait for one reply, ns; the line's own when None."""
        ...


class Device(Protocol):
    """One device of the line while it runs, or its values of one interval: then several have one name."""

    name: str
    statistics: Statistics
    answered: bool
    """Whether the device itself said anything of use in the last scan."""
    unheard: bool
    """Whether nobody did, not even a gateway in between."""
    improvable: bool
    """Whether the plan was cut in the last scan while other requests are answered: ask again at once."""

    @property
    def options(self) -> DeviceTerms:
        """What the plant file says of it."""
        ...

    @property
    def in_flight(self) -> int:
        """Requests it takes at once."""
        ...

    @property
    def poll(self) -> Poll:
        """The requests as they are asked now."""
        ...

    @property
    def decoder(self) -> Decoder:
        """What makes rows of their replies."""
        ...

    def tags(self, source: str, site: str) -> list[Tag]:
        """Return the device's tags."""
        ...

    def numbered(self, numbers: NDArray[np.int32]) -> None:
        """Take the numbers of these tags, (n,), before the first scan."""
        ...

    def asked(self, first: int) -> tuple[list[int], list[int]]:
        """Return the requests to ask, in this order, and the status all of them have until then."""
        ...

    def doubtful(self, slots: Sequence[int], answers: Answers) -> list[int]:
        """Return which of these requests are asked again at once, for what they brought can't be believed."""
        ...

    def learn(self, slots: Sequence[int], answers: Answers) -> list[str]:
        """Take in how a scan went; return the values that turned out to be refused, by name."""
        ...


class LineTerms(Protocol):
    """What a source's options say about its line."""

    @property
    def timeout(self) -> int:
        """Longest wait for one reply, ns."""
        ...

    @property
    def pause_after_connect(self) -> int:
        """Silence after the connection, ns."""
        ...


class LineSource:
    """A source of the devices behind one connection, over whatever line."""

    def __init__(
        self,
        name: str,
        options: LineTerms,
        line: Line,
        make: Callable[[], Sequence[Device]],
        *,
        site: str,
        tags: TagTable,
        clock: Clock,
        hangs_up: bool = False,
    ) -> None:
        """Remember; with `hangs_up` the connection is closed between scans, for others to have it."""
        self._name = name
        self._options = options
        self._make = make
        self._site = site
        self._tags = tags
        self._clock = clock
        self._line = line
        self._peer = line.peer
        self._devices: Sequence[Device] = ()
        self._connection = Statistics()
        self._exchange: Exchange | None = None
        self._schedule = Schedule((), 0, 0)
        self.is_heard = False
        """`contract.Relayed`: what accepts the connection may be a converter with nobody behind it."""
        self._hangs_up = hangs_up
        self._wanted: Sequence[Device] | None = None
        """Devices to go on with from the next scan; None where nothing was changed."""
        self._settled = 0
        """From when on the device hears what is asked, monotonic ns."""

    async def __aenter__(self) -> Self:
        """Announce the tags, then connect; NotConnected tells why not."""
        self._announce()
        self.is_heard = False
        await self._connect()
        scans = [device.options.scan for device in self._devices]
        now, steady = self._clock.now(), self._clock.monotonic()
        self._schedule = Schedule(scans, now, steady, self._schedule.trusted())
        return self

    async def read(self) -> Batch:
        """Wait until a device is due, return its scan; NotConnected when link or all devices are silent."""
        place, device = await self._next_due()
        began = self._clock.monotonic()
        silences, hurries = self._schedule.silences(place), self._schedule.is_in_doubt(place)
        alone = all(each.name == device.name for each in self._devices)
        batch = await self._scan(device, silences, alone=alone, hurries=hurries)
        free = self._connected().free
        if self._hangs_up:
            await self._hang_up()
        now, steady = self._clock.now(), self._clock.monotonic()
        self.is_heard = self.is_heard or not device.unheard
        if device.answered:
            device.statistics.overruns += self._schedule.answered(place, now, steady)
        else:
            left = max(0, free - steady)
            self._schedule.silent(place, now + left, steady + left, steady + left - began)
            if device.unheard and self._schedule.all_silent():
                raise NotConnected(f"{self._peer} is connected, but no device answers")
        return batch

    async def ack(self, batch: Batch) -> None:
        """Nothing to forget: a value is read anew each time."""

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close the connection at once."""
        await self._hang_up()

    def devices(self) -> Sequence[str]:
        """Return the devices' names in the plant file."""
        return list(dict.fromkeys(device.name for device in self._devices or self._make()))

    async def scan(self, device: str) -> Batch:
        """Read the device now, whatever its schedule; Bad rows tell why it can't be read."""
        if self._exchange is None and self._hangs_up:
            await self._connect()
        await self._idle_until(self._settled)
        mine = [each for each in self._devices if each.name == device]
        return together([await self._scan(each, 0, alone=True) for each in mine])

    def statistics(self) -> dict[str, int]:
        """Return the counters of the connection, all devices added up."""
        return added_up([self._connection, *(device.statistics for device in self._devices)])

    def statistics_by_device(self) -> dict[str, dict[str, int]]:
        """Return each device's counters; replies that belong to none are the connection's."""
        found: dict[str, Counter[str]] = {}
        for device in self._devices:
            found.setdefault(device.name, Counter()).update(device.statistics.as_dict())
        return {name: dict(counts) for name, counts in found.items()}

    def _announce(self) -> None:
        if not self._devices:
            self._devices = self._make()
        numbers = self._tags.announce_each([each.tags(self._name, self._site) for each in self._devices])
        for device, own in zip(self._devices, numbers, strict=True):
            device.numbered(own)
        self._tags.keep_only(self._name, np.concatenate(numbers))

    async def _next_due(self) -> tuple[int, Device]:
        """Wait until a device is due; what is changed meanwhile is taken over within a second."""
        while True:
            if self._wanted is not None:
                self._take_over(self._wanted)
                self._wanted = None
            place, wait = self._schedule.next(self._clock.now())
            device, until = self._devices[place], self._clock.monotonic() + wait
            if self._exchange is None and self._hangs_up:
                await asyncio.sleep(min(wait, _NOTICE) / 1e9)
                if self._wanted is not None or wait > _NOTICE:
                    continue
                await self._connect()
            until = max(until, self._settled)
            while self._wanted is None:
                await self._idle_until(min(until, self._clock.monotonic() + _NOTICE))
                if self._clock.monotonic() >= until:
                    return place, device

    def _renew(self, make: Callable[[], Sequence[Device]]) -> None:
        """Go on with these devices from the next scan; those that are as before stay what they are."""
        self._make = make
        before: dict[str, list[Device]] = {}
        for device in self._devices:
            before.setdefault(device.name, []).append(device)

        def kept(device: Device) -> Device:
            same = (old for old in before.get(device.name, ()) if old.options == device.options)
            return next(same, device)

        self._wanted = [kept(device) for device in make()]

    def _take_over(self, devices: Sequence[Device]) -> None:
        places = {id(device): place for place, device in enumerate(self._devices)}
        for device in self._devices:
            if device not in devices:
                self._connection.add(device.statistics)  # counters only grow
        self._schedule = self._schedule.renewed(
            [device.options.scan for device in devices],
            [places.get(id(device)) for device in devices],
            self._clock.now(),
            self._clock.monotonic(),
        )
        self._devices = devices
        self._announce()

    async def _connect(self) -> None:
        self._exchange = await self._line.connect(self._clock, self._connection)
        self._settled = self._clock.monotonic() + self._options.pause_after_connect

    async def _hang_up(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            with contextlib.suppress(NotConnected):
                await exchange.close()

    def _connected(self) -> Exchange:
        if self._exchange is None:
            raise NotConnected(f"{self._peer} is not connected")
        return self._exchange

    async def _idle_until(self, until: int) -> None:
        exchange = self._connected()
        # A reading of 10:15 must not be made before it, and uvloop's timers fire up to a millisecond early.
        while (left := until - self._clock.monotonic()) > 0:
            await exchange.idle(left / 1e9 + _EARLY_S)

    async def _scan(self, device: Device, silences: int, *, alone: bool, hurries: bool = False) -> Batch:
        for _ in range(_ROUNDS):
            batch = await self._round(device, silences, alone=alone, hurries=hurries)
            if not device.improvable:
                break
        return batch

    async def _round(self, device: Device, silences: int, *, alone: bool, hurries: bool) -> Batch:
        slots, status = device.asked(silences)
        terms = Terms(
            in_flight=1 if silences else device.in_flight,
            timeout=device.options.timeout or self._options.timeout,
            patience=1 if silences or hurries else _PATIENCE,
            alone=alone,
        )
        answers = await self._connected().scan(device.poll, slots, status, terms, device.statistics)
        asked: Sequence[int] = slots
        for _ in range(_TWICE):
            asked = device.doubtful(asked, answers)
            if not asked:
                break
            again = await self._connected().scan(
                device.poll, list(asked), list(answers.status), terms, device.statistics
            )
            answers = answers.replaced(asked, again)
        batch = Batch(device.decoder.columns(answers), self._clock.now())
        for name in device.learn(slots, answers):
            log.warning(
                "the device does not have this value",
                extra={"source": self._name, "device": device.name, "tag": name},
            )
        return batch
