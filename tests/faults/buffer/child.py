"""A gateway's buffer in a process of its own, to be killed: prints what was accepted and what it is acking.

`child.py DIRECTORY FIRST SEGMENT_BYTES [slow]`: appends batches FIRST, FIRST+1, … for ever; one line each:
`offered <k> <ns>` before it is appended, `accepted <k> <seq> <ns>` after the receipt, `acking <seq>` before
the ack, <ns> being on the monotonic clock. A sink named `slow`, where asked for, takes nothing. SIGTERM lets
it close its store and end.
"""

import asyncio
import contextlib
import signal
import sys
import time
from pathlib import Path

from connectors import Order
from gateway.buffer import Cursor, StoreFailed
from tests.faults.buffer.lab import batch_of, opened


async def main(directory: Path, first: int, segment_bytes: int, *, slow: bool) -> None:
    me = asyncio.current_task()
    assert me is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    async with opened(directory, segment_bytes=segment_bytes) as buffer:
        cursor = buffer.cursor("sink", Order.LIVE_FIRST)
        if slow:
            buffer.cursor("slow", Order.STRICT)
        buffer.ready()
        print("open", flush=True)
        async with asyncio.TaskGroup() as group:
            group.create_task(take(cursor))
            k = first
            while True:
                now = time.monotonic_ns()
                print(*(f"offered {n} {now}" for n in range(k, k + 3)), sep="\n", flush=True)
                receipts = [(n, await buffer.append("src", batch_of(n))) for n in range(k, k + 3)]
                k += 3
                for n, receipt in receipts:
                    try:
                        print("accepted", n, await receipt, time.monotonic_ns(), flush=True)
                    except StoreFailed:
                        print("failed", n, flush=True)


async def take(cursor: Cursor) -> None:
    while True:
        deliveries = await cursor.next(500)
        print("acking", deliveries[-1].seq, flush=True)
        await cursor.ack()


if __name__ == "__main__":
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), slow="slow" in sys.argv[4:]))
