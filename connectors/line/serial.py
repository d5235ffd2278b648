"""A serial port of this machine: opened, set, and given to an exchange."""

import asyncio
import errno
import os
import threading
from typing import Any, Final

import serial
from pymodbus.transport.serialtransport import SerialTransport

from config.connections.serial_terms import SerialTerms
from connectors.clock import Clock
from connectors.errors import NotConnected
from connectors.line.exchange import Exchange
from connectors.line.framing import Framing
from connectors.line.serial_line import Manner, Pace, SerialLine
from connectors.line.statistics import Statistics
from connectors.post import post

try:
    import termios
except ImportError:  # Windows
    _REFUSED: type[Exception] = OSError
else:
    _REFUSED = termios.error

SHORTEST_GAP_NS: Final = 1_750_000
"""Above 19200 baud the gap is this, whatever the character takes (Modbus over Serial Line 2.5.1.1)."""
_FASTEST_BY_CHARACTERS: Final = 19_200
_PARITY: Final = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}


def pace_of(options: SerialTerms) -> Pace:
    """Return the times of a line from how its port is set."""
    character = options.character_bits * 1_000_000_000 // options.baud
    gap = character * 7 // 2 if options.baud <= _FASTEST_BY_CHARACTERS else SHORTEST_GAP_NS
    return Pace(character, gap, options.pause, max(options.quiet, options.timeout))


class SerialPort:
    """A port of this machine; one owner, who keeps what was learned of the devices over its sessions."""

    def __init__(self, port: str, options: SerialTerms, framing: Framing) -> None:
        self.peer = port
        self._options = options
        self._framing = framing
        self._manners: dict[bytes, Manner] = {}
        self._opening: asyncio.Future[_Port] | None = None

    async def connect(self, clock: Clock, statistics: Statistics) -> Exchange:
        """Return the exchange over the opened port, or raise NotConnected; never longer than the timeout."""
        options = self._options
        line = SerialLine(
            self._framing,
            pace_of(options),
            self._manners,
            clock,
            statistics,
            echo=options.echo,
        )
        exchange = Exchange(self.peer, clock, line)
        timeout_s = max(options.timeout / 1e9, 1.0)
        if self._opening is not None and not self._opening.done():
            raise NotConnected(f"{self.peer} is still being opened: its driver hangs")
        opening = self._opening = _open(asyncio.get_running_loop(), exchange, self.peer, options)
        try:
            async with asyncio.timeout(timeout_s):
                port = await asyncio.shield(opening)
        except TimeoutError as exc:
            opening.add_done_callback(_close)
            raise NotConnected(f"{self.peer} did not open in {timeout_s:g} s") from exc
        except asyncio.CancelledError:
            opening.add_done_callback(_close)
            raise
        except (serial.SerialException, OSError, ValueError, _REFUSED) as exc:
            raise NotConnected(f"{self.peer} can't be opened: {_why(exc)}") from exc
        exchange.connection_made(port)
        port.setup()
        return exchange


def _why(exc: Exception) -> str:
    """Return what the system says, without the name of the port and what pyserial puts around it."""
    if isinstance(exc, OSError) and exc.errno == errno.EAGAIN:
        return "another program has it open"
    if isinstance(exc, OSError) and exc.errno:
        return os.strerror(exc.errno)
    if isinstance(exc, _REFUSED) or isinstance(exc.__context__, _REFUSED):
        return "it is not a serial port, or can't be set so"
    return str(exc)


class _Port(SerialTransport):
    """pymodbus's transport, which tells its protocol that it is closed and never waits for what is unsent."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, exchange: Exchange, port: str, options: SerialTerms
    ) -> None:
        super().__init__(
            loop,
            exchange,
            port,
            options.baud,
            options.data_bits,
            _PARITY[options.parity],
            options.stop_bits,
            0,
        )

    async def polling_task(self) -> None:
        """Read where the system can't tell when to (Windows), until the port is gone."""
        try:
            await super().polling_task()  # type: ignore[no-untyped-call]
        except serial.SerialException as exc:
            self.close(exc=exc)

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Send now, not in a later turn of the loop: a reply is late from when its request left."""
        self.intern_write_buffer.append(bytes(data))
        self.intern_write_ready()

    def abort(self) -> None:
        """Close at once and tell the protocol."""
        port = self.sync_serial
        if port is not None:
            self.close()
            self.async_loop.call_soon(self.intern_protocol.connection_lost, None)


def _open(
    loop: asyncio.AbstractEventLoop, exchange: Exchange, port: str, options: SerialTerms
) -> "asyncio.Future[_Port]":
    """Open the port on a thread: some drivers take seconds, and one that hangs may do so for good.

    A daemon thread of its own: hung threads would fill asyncio's pool, on which the store is read, and hold
    up the program's end.
    """
    opened: asyncio.Future[_Port] = loop.create_future()

    def run() -> None:
        try:
            found: _Port | Exception = _Port(loop, exchange, port, options)
        except Exception as exc:  # noqa: BLE001  it is raised where it is awaited
            found = exc
        post(loop, tell, found)

    def tell(found: _Port | Exception) -> None:
        if isinstance(found, _Port):
            opened.set_result(found)
        else:
            opened.set_exception(found)

    threading.Thread(target=run, name=f"open {port}", daemon=True).start()
    return opened


def _close(opening: "asyncio.Future[Any]") -> None:
    """Close a port that nobody waits for any more."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().sync_serial.close()
