"""Reads one attribute of many nodes, without an object for each: data types, ranks, rights."""

from collections.abc import AsyncIterator, Sequence

import numpy as np
from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError
from numpy.typing import NDArray

from connectors.errors import NotConnected
from connectors.opcua.limits import Limits, too_much
from connectors.opcua.read import PreparedRead, Read, decode_read
from connectors.opcua.reasons import status_name
from connectors.opcua.rows import Fault, Malformed
from connectors.opcua.session import Session
from connectors.opcua.types.model import NodeKey, read_key

_BAD = np.uint32(0x8000_0000)
_NODE_ID = 17


async def read_numbers(
    session: Session, nodes: Sequence[ua.NodeId], attribute: ua.AttributeIds, limits: Limits
) -> NDArray[np.int64]:
    """Return a small number of each node, (n,), 0 where there is none."""
    found = np.zeros(len(nodes), np.int64)
    async for begin, answer in _read(session, nodes, attribute, limits):
        for run in answer.runs:
            if run.value.dtype.char == "d":
                good = run.status < _BAD
                found[begin + run.place[good]] = run.value[good]
    return found


async def read_data_types(
    session: Session, nodes: Sequence[ua.NodeId], limits: Limits
) -> tuple[list[NodeKey | None], NDArray[np.uint32]]:
    """Return the data type of each node, and the status of the answer, (n,)."""
    found: list[NodeKey | None] = [None] * len(nodes)
    status = np.zeros(len(nodes), np.uint32)
    async for begin, answer in _read(session, nodes, ua.AttributeIds.DataType, limits):
        for run in answer.runs:
            status[begin + run.place] = run.status
        for other in answer.others:
            status[begin + other.place] = other.status
            if other.builtin == _NODE_ID and not other.array:
                found[begin + other.place], _ = read_key(other.raw, 1)
    return found, status


async def _read(
    session: Session, nodes: Sequence[ua.NodeId], attribute: ua.AttributeIds, limits: Limits
) -> AsyncIterator[tuple[int, Read]]:
    """Yield the answers with where they begin; the chunks shrink when the server finds them too large."""
    begin = 0
    while begin < len(nodes):
        chunk = nodes[begin : begin + limits.read]
        try:
            body = await session.ask_raw(PreparedRead(chunk, attribute).request())
            answer = decode_read(body.read(len(body)))
        except (UaStatusCodeError, Fault) as exc:
            status = exc.code if isinstance(exc, UaStatusCodeError) else exc.status
            if not too_much(status) or limits.read == 1:
                raise NotConnected(
                    f"{session.peer} does not answer what its nodes are: {status_name(status)}"
                ) from exc
            limits.read //= 2
            continue
        except Malformed as exc:
            raise NotConnected(f"{session.peer} sent attributes that can't be read: {exc}") from exc
        if len(answer) != len(chunk):
            raise NotConnected(f"{session.peer} answered {len(answer)} of {len(chunk)} reads")
        yield begin, answer
        begin += len(chunk)
