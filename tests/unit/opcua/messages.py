"""Encodes OPC UA messages by the specification alone, value by value, and generates them for properties."""

from dataclasses import dataclass
from struct import pack

from hypothesis import strategies as st

NULL = pack("<i", -1)
NO_EXTENSION = b"\0\0\0"
FORMAT = {
    1: "?",
    2: "b",
    3: "B",
    4: "h",
    5: "H",
    6: "i",
    7: "I",
    8: "q",
    9: "Q",
    10: "f",
    11: "d",
    13: "q",
    19: "I",
}
STATUS, SOURCE, SERVER, SOURCE_PICO, SERVER_PICO = 2, 4, 8, 16, 32


@dataclass(frozen=True)
class Item:
    """One monitored item of a message, as it is to be encoded."""

    handle: int
    variant: bytes | None
    status: int | None = None
    source: int | None = None
    server: int | None = None
    source_pico: int | None = None
    server_pico: int | None = None

    def data_value(self) -> bytes:
        fields = (self.variant, self.status, self.source, self.server, self.source_pico, self.server_pico)
        mask = sum(1 << bit for bit, field in enumerate(fields) if field is not None)
        body = bytes((mask,)) + (self.variant or b"")
        ordered = (
            ("<I", self.status), ("<q", self.source), ("<H", self.source_pico), ("<q", self.server),
            ("<H", self.server_pico),
        )  # fmt: skip
        return body + b"".join(pack(form, field) for form, field in ordered if field is not None)


def scalar(kind: int, value: object = None) -> bytes:
    return bytes((kind,)) + (pack("<" + FORMAT[kind], value) if kind in FORMAT else b"")


def string(content: bytes | None) -> bytes:
    return NULL if content is None else pack("<i", len(content)) + content


def array(elements: list[bytes] | None) -> bytes:
    return NULL if elements is None else pack("<i", len(elements)) + b"".join(elements)


def header(type_id: int, result: int = 0, diagnostics: bytes = b"\0", strings: bytes = NULL) -> bytes:
    return b"\x01\0" + pack("<H", type_id) + pack("<qII", 1, 2, result) + diagnostics + strings + NO_EXTENSION


def notification(type_id: int, body: bytes) -> bytes:
    return b"\x01\0" + pack("<H", type_id) + b"\x01" + string(body)


def data_change(items: list[Item], diagnostics: bytes = NULL) -> bytes:
    return notification(811, array([pack("<I", i.handle) + i.data_value() for i in items]) + diagnostics)


def publish(
    notifications: list[bytes] | None, head: bytes | None = None, diagnostics: bytes = NULL, time: int = 1
) -> bytes:
    return (
        (header(829) if head is None else head)
        + pack("<I", 7) + array([pack("<I", n) for n in (8, 9)]) + b"\x01" + pack("<Iq", 9, time)
        + array(notifications) + array([pack("<I", 0)]) + diagnostics
    )  # fmt: skip


def read(items: list[Item], head: bytes | None = None, diagnostics: bytes = NULL) -> bytes:
    return (header(634) if head is None else head) + array([i.data_value() for i in items]) + diagnostics


def _ranges(kind: int) -> st.SearchStrategy[object]:
    form = FORMAT[kind]
    if form == "?":
        return st.booleans()
    if form in "fd":
        width = 4 if form == "f" else 8
        return st.floats(width=8 * width)
    bits = 8 * len(pack("<" + form, 0))
    return (
        st.integers(0, 2**bits - 1)
        if form.isupper()
        else st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    )


contents = st.none() | st.text(max_size=30).map(str.encode)
octets = st.none() | st.binary(max_size=20)
names = st.text(max_size=30).map(str.encode)
node_ids = st.one_of(
    st.integers(0, 255).map(lambda i: bytes((0, i))),
    st.tuples(st.integers(0, 255), st.integers(0, 65535)).map(lambda t: pack("<BBH", 1, *t)),
    st.tuples(st.integers(0, 65535), st.integers(0, 2**32 - 1)).map(lambda t: pack("<BHI", 2, *t)),
    st.tuples(st.integers(0, 65535), names).map(lambda t: pack("<BH", 3, t[0]) + string(t[1])),
    st.tuples(st.integers(0, 65535), st.binary(min_size=16, max_size=16)).map(
        lambda t: pack("<BH", 4, t[0]) + t[1]
    ),
    st.tuples(st.integers(0, 65535), st.binary(max_size=20)).map(
        lambda t: pack("<BH", 5, t[0]) + string(t[1])
    ),
)
expanded_ids = node_ids | st.tuples(node_ids, contents, st.integers(0, 2**32 - 1)).map(
    lambda t: bytes((t[0][0] | 0xC0,)) + t[0][1:] + string(t[1]) + pack("<I", t[2])
)
localized = st.tuples(st.integers(0, 3), contents, contents).map(
    lambda t: bytes((t[0],)) + (string(t[1]) if t[0] & 1 else b"") + (string(t[2]) if t[0] & 2 else b"")
)
extensions = st.one_of(
    st.just(NO_EXTENSION),
    st.binary(max_size=20).map(lambda b: pack("<BHI", 2, 77, 88) + b"\x01" + string(b)),
    st.just(pack("<BHI", 2, 77, 88) + b"\0"),
)


