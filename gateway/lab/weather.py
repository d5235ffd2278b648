"""What a network does to a connection, as data that can change while it is under way."""

import asyncio
import random
from collections.abc import Callable
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gateway.lab import amounts
from gateway.lab.scenario import Seconds, Share

Octets = Annotated[int, BeforeValidator(amounts.octets)]
Rate = Annotated[float, BeforeValidator(amounts.octets_a_second)]
Direction = Literal["both", "up", "down"]


class Weather(BaseModel):
    """How a network behaves; as it comes, an undisturbed one."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    latency: Seconds = 0.0
    """Later by this, each way, s."""
    jitter: Seconds = 0.0
    """And by up to this more; the order is kept, as in TCP."""
    bandwidth: Rate = 0.0
    """Bytes per second each way; 0 is as fast as it goes."""
    drop: Share = 0.0
    """Of the pieces that pass, sliced or as they come, these are swallowed: a stream with holes."""
    corrupt: Share = 0.0
    """Of the pieces, these have one bit turned."""
    slice: Octets = 0
    """Pieces no larger than this; 0 as they come."""
    pause: Seconds = 0.0
    """Between two slices, s."""
    reset_after: Octets = 0
    """A connection is reset when so many bytes have passed it, either way; 0 never."""
    black_hole: bool = False
    """Whatever is sent is swallowed; nobody is told."""
    half_open: bool = False
    """One side's end is not told to the other."""
    direction: Direction = "both"
    """Up is from the client to the equipment. What ends a connection holds both ways."""

    def changed(self, **settings: object) -> Self:
        """Return it with other settings; ValueError for what is no weather."""
        return type(self).model_validate(self.model_dump() | settings)

    def holds(self, way: Literal["up", "down"]) -> bool:
        """Return whether this way is disturbed."""
        return self.direction in ("both", way)


class Change(BaseModel):
    """One line of a proxy's script."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    at: Seconds
    """Since the proxy began."""
    settings: dict[str, str | float | bool] = Field(default_factory=dict, alias="set")
    """Of the weather; the others stay."""
    do: Literal["cut", "mend", "reset", "abandon"] | None = None


class Way:
    """One direction of one connection: what is read from it leaves as the weather lets it."""

    def __init__(
        self, name: Literal["up", "down"], weather: Callable[[], Weather], chance: random.Random
    ) -> None:
        self._name: Literal["up", "down"] = name
        self._weather = weather
        self._chance = chance
        self._due = 0.0

    async def passed(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        """Write a piece whose time has come, in the shape the weather gives it."""
        weather = self._weather()
        if not weather.holds(self._name):
            writer.write(data)
            await writer.drain()
            return
        size = weather.slice or len(data)
        for at in range(0, len(data), size):
            if at and weather.pause:
                await asyncio.sleep(weather.pause)
            piece = data[at : at + size]
            if weather.black_hole or self._chance.random() < weather.drop:
                continue
            if self._chance.random() < weather.corrupt:
                piece = self._turned(piece)
            writer.write(piece)
            await writer.drain()

    def _turned(self, piece: bytes) -> bytes:
        """Return it with one bit turned."""
        turned = bytearray(piece)
        turned[self._chance.randrange(len(turned))] ^= 1 << self._chance.randrange(8)
        return bytes(turned)

    def due(self, now: float, size: int) -> float:
        """Return when a piece that came now leaves."""
        weather = self._weather()
        if not weather.holds(self._name):
            return now
        late = now + weather.latency + self._chance.uniform(0, weather.jitter)
        self._due = max(late, self._due) + (size / weather.bandwidth if weather.bandwidth else 0.0)
        return self._due
