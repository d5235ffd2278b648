"""Reading what is not subscribed: all items of one interval together, by requests made once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError
from numpy.typing import NDArray

from connectors.clock import Clock
from connectors.errors import NotConnected
from connectors.opcua.columns import Gathering
from connectors.opcua.items import Items
from connectors.opcua.limits import Limits, too_much
from connectors.opcua.read import PreparedRead, decode_read
from connectors.opcua.reasons import status_name
from connectors.opcua.rows import Fault, Malformed
from connectors.opcua.session import Session


@dataclass(slots=True)
class _Chunk:
    items: NDArray[np.intp]
    request: PreparedRead


class Group:
    """Items read together."""

    def __init__(self, items: Sequence[int], nodes: Mapping[int, ua.NodeId], limits: Limits) -> None:
        self._nodes = nodes
        self._limits = limits
        self._chunks = [self._chunk(items[i : i + limits.read]) for i in range(0, len(items), limits.read)]

    async def read(self, session: Session, gathering: Gathering, clock: Clock) -> None:
        """Read every item now.

        Raises:
            NotConnected: the connection is lost, or the server does not answer the service.
        """
        at = 0
        while at < len(self._chunks):
            chunk = self._chunks[at]
            try:
                body = await session.ask_raw(chunk.request.request())
                answer = decode_read(body.read(len(body)))
            except (UaStatusCodeError, Fault) as exc:
                status = exc.code if isinstance(exc, UaStatusCodeError) else exc.status
                if not too_much(status) or len(chunk.items) == 1:
                    raise NotConnected(
                        f"{session.peer} does not let values be read: {status_name(status)}"
                    ) from exc
                half = len(chunk.items) // 2
                self._limits.read = min(self._limits.read, half)
                places = chunk.items.tolist()
                self._chunks[at : at + 1] = [self._chunk(places[:half]), self._chunk(places[half:])]
                continue
            except Malformed as exc:
                raise NotConnected(f"{session.peer} sent values that can't be read: {exc}") from exc
            if len(answer) != len(chunk.items):
                raise NotConnected(f"{session.peer} answered {len(answer)} of {len(chunk.items)} reads")
            gathering.add(answer.runs, answer.others, clock.now(), chunk.items)
            at += 1

    def _chunk(self, items: Sequence[int]) -> _Chunk:
        return _Chunk(np.array(items, np.intp), PreparedRead([self._nodes[i] for i in items]))


def by_interval(items: Items, places: Sequence[int]) -> dict[int, list[int]]:
    """Return the items of each scan interval, ns."""
    groups: dict[int, list[int]] = {}
    for place in places:
        groups.setdefault(items.items[place].scan, []).append(place)
    return groups