@st.composite
def diagnostics(draw: st.DrawFn, inner: bool = True) -> bytes:
    """Return a DiagnosticInfo; asyncua takes an inner one for an ExtensionObject."""
    mask = draw(st.integers(0, 0x7F if inner else 0x3F))
    body = bytes((mask,)) + b"".join(pack("<i", 5) for bit in (1, 2, 4, 8) if mask & bit)
    body += string(draw(contents)) if mask & 0x10 else b""
    body += pack("<I", 6) if mask & 0x20 else b""
    return body + (draw(diagnostics()) if mask & 0x40 else b"")


usual_ticks = st.integers(133_000_000_000_000_000, 134_000_000_000_000_000)
# Below ten ticks a datetime of asyncua's can't be told from none.
ticks = usual_ticks | usual_ticks | st.integers(-(2**63), 0) | st.integers(10, 2**63 - 1) | st.just(2**63 - 1)

PLAIN = {
    kind: _ranges(kind).map(lambda value, form=form: pack("<" + form, value)) for kind, form in FORMAT.items()
}
ELEMENTS: dict[int, st.SearchStrategy[bytes]] = PLAIN | {
    13: ticks.map(lambda t: pack("<q", t)),
    12: contents.map(string), 14: st.binary(min_size=16, max_size=16), 15: octets.map(string),
    16: contents.map(string), 17: node_ids, 18: expanded_ids,
    20: contents.map(lambda c: b"\x02\0" + string(c)), 21: localized, 22: extensions,
    25: diagnostics(inner=False),
}  # fmt: skip
scalars = st.one_of(
    st.just(b"\0"),
    *(element.map(lambda b, kind=kind: bytes((kind,)) + b) for kind, element in ELEMENTS.items()),
)


@st.composite
def arrays(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from(sorted(ELEMENTS)))
    elements = draw(st.none() | st.lists(ELEMENTS[kind], max_size=4))
    dimensions = elements is not None and len(elements) == 4 and draw(st.booleans())
    shape = array([pack("<i", 2), pack("<i", 2)]) if dimensions else b""
    return bytes((kind | 0x80 | 0x40 * dimensions,)) + array(elements) + shape


def items(variants: st.SearchStrategy[bytes], picoseconds: bool = True) -> st.SearchStrategy[Item]:
    pico = st.none() | st.integers(0, 65535) if picoseconds else st.none()
    return st.builds(
        Item,
        handle=st.integers(0, 2**32 - 1),
        variant=st.none() | variants | variants | variants,
        status=st.none() | st.integers(0, 2**32 - 1) | st.sampled_from([0, 0x80310000]),
        source=st.none() | ticks,
        server=st.none() | ticks,
        source_pico=pico,
        server_pico=pico,
    )


@st.composite
def nested(draw: st.DrawFn) -> bytes:
    """Return Variants and DataValues inside a Variant, alone and in arrays."""
    inner = draw(scalars | arrays())
    value = bytes((23,)) + Item(0, inner, 1, 2).data_value()
    return draw(st.sampled_from([value, bytes((24 | 0x80,)) + array([value, inner])]))


every_variant = st.one_of(scalars, scalars, scalars, arrays(), nested())


class Spread(list[Item]):
    """Items in runs of like ones, shown as they were drawn."""

    def __init__(self, runs: list[tuple[Item, int]]) -> None:
        super().__init__(item for item, times in runs for _ in range(times))
        self.runs = runs

    def __repr__(self) -> str:
        return f"Spread({self.runs})"


def item_lists(picoseconds: bool = True) -> st.SearchStrategy[Spread]:
    """Return items in runs of like ones between single ones of every type."""
    counts = st.sampled_from([1, 1, 1, 2, 9, 30, 90])
    return st.lists(st.tuples(items(every_variant, picoseconds), counts), max_size=9).map(Spread)
