"""What a line of meters is made over: a port of this machine, or a serial server; how busy it will be."""

from collections.abc import Iterable

from config.connections.meter_line import MeterLine
from connectors.line.framing import Framing
from connectors.line.meter import Meter
from connectors.line.serial import SHORTEST_GAP_NS, SerialPort, pace_of
from connectors.line.serial_line import Manner, Pace, SerialLine
from connectors.line.source import Line
from connectors.line.tcp import TcpLine


def line_of(options: MeterLine, framing: Framing) -> Line:
    """Return what the source's line is made over; what is learned of the meters outlives sessions."""
    if options.port is not None:
        return SerialPort(options.port, options, framing)
    pace = Pace(0, SHORTEST_GAP_NS, options.pause, max(options.quiet, options.timeout))
    manners: dict[bytes, Manner] = {}
    return TcpLine(
        options.host or "",
        options.tcp_port or 0,
        options.timeout,
        lambda clock, statistics: SerialLine(framing, pace, manners, clock, statistics, echo=options.echo),
    )


def load_of(options: MeterLine, framing: Framing, meters: Iterable[Meter], delay: int | None) -> float:
    """Return the share of its time the line needs for its scans; behind a server its bytes cost nothing."""
    pace, load = pace_of(options), 0.0
    character = pace.character if options.port is not None else 0
    for meter in meters:
        waits = meter.options.reply if delay is None else delay
        for asking, length in zip(meter.poll.asking, meter.poll.lengths, strict=True):
            characters = len(framing.enclose(asking)) + framing.size(length)
            load += (characters * character + pace.gap + pace.pause + waits) / meter.options.scan
    return load
