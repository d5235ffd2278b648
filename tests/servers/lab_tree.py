"""The OPC UA lab server's address space, as prepared references: lines, machines, and the items below them.

    Objects ─ Plant ─ Line0 ─ M0 ─ Temperature, Pressure …   items 0 … 9
                            └ M1 ─ …                         items 10 … 19
                    └ Line1 ─ …

Every machine also organizes the Plant itself, so that who follows references goes in circles, and the first
item of each has a property. Continuation points are few and can be made to expire.
"""

import struct
from collections.abc import Iterator

NAMES = (
    "Temperature",
    "Pressure",
    "Speed",
    "Torque",
    "Current",
    "Voltage",
    "Power",
    "Energy",
    "State",
    "Count",
)
PER_LINE = 100
OBJECTS = b"\x00\x55"
PLANT = b"\x03\x01\x00" + struct.pack("<i", 5) + b"Plant"
_HEAD = b"\x01\x00"
_OBJECT, _VARIABLE = 1, 2
_ORGANIZES, _COMPONENT, _PROPERTY = 35, 47, 46
_NO_CONTINUATION, _INVALID_CONTINUATION = 0x804B0000, 0x804A0000
_TOO_MANY = 0x80100000


def _named(text: str) -> bytes:
    return b"\x03\x01\x00" + struct.pack("<i", len(text)) + text.encode()


def item(number: int) -> bytes:
    """Return the NodeId of an item."""
    return struct.pack("<BHI", 2, 1, number)


def path(number: int) -> str:
    """Return an item's browse path from the Objects folder on."""
    machine, name = divmod(number, len(NAMES))
    line, machine = divmod(machine, PER_LINE)
    return f"Plant/Line{line}/M{machine}/{NAMES[name]}"


def _reference(kind: int, node: bytes, name: str, node_class: int) -> bytes:
    text = name.encode()
    return (
        bytes((0, kind, 1)) + node + struct.pack("<Hi", 1, len(text)) + text
        + b"\x02" + struct.pack("<i", len(text)) + text + struct.pack("<I", node_class) + b"\x00\x3f"
    )  # fmt: skip


class Tree:
    """The references of a server of so many items."""

    def __init__(self, items: int, points: int = 1_000_000, limit: int = 1_000) -> None:
        self.items, self.points, self.limit = items, points, limit
        self.open: dict[bytes, tuple[bytes, int]] = {}
        self.expire_every = 0
        self.asked = self.most_open = 0
        self._made = 0

    def children(self, node: bytes) -> Iterator[bytes]:
        machines = -(-self.items // len(NAMES))
        if node == OBJECTS:
            yield _reference(_ORGANIZES, PLANT, "Plant", _OBJECT)
        elif node == PLANT:
            for line in range(-(-machines // PER_LINE)):
                yield _reference(_COMPONENT, _named(f"L{line}"), f"Line{line}", _OBJECT)
        elif node[:3] == b"\x03\x01\x00" and node[7:8] == b"L":
            line, _, machine = node[8:].decode().partition(".")
            if machine:
                yield from self._machine(int(line), int(machine))
            else:
                for each in range(int(line) * PER_LINE, min(machines, (int(line) + 1) * PER_LINE)):
                    number = each % PER_LINE
                    yield _reference(_COMPONENT, _named(f"L{line}.{number}"), f"M{number}", _OBJECT)
        elif node[:1] == b"\x02" and struct.unpack_from("<I", node, 3)[0] % len(NAMES) == 0:
            yield _reference(_PROPERTY, _named("range"), "EURange", _VARIABLE)

    def _machine(self, line: int, machine: int) -> Iterator[bytes]:
        first = (line * PER_LINE + machine) * len(NAMES)
        for number in range(first, min(self.items, first + len(NAMES))):
            yield _reference(_COMPONENT, item(number), NAMES[number - first], _VARIABLE)
        yield _reference(_ORGANIZES, PLANT, "Plant", _OBJECT)

    def browse(self, body: bytes, at: int) -> bytes:
        """Answer the parameters of a BrowseRequest that begin at `at`."""
        at = _node_end(body, at) + 12  # the view's id, timestamp and version
        most, count = struct.unpack_from("<Ii", body, at)
        at += 8
        results = []
        if count > self.limit:
            return b""
        for _ in range(count):
            end = _node_end(body, at)
            results.append(self._page(body[at:end], 0, most))
            at = end + 4
            at = _node_end(body, at) + 1 + 4 + 4
        return struct.pack("<i", len(results)) + b"".join(results)

    def browse_next(self, body: bytes, at: int) -> bytes:
        """Answer the parameters of a BrowseNextRequest."""
        release, count = struct.unpack_from("<?i", body, at)
        at += 5
        results = []
        for _ in range(count):
            (length,) = struct.unpack_from("<i", body, at)
            point, at = body[at + 4 : at + 4 + length], at + 4 + length
            node, begin = self.open.pop(point, (b"", -1))
            if begin < 0:
                results.append(struct.pack("<Iii", _INVALID_CONTINUATION, -1, 0))
            elif release:
                results.append(struct.pack("<Iii", 0, -1, 0))
            else:
                results.append(self._page(node, begin, self._most))
        return struct.pack("<i", len(results)) + b"".join(results)

    def _page(self, node: bytes, begin: int, most: int) -> bytes:
        self.asked += 1
        self._most = most
        every = list(self.children(node))[begin:]
        page = every[:most] if most else every
        point = b""
        if len(page) < len(every):
            if len(self.open) >= self.points:
                return struct.pack("<Iii", _NO_CONTINUATION, -1, 0)
            self._made += 1
            point = struct.pack("<Q", self._made)
            if not self.expire_every or self._made % self.expire_every:
                self.open[point] = (node, begin + len(page))
            self.most_open = max(self.most_open, len(self.open))
        head = struct.pack("<I", 0) + (struct.pack("<i", len(point)) + point if point else b"\xff" * 4)
        return head + struct.pack("<i", len(page)) + b"".join(page)


def _node_end(body: bytes, at: int) -> int:
    form = body[at]
    if form == 3:
        return at + 7 + struct.unpack_from("<i", body, at + 3)[0]
    return at + {0: 2, 1: 4, 2: 7}[form]


def response(identifier: int, handle: int, parameters: bytes) -> bytes:
    """Return a response of a type with these parameters; none is a fault: too many operations."""
    identifier, result = (identifier, 0) if parameters else (397, _TOO_MANY)
    head = _HEAD + struct.pack("<HqII", identifier, 0, handle, result) + b"\x00" + b"\xff" * 4 + b"\x00" * 3
    return head + (parameters + b"\xff" * 4 if parameters else b"")
