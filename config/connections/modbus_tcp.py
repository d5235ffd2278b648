"""Modbus TCP: one TCP connection, the devices behind it, their registers."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import Field, WithJsonSchema, model_validator

from config.base import DeviceName, Duration, Host, Model, Name, Number
from config.connections.asked import AskedDevice
from config.tags import TagOptions

RegisterTable = Literal["holding", "input", "coil", "discrete"]
WireType = Literal[
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
    "float16", "float32", "float64", "bcd", "string",
]  # fmt: skip
BITS_OF_TYPE: Final = {
    "bool": 16, "int8": 8, "uint8": 8, "int16": 16, "uint16": 16, "int32": 32, "uint32": 32, "int64": 64,
    "uint64": 64, "float16": 16, "float32": 32, "float64": 64,
}  # fmt: skip
"""How much of the registers is the value's; of bcd and string `length` tells."""

_TABLE_OF_DIGIT: Final = {"1": "discrete", "3": "input", "4": "holding"}
_TRADE_ADDRESS: Final = re.compile(r"([134])[xX]([0-9]{1,5})")


_AS_NUMBER_OR_TRADE_ADDRESS: Final = WithJsonSchema(
    {
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": 65535},
            {"type": "string", "pattern": f"^{_TRADE_ADDRESS.pattern}$"},
        ]
    }
)


class ModbusTag(TagOptions):
    """One value in a device's register map."""

    table: RegisterTable = "holding"
    """Which of the four Modbus tables; function code 3, 4, 1 or 2."""
    address: Annotated[int, Field(ge=0, le=65535), _AS_NUMBER_OR_TRADE_ADDRESS]
    """Zero-based PDU address. The trade's one-based ``4x00001`` (3x, 1x) is understood too and names the
    table; ``0x…`` is a hexadecimal number as everywhere in YAML, so coils are named by `table`."""
    type: WireType = "uint16"
    bit: Annotated[int, Field(ge=0, le=15)] | None = None
    """For type bool in a register: which bit, 0 is the least significant."""
    byte: Literal["high", "low"] | None = None
    """For types int8 and uint8: which half of the register; `high` is the one sent first, in order AB."""
    length: Annotated[int, Field(ge=1, le=125)] | None = None
    """Registers taken by a string (2 characters each) or a bcd number (4 digits each)."""
    order: str = "ABCD"
    """Byte order as sent, A the most significant: ABCD, CDAB, BADC, DCBA for any width, or every letter
    spelled out, e.g. BA, CDAB, GHEFCDAB."""
    not_available: int | None = None
    """The raw pattern by which this device says it has no value, as an unsigned number."""
    characters: Literal["both", "high", "low"] = "both"
    """For strings of devices that put one character in each register: in its high byte, or its low one."""
    count: Annotated[int, Field(ge=1, le=65536)] = 1
    """An array: this many values one behind the other, named name_0, name_1 …"""
    scan: Annotated[Duration, Field(ge=10_000_000)] | None = None
    """How often this value is read; as often as the device when absent. Values of one interval are asked for
    together, and on a line that can't do all of it the shorter interval goes first."""

    @model_validator(mode="before")
    @classmethod
    def _trade_address(cls, data: Any) -> Any:
        address = data.get("address") if isinstance(data, dict) else None
        match = _TRADE_ADDRESS.fullmatch(address) if isinstance(address, str) else None
        if match is None:
            return data
        table, number = _TABLE_OF_DIGIT[match[1]], int(match[2])
        if not 1 <= number <= 65536 or data.get("table", table) != table:
            return data  # the address stays text, which is refused where it stands
        return {**data, "table": table, "address": number - 1}

    @property
    def is_bits(self) -> bool:
        """Tell whether the tag lives in a table of single bits."""
        return self.table in ("coil", "discrete")

    @property
    def registers(self) -> int:
        """Return how many registers (or coils) one value takes."""
        if self.is_bits:
            return 1
        return self.length or (BITS_OF_TYPE.get(self.type, 16) + 15) // 16

    @property
    def bits(self) -> int:
        """Return how many bits of its registers are the value's."""
        return 16 * self.length if self.length else BITS_OF_TYPE.get(self.type, 16)

    @property
    def byte_order(self) -> str:
        """Return the order with a letter per byte, e.g. CDAB of a 64-bit value is GHEFCDAB.

        A long string has more bytes than the alphabet letters: the characters behind Z go on counting.
        """
        width = 2 * self.registers
        if len(self.order) == width:
            return self.order
        letters = "".join(chr(ord("A") + i) for i in range(width))  # a string may be longer than the alphabet
        words = [letters[i : i + 2] for i in range(0, width, 2)]
        if self.order in ("CDAB", "DCBA"):
            words.reverse()
        if self.order in ("BADC", "DCBA"):
            words = [word[::-1] for word in words]
        return "".join(words)


