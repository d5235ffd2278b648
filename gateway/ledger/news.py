"""What a sink's subscribers have not been told yet of gaps: noted on disk first, told at least once."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from connectors import GapNews
from gateway.ledger.gap import Gap

_AT_ONCE: Final = 100


class GapLog(Protocol):
    """What the store knows of gaps."""

    @property
    def gap_revision(self) -> int:
        """The newest revision that is on disk."""
        ...

    async def gaps_after(self, revision: int) -> Sequence[Gap]:
        """Return the gaps noted or changed after a revision, in that order."""
        ...

    async def gaps_told(self, sink: str) -> int:
        """Return the revision up to which a sink has told its subscribers."""
        ...

    async def tell_gaps(self, sink: str, revision: int) -> None:
        """Put on disk that a sink has told its subscribers everything up to a revision."""
        ...


class News:
    """One sink's way through the gaps; implements `connectors.Gaps`."""

    def __init__(self, store: GapLog, gateway: str, sink: str, since: Callable[[], int]) -> None:
        self._store = store
        self._gateway = gateway
        self._sink = sink
        self._since = since
        """When the sink's books begin, ns UTC: what was over before is none of its subscribers' business."""
        self._told: int | None = None

    async def untold(self) -> Sequence[GapNews]:
        """Return what is to be told now, oldest first; the disk is not asked while there is no news."""
        store = self._store
        if self._told is None:
            self._told = await store.gaps_told(self._sink)
        newest = store.gap_revision  # one that comes while we look is told next time
        if newest <= self._told:
            return ()
        found = [
            GapNews(each.revision, record(self._gateway, each, each.sinks.get(self._sink, 0)))
            for each in await store.gaps_after(self._told)
            if each.concerns(self._sink) and (each.end is None or each.noted >= self._since())
        ]
        if not found:
            await self.told(newest)
        return found[:_AT_ONCE]

    async def told(self, revision: int) -> None:
        """Learn that everything up to and with this revision has been accepted."""
        await self._store.tell_gaps(self._sink, revision)
        self._told = revision


def record(gateway: str, gap: Gap, rows: int) -> dict[str, Any]:
    """Return what a subscriber is told of a gap that cost it so many rows; what is not known is absent."""
    found: dict[str, Any] = {"gw": gateway}
    if gap.id:
        found |= {"epoch": gap.epoch, "gap": gap.id}
    found |= {"reason": gap.reason, "noted": gap.noted}
    if gap.start is not None:
        found["start"] = gap.start
    if gap.end is not None:
        found["end"] = gap.end
    if gap.lasts:
        found["lasts"] = True
    found["sources"] = sorted(gap.sources)
    if gap.devices:
        found["devices"] = list(gap.devices)
    if gap.tags:
        found["tags"] = gap.tags
    if gap.first_seq:
        found["seq"] = [gap.first_seq, gap.last_seq]
    if rows:
        found["rows"] = rows
    return found
