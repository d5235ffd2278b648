"""A secure channel's keys are renewed in time, or its session ends and says why."""

import asyncio
from argparse import Namespace
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors import NotConnected, TagTable
from connectors.opcua import Kept
from tests.faults.opcua.lab import all_of, entered, options, read_until, source
from tests.processes import free_port
from tests.servers import opcua_lab

pytestmark = pytest.mark.server

COUNT = 5
GRANTED = 3


@asynccontextmanager
async def lab_server(**more: Any) -> AsyncIterator[tuple[str, dict[str, int]]]:
    """Serve a few items; yield where, and its counts."""
    counts = {"rows": 0, "messages": 0, "skipped": 0}
    told = Namespace(port=free_port(), items=COUNT, rate=100.0, mix="sorted", per_message=COUNT, points=20)
    told.__dict__.update(more)
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: opcua_lab.Session(told, counts), "127.0.0.1", told.port):
        yield f"opc.tcp://127.0.0.1:{told.port}", counts


@pytest.mark.fault("F5")
@pytest.mark.parametrize(
    ("deaf", "why"),
    [
        (False, "refused the secure channel: BadSecurityChecksFailed"),
        (True, "did not renew the secure channel: TimeoutError"),
    ],
    ids=["refused", "not answered"],
)
async def test_f5_keys_that_are_not_renewed_end_the_session_and_the_next_tells_everything(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_measure: Callable[..., None],
    deaf: bool,
    why: str,
) -> None:
    """Three times it goes well, and nobody notices; then the session says why it ends."""
    tags, kept = TagTable(), Kept()
    nodes = {f"v{i}": f"i={i}" for i in range(COUNT)}
    async with lab_server(renewals=GRANTED, deaf=deaf) as (endpoint, counts):
        where = options(endpoint, nodes, namespace=opcua_lab.URI, keep_alive="2s", timeout="1s")
        with monkeypatch.context() as patched:
            patched.setattr("connectors.opcua.session._RENEW_AFTER", 0.25 / 3600)  # of an hour
            it = await entered(lambda: source(where, tmp_path, tags, kept))
            try:
                with pytest.raises(NotConnected, match=why):
                    await read_until(it, lambda _: False)
                missed, asked = it.statistics()["missed"], counts["renewals"]
            finally:
                await it.__aexit__(None, None, None)
        began = asyncio.get_running_loop().time()
        it = await entered(lambda: source(where, tmp_path, tags, kept))
        try:
            await read_until(it, all_of(COUNT))
            took = asyncio.get_running_loop().time() - began
        finally:
            await it.__aexit__(None, None, None)
    assert asked == GRANTED + 1
    assert missed == 0
    record_measure(
        f"the 4th renewal of the channel's keys {'not answered' if deaf else 'refused'}: "
        f"{COUNT} of {COUNT} tags read by the next session after {took:.1f} s, {missed} missed before it"
    )