class ModbusDevice(AskedDevice):
    """One unit id on the connection."""

    unit_id: Annotated[int, Field(ge=0, le=255)] = 1
    """The device's address on its line; of a range of devices, the first one's."""
    template: str | None = None
    """Name of a device template, e.g. ``eastron/sdm630``; tags given here are added or replace its own."""
    ct: Annotated[Number, Field(ge=1)] | None = None
    """Ratio of the current transformers, 200 A / 5 A is 40. For a template whose values are secondary: its
    currents, powers and energies are multiplied by it; 1 says that there is no transformer."""
    pt: Annotated[Number, Field(ge=1)] | None = None
    """Ratio of the voltage transformers, applied likewise to voltages, powers and energies."""
    scan: Annotated[Duration, Field(ge=10_000_000)] = 1_000_000_000
    """Scan interval; scans fall on whole multiples of it."""
    timeout: Annotated[Duration, Field(ge=1_000_000)] | None = None
    """Longest wait for one reply; the connection's own when absent."""
    max_registers: Annotated[int, Field(ge=1, le=125)] = 125
    """Most registers the device answers in one request."""
    max_bits: Annotated[int, Field(ge=1, le=2000)] = 2000
    """Most coils or discrete inputs the device answers in one request."""
    max_gap: Annotated[int, Field(ge=0, le=124)] = 16
    """Read over a hole of up to this many unused registers than ask twice; 0 asks for named ones only."""
    max_in_flight: Annotated[int, Field(ge=1, le=64)] = 1
    """Requests outstanding at once; more than 1 only for devices known to accept it."""
    bits_from_zero: bool = False
    """For devices that answer coils and discrete inputs only when they are asked for from address 0 on."""
    one_request_per_value: bool = False
    """For devices that refuse or spoil a request for more than one of their values."""
    tags: dict[Name, ModbusTag] = Field(default_factory=dict)

    def by_interval(self) -> "list[ModbusDevice]":
        """Return it once for each interval its values are read at, with these values, the shortest first."""
        intervals: dict[int, dict[str, ModbusTag]] = {}
        for name, tag in self.tags.items():
            intervals.setdefault(tag.scan or self.scan, {})[name] = tag
        return [
            self.model_copy(update={"scan": scan, "tags": tags}) for scan, tags in sorted(intervals.items())
        ] or [self]


class ModbusTcpSource(Model):
    """A Modbus TCP connection."""

    kind: Literal["modbus_tcp"]
    host: Host
    port: Annotated[int, Field(ge=1, le=65535)] = 502
    backup_host: Host | None = None
    """A second address of the same devices, tried when the first can't be reached; lost, the first comes
    first again."""
    backup_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Of the second address; the first one's when absent."""
    framing: Literal["tcp", "rtu", "ascii"] = "tcp"
    """rtu, ascii: a serial server that hands on what comes on its line as it is (RTU over TCP)."""
    timeout: Annotated[Duration, Field(ge=1_000_000)] = 1_000_000_000
    """Longest wait for the connection, and for one reply."""
    pause: Annotated[Duration, Field(le=10_000_000_000)] = 0
    """Silence between a reply and the next request; with rtu, ascii beside the 3.5 characters there are."""
    pause_after_connect: Annotated[Duration, Field(le=60_000_000_000)] = 0
    """Silence after the connection, for devices that do not hear what is asked at once."""
    hang_up: bool = False
    """End the connection after every scan: for devices that take only one and are asked by others too."""
    quiet: Annotated[Duration, Field(ge=1_000_000, le=60_000_000_000)] = 500_000_000
    """With rtu, ascii: least silence after a reply that did not come; see `modbus_serial`."""
    devices: Annotated[dict[DeviceName, ModbusDevice], Field(min_length=1)]
    """By name. ``meter_{1..100}`` stands for a hundred devices alike (``{001..100}`` pads with zeros): the
    first has the `unit_id` that is written, each further one the next."""
