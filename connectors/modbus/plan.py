"""From a register map to few requests.

A device answers ranges, not tags: a request names a table, a first address and a count, and costs a round
trip whatever its size. So the values of one table are laid side by side by address and covered by as few
ranges as the device allows:

    address   0   2   4   6              30  32                   200      260
    values    ├f32┼f32┤   ├u16┤          ├f32┼f32┤                ├─string─┤
    holes             ····     ·········          ················
                       2           23                  166              max_gap = 24
    requests  └──────────────────────────────────┘                └────────┘
                              0 … 33                                200 … 260

1. A hole is a run of addresses that belong to no value. Where it is wider than `max_gap` nothing is read over
   it: the table falls into clusters that share no request.
2. In a cluster the first value not yet covered must lie in some range; no range that holds it covers more
   than the one that begins exactly there and is as long as allowed. Take every value that lies wholly inside,
   and start again at the first one left. There is no smaller number of requests (the tests compare with a
   search of all of them), and no value is ever cut: one that would cross the end begins the next range.
3. A range ends with its last value: what lies behind it is not asked for.

Values may overlap (sixteen bits of one status word, a 32-bit value and its high word); each lies whole in the
one request that carries it. A value wider than the device's limit gets a request of its own.

A device may refuse a whole range because of one address in it (exception 2), and often the address is in a
hole only we wanted to read. `halve` cuts such a request at its widest hole, or else in the middle, until what
is refused is one value. All of this is arithmetic on addresses: no I/O, and done once per change of the
plant file or refusal.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from config.base import format_duration
from config.connections import ModbusDevice, ModbusTag
from config.connections.modbus_tcp import RegisterTable
from config.problems import Phrase
from connectors import describe
from connectors.describe import array_names

FUNCTION_OF_TABLE: Final[dict[RegisterTable, int]] = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
"""The only function codes this program knows: it can't write (specification 6.1 to 6.4)."""

_ADDRESSES: Final = 65536


@dataclass(frozen=True, slots=True)
class Value:
    """One tag of a device, or one element of an array."""

    name: str
    place: int
    """Its number among the device's values, in the order of the plant file."""
    tag: ModbusTag
    address: int
    end: int
    """First address behind it."""


@dataclass(frozen=True, slots=True)
class Request:
    """One range of one table and the values that are taken from it."""

    table: RegisterTable
    values: tuple[Value, ...]
    """Ordered by address."""
    address: int
    count: int
    """Registers, or bits for coils and discrete inputs."""
    is_from_zero: bool = False
    """The device answers this table only from its first address on."""

    @property
    def function(self) -> int:
        """Return the function code, 1 to 4."""
        return FUNCTION_OF_TABLE[self.table]

    @property
    def payload(self) -> int:
        """Return how many bytes of data a correct reply carries."""
        return (self.count + 7) // 8 if self.table in ("coil", "discrete") else 2 * self.count

    @property
    def used(self) -> int:
        """Return how many of the asked addresses belong to a value of this request."""
        holes = sum(self.values[cut].address - end for cut, end in _holes(self.values))
        return self.count - holes - (self.values[0].address - self.address)


def values_of(device: ModbusDevice) -> list[Value]:
    """Return every value of a device, arrays element by element, in the order of the plant file.

    Raises:
        ValueError: a value lies beyond the last address there is.
    """
    found: list[Value] = []
    for name, tag in device.tags.items():
        width = tag.registers
        if tag.address + width * tag.count > _ADDRESSES:
            raise ValueError(
                f"{name}: {tag.table} {tag.address} + {width} x {tag.count} passes address 65535"
            )
        for i, each in enumerate(array_names(name, tag.count)):
            address = tag.address + i * width
            found.append(Value(each, len(found), tag, address, address + width))
    return found


def plan_requests(device: ModbusDevice, values: Sequence[Value]) -> tuple[Request, ...]:
    """Return the fewest requests that cover every value whole, ordered by table and address."""
    requests: list[Request] = []
    for table in FUNCTION_OF_TABLE:
        limit = device.max_bits if table in ("coil", "discrete") else device.max_registers
        of_table = sorted(
            (value for value in values if value.tag.table == table), key=lambda v: (v.address, v.end)
        )
        is_from_zero = device.bits_from_zero and table in ("coil", "discrete")
        if device.one_request_per_value:
            requests.extend(_request(table, (value,), is_from_zero) for value in of_table)
            continue
        if is_from_zero:
            requests.extend(_request(table, tuple(of_table), is_from_zero) for _ in of_table[:1])
            continue
        for cluster in _clusters(of_table, device.max_gap):
            requests.extend(_request(table, window) for window in _windows(cluster, limit))
    return tuple(requests)


