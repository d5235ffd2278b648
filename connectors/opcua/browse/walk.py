"""Walks the address space along a glob: a request at a time, never more than a page of it in memory.

Depth first, but in bites: a frame of the stack holds the nodes of one answer that are still to be looked
into. Continuation points are used up before anything deeper is asked, while a frame is small, since servers
have few of them; one that is gone makes its parent be asked again from where it was. Each node is looked into
once for what can still match behind it, so that circles end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError

from connectors.opcua.browse.glob import Glob, States
from connectors.opcua.browse.references import (
    BROWSE_NEXT_RESPONSE,
    BROWSE_RESPONSE,
    Browsed,
    browse,
    browse_next,
    decode_browse,
)
from connectors.opcua.browse.seen import Seen
from connectors.opcua.limits import Limits, too_much
from connectors.opcua.reasons import status_name
from connectors.opcua.rows import Fault, Malformed
from connectors.opcua.session import Session

_PAGE: Final = 10_000
"""References one answer may have, and nodes a frame holds before it is looked into."""
_FEWEST: Final = 20
"""References asked for of each node at least."""
_DEEPEST: Final = 64
_BAD: Final = 0x8000_0000

Names = tuple["Names", str] | None
"""A path from its end: shared by all that lie below."""


class Match(NamedTuple):
    """A variable the glob means."""

    names: tuple[str, ...]
    """Browse names from where the walk began."""
    node: bytes
    """Its NodeId, encoded."""


class Unbrowsable(Exception):
    """The server does not let its nodes be looked through, and says why."""


class _Node(NamedTuple):
    names: Names
    depth: int
    node: bytes
    states: States
    done: int = 0
    """Of its references, those that were seen before its continuation point was lost."""


class _More(NamedTuple):
    node: _Node
    continuation: bytes


@dataclass(slots=True)
class _Frame:
    nodes: list[_Node] = field(default_factory=list)
    more: list[_More] = field(default_factory=list)


class Walk:
    """One walk; `step` until `is_done`."""

    def __init__(
        self, session: Session, limits: Limits, namespaces: Sequence[str], start: bytes, glob: Glob
    ) -> None:
        self._session = session
        self._limits = limits
        self._namespaces = namespaces
        self._glob = glob
        self._stack = [_Frame([_Node(None, 0, start, glob.begin)])]
        self._seen = Seen()
        self._seen.add((start, glob.begin))
        self._at_once = _PAGE
        self.requests = 0

    @property
    def is_done(self) -> bool:
        """Tell whether everything was looked into."""
        return not self._stack

    async def step(self) -> list[Match]:
        """Ask once; return what was found by it.

        Raises:
            NotConnected: the connection is lost.
            Unbrowsable: the server refuses.
        """
        frame = self._stack[-1]
        if frame.more and len(frame.nodes) < _PAGE:
            found = await self._go_on(frame)
        else:
            found = await self._look_into(frame)
        while self._stack and not self._stack[-1].nodes and not self._stack[-1].more:
            self._stack.pop()
        return found

    async def close(self) -> None:
        """Let the server forget the continuation points of a walk that is given up."""
        left = [more.continuation for frame in self._stack for more in frame.more]
        self._stack = []
        for begin in range(0, len(left), self._limits.browse):
            await self._ask(
                browse_next(left[begin : begin + self._limits.browse], release=True), BROWSE_NEXT_RESPONSE
            )

    async def _look_into(self, frame: _Frame) -> list[Match]:
        count = max(1, min(self._at_once, self._limits.browse, len(frame.nodes)))
        nodes = frame.nodes[-count:]
        # Whose continuation point was lost needs none: all of it is asked for.
        most = 0 if any(node.done for node in nodes) or self._at_once == 1 else max(_FEWEST, _PAGE // count)
        results = await self._ask(browse([node.node for node in nodes], most), BROWSE_RESPONSE)
        if results is None:
            return []
        del frame.nodes[-count:]
        below, found = _Frame(), list[Match]()
        lacking = False
        for node, result in zip(nodes, results, strict=True):
            if result.status == ua.StatusCodes.BadNoContinuationPoints:
                if not most:
                    raise Unbrowsable(f"{self._session.peer} has no continuation point to give")
                frame.nodes.append(node)
                lacking = True
            elif not result.status & _BAD:  # a node that can't be browsed has nothing below it
                self._take(node, result, below, found)
        self._at_once = max(1, count // 2) if lacking else min(_PAGE, 2 * self._at_once)
        self._stack.append(below)
        return found

    async def _go_on(self, frame: _Frame) -> list[Match]:
        more = frame.more[-self._limits.browse :]
        results = await self._ask(browse_next([each.continuation for each in more]), BROWSE_NEXT_RESPONSE)
        if results is None:
            return []
        del frame.more[-len(more) :]
        found: list[Match] = []
        for each, result in zip(more, results, strict=True):
            if result.status & _BAD:  # the server has forgotten it: once more from the beginning
                self._at_once = 1
                frame.nodes.append(each.node)
            else:
                self._take(each.node, result, frame, found, is_next=True)
        return found

    def _take(
        self, node: _Node, result: Browsed, below: _Frame, found: list[Match], *, is_next: bool = False
    ) -> None:
        """Sort the references of a node into what matches and what is still to be looked into."""
        for reference in result.references[0 if is_next else node.done :]:
            namespace = self._namespaces[reference.namespace : reference.namespace + 1]
            states = self._glob.step(node.states, namespace[0] if namespace else "", reference.name)
            if not states:
                continue
            names: Names = (node.names, reference.name)
            if reference.is_variable and self._glob.is_match(states):
                found.append(Match(_path(names), reference.node))
            goes_on = node.depth < _DEEPEST and self._glob.goes_on(states)
            if goes_on and self._seen.add((reference.node, states)):
                below.nodes.append(_Node(names, node.depth + 1, reference.node, states))
        if result.continuation:
            seen = len(result.references) + (node.done if is_next else 0)
            below.more.append(_More(node._replace(done=seen), result.continuation))

    async def _ask(self, request: Any, wanted: int) -> list[Browsed] | None:
        """Return the answer; None when it was too much at once and less is to be asked."""
        self.requests += 1
        try:
            body = await self._session.ask_raw(request)
            return decode_browse(body.read(len(body)), wanted)
        except (UaStatusCodeError, Fault) as exc:
            status = exc.code if isinstance(exc, UaStatusCodeError) else exc.status
            if too_much(status) and self._limits.browse > 1:
                self._limits.browse = max(1, min(self._limits.browse, self._at_once) // 2)
                return None
            raise Unbrowsable(
                f"{self._session.peer} does not let it be browsed: {status_name(status)}"
            ) from exc
        except Malformed as exc:
            raise Unbrowsable(f"{self._session.peer} sent references that can't be read: {exc}") from exc


def _path(names: Names) -> tuple[str, ...]:
    found = []
    while names is not None:
        names, name = names
        found.append(name)
    return tuple(reversed(found))
