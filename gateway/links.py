"""The links of a running gateway: a supervised task each; one can be replaced while the others live."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final, Literal

from connectors import Clock
from gateway.observe import Observer
from gateway.supervise import Link, supervise
from gateway.told import About
from gateway.turnstile import Turnstile

_AT_ONCE: Final = 2
"""Links that begin in one round of the loop: a line plans its devices at once, hundreds take seconds."""


class Links:
    """What runs, by name; what is told of it, by direction and name."""

    def __init__(self, observer: Observer, clock: Clock, group: asyncio.TaskGroup, *, strict: bool) -> None:
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.about: dict[tuple[str, str], About] = {}
        self._observer = observer
        self._clock = clock
        self._group = group
        self._strict = strict
        self._turn = Turnstile(_AT_ONCE)

    def link(
        self,
        name: str,
        direction: Literal["source", "sink", "history", "energy", "webhook"],
        about: About | None = None,
    ) -> Link:
        """Return the link of this name: a new one, or the one there was where it begins anew."""
        links = self._observer.links
        link = next((each for each in links if (each.direction, each.name) == (direction, name)), None)
        if link is None:  # else it begins anew, and its counters go on
            link = Link(name, direction, self._clock)
            links.append(link)
        if about is not None:
            self.about[direction, name] = about
        return link

    def spawn(
        self,
        name: str,
        link: Link,
        session: Callable[[], Awaitable[None]],
        lost: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Begin a link's task, supervised."""

        async def begin() -> None:
            await self._turn()
            await supervise(link, session, lost=lost, strict=self._strict)

        self.tasks[name] = self._group.create_task(begin(), name=name)

    def run(self, name: str, work: Coroutine[None, None, None]) -> None:
        """Begin a task that is no link: it neither fails nor begins again."""
        self.tasks[name] = self._group.create_task(work, name=name)

    def forget(self, direction: str, name: str) -> None:
        """Tell no more of a link that is gone."""
        self._observer.forget(direction, name)
        self.about.pop((direction, name), None)

    async def end_all(self, prefix: str) -> None:
        """End every task whose name begins so."""
        await self.end(*[name for name in self.tasks if name.startswith(prefix)])

    async def end(self, *names: str) -> None:
        """End these tasks, those that run; return when they have."""
        ending = [task for name in names if (task := self.tasks.pop(name, None)) is not None]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
