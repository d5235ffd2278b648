"""News of gaps by hand, for the sinks that tell them."""

from typing import Any

from connectors import GapNews

EPOCH = "3-9f86d081884c7d65"
T0 = 1_764_000_000_123_456_789


class Waiting:
    """What is untold until it was heard."""

    def __init__(self, *records: dict[str, Any]) -> None:
        self.news: list[GapNews] = []
        self.heard: list[int] = []
        self._revision = 0
        self.tell(*records)

    def tell(self, *records: dict[str, Any]) -> None:
        for each in records:
            self._revision += 1
            self.news.append(GapNews(self._revision, each))

    async def untold(self) -> list[GapNews]:
        return self.news

    async def told(self, revision: int) -> None:
        self.heard.append(revision)
        self.news = [each for each in self.news if each.revision > revision]


def record(number: int, *, end: int | None = None, **more: Any) -> dict[str, Any]:
    """Return what is told of a link that is down, or was until `end` seconds behind T0."""
    said: dict[str, Any] = {"gw": "gw-1", "epoch": EPOCH, "gap": number, "reason": "link_down", "noted": T0}
    said["start"] = T0
    said |= {"lasts": True} if end is None else {"end": T0 + end * 1_000_000_000}
    return said | {"sources": ["meters"]} | more