def read_as(unit_id: int, value: Value) -> int:
    """Return a number that changes with where the value lies and how its bytes are read."""
    tag = value.tag
    # What is not written adds nothing: a tag that was known before there was `byte` is the same tag still.
    half = () if tag.byte is None else (tag.byte,)
    return describe.read_as(
        *(unit_id, tag.table, value.address, tag.type, tag.bit, tag.registers),
        *(tag.byte_order, tag.characters, tag.not_available, *half),
    )


def halve(request: Request) -> tuple[Request, ...]:
    """Cut a refused request in two, at its widest hole or else in the middle; one value stays as it is."""
    values = request.values
    if len(values) == 1:
        return (request,)
    middle = len(values) // 2
    cut = middle
    widest = 0
    for place, end in _holes(values):
        hole = values[place].address - end
        if (hole, -abs(place - middle)) > (widest, -abs(cut - middle)):
            cut, widest = place, hole
    return tuple(_request(request.table, part, request.is_from_zero) for part in (values[:cut], values[cut:]))


def apart(requests: Sequence[Request], slots: Sequence[int]) -> list[int]:
    """Return these requests in an order in which as few neighbours as possible could answer for each other.

    The replies of two requests are told apart by function and byte count. The first one stays the first.
    """
    left: dict[tuple[int, int], list[int]] = {}
    for slot in slots:
        left.setdefault((requests[slot].function, requests[slot].payload), []).append(slot)
    order: list[int] = []
    last: tuple[int, int] | None = None
    while left:
        others = [shape for shape in left if shape != last] or list(left)
        last = max(others, key=lambda shape: len(left[shape])) if order else others[0]
        order.append(left[last].pop(0))
        if not left[last]:
            del left[last]
    return order


def describe_plan(name: str, device: ModbusDevice) -> list[Phrase]:
    """Return the plan in words, a line per request: what is asked, how much of it is used."""
    return [line for part in device.by_interval() for line in _described(name, part)]


def _described(name: str, device: ModbusDevice) -> list[Phrase]:
    values = values_of(device)
    requests = plan_requests(device, values)
    facts = {"values": len(values), "requests": len(requests), "gap": device.max_gap}
    limits = {
        "registers": device.max_registers,
        "bits": device.max_bits,
        "scan": format_duration(device.scan),
    }
    lines = [Phrase("plan.modbus_device", {"name": name, "unit": device.unit_id, **facts, **limits})]
    for number, request in enumerate(requests, 1):
        first, last = request.values[0].name, request.values[-1].name
        lines.append(
            Phrase(
                "plan.modbus_request",
                {
                    "number": f"{number:>3}",
                    "where": f"FC{request.function} {request.table:<8} {request.address:>5}"
                    f" … {request.address + request.count - 1:<5}",
                    "asked": f"{request.count:>4}",
                    "used": f"{request.used:>4}",
                    "unused": f"{request.count - request.used:>3}",
                    "tags": first if first == last else f"{first} … {last}",
                },
            )
        )
    return lines


def _clusters(values: list[Value], max_gap: int) -> Iterator[list[Value]]:
    start, end = 0, values[0].end if values else 0
    for i, value in enumerate(values):
        if value.address - end > max_gap:
            yield values[start:i]
            start = i
        end = max(end, value.end)
    if values:
        yield values[start:]


def _windows(pending: list[Value], limit: int) -> Iterator[tuple[Value, ...]]:
    at = 0
    while at < len(pending):
        first = pending[at]
        end = max(first.address + limit, first.end)
        taken: list[Value] = []
        left: list[Value] = []  # begins inside, ends outside: only where values overlap or at the border
        stop = at
        while stop < len(pending) and pending[stop].address < end:
            value = pending[stop]
            (taken if value.end <= end else left).append(value)
            stop += 1
        yield tuple(taken)
        at = stop - len(left)
        pending[at:stop] = left


def _request(table: RegisterTable, values: tuple[Value, ...], is_from_zero: bool = False) -> Request:
    address = 0 if is_from_zero else values[0].address
    return Request(table, values, address, max(value.end for value in values) - address, is_from_zero)


def _holes(values: Sequence[Value]) -> Iterator[tuple[int, int]]:
    """Yield (i, end) where values[i] begins behind the end of all before it."""
    end = values[0].end
    for i, value in enumerate(values):
        if value.address > end:
            yield i, end
        end = max(end, value.end)
