"""The recording subscriber beside a sink."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from tests.servers.broker import Broker


@contextlib.asynccontextmanager
async def listening(broker: Broker, out: Path) -> AsyncIterator[Path]:
    """Run the recording subscriber; enter once it is subscribed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.verify.subscriber", "--port", str(broker.port), "--out", str(out),
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            assert await process.stdout.readline() == b"subscribed\n"
        yield out
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()
