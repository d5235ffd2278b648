"""One Modbus tag: do type, table, bit, length, order and address fit together?"""

from collections.abc import Iterator
from typing import Final

from config.connections import ModbusTag
from config.problems import Problem, quote
from config.reading.document import Document, Path

ADDRESSES: Final = 65536
BCD_REGISTERS: Final = 4
"""16 digits: more don't fit 64 bits."""
NAMED_ORDERS: Final = ("ABCD", "CDAB", "BADC", "DCBA")
_TOTALS: Final = (
    "energy",
    "reactive energy",
    "apparent energy",
    "volume",
    "normal gas volume",
    "standard gas volume",
)
"""Quantities that are counted up nearly always."""
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def check_registers(tag: ModbusTag, document: Document, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with the tag's place and form in the register map."""
    yield from _check_bit(tag, document, path)
    yield from _check_small_types(tag, document, path)
    yield from _check_length(tag, document, path)
    end = tag.address + tag.registers * tag.count
    if end > ADDRESSES:
        yield document.problem("E-CF-0502", (*path, "address"), last=end - 1, most=ADDRESSES - 1)
    width = 2 * tag.registers
    is_spelled_out = sorted(tag.order) == list(_ALPHABET[:width])
    if not tag.is_bits and tag.order not in NAMED_ORDERS and not is_spelled_out:
        yield document.problem("E-CF-0504", (*path, "order"), order=quote(tag.order), letters=_letters(width))
    if tag.characters != "both" and (tag.type != "string" or tag.is_bits):
        yield document.problem("E-CF-1606", (*path, "characters"), at_key=True)
    if tag.not_available is not None:
        if tag.type in ("bool", "string"):
            yield document.problem("E-CF-0513", (*path, "not_available"), at_key=True, type=tag.type)
        elif not 0 <= tag.not_available < 2**tag.bits:
            most = f"0x{2**tag.bits - 1:X}"
            yield document.problem("E-CF-0512", (*path, "not_available"), bits=tag.bits, most=most)
    if _may_be_torn(tag):
        unit, registers = tag.unit.symbol, tag.registers
        yield document.problem("W-CF-0527", (*path, "type"), type=tag.type, registers=registers, unit=unit)


def _may_be_torn(tag: ModbusTag) -> bool:
    """Tell whether it seems to be a running total that nobody asks for again when its words don't agree."""
    is_whole = tag.type.startswith(("int", "uint", "bcd")) and not tag.is_bits
    return is_whole and tag.registers > 1 and not tag.counter and tag.unit.quantity in _TOTALS


def _check_bit(tag: ModbusTag, document: Document, path: Path) -> Iterator[Problem]:
    if tag.is_bits:
        if tag.type != "bool":
            at_type = "type" in tag.model_fields_set
            yield document.problem(
                "E-CF-0511", (*path, "type") if at_type else path, at_key=not at_type, table=tag.table
            )
        if tag.bit is not None:
            yield document.problem("E-CF-0507", (*path, "bit"), at_key=True, table=tag.table)
    elif tag.type == "bool" and tag.bit is None:
        yield document.problem("E-CF-0505", (*path, "type"), table=tag.table)
    elif tag.type != "bool" and tag.bit is not None:
        yield document.problem("E-CF-0506", (*path, "bit"), at_key=True, type=tag.type)


def _check_small_types(tag: ModbusTag, document: Document, path: Path) -> Iterator[Problem]:
    is_half = tag.type in ("int8", "uint8") and not tag.is_bits
    if is_half and tag.byte is None:
        yield document.problem("E-CF-1607", (*path, "type"), type=tag.type)
    elif not is_half and tag.byte is not None:
        yield document.problem("E-CF-1608", (*path, "byte"), at_key=True)
    if tag.type == "float16" and tag.counter:
        yield document.problem("E-CF-1609", (*path, "counter"), at_key=True)


def _check_length(tag: ModbusTag, document: Document, path: Path) -> Iterator[Problem]:
    needs_length = tag.type in ("string", "bcd") and not tag.is_bits
    if needs_length and tag.length is None:
        yield document.problem("E-CF-0508", (*path, "type"), type=tag.type)
    elif not needs_length and tag.length is not None:
        yield document.problem("E-CF-0509", (*path, "length"), at_key=True, type=tag.type)
    elif tag.type == "bcd" and tag.length is not None and tag.length > BCD_REGISTERS:
        yield document.problem("E-CF-0510", (*path, "length"), most=BCD_REGISTERS)


def _letters(width: int) -> str:
    return _ALPHABET[:width] if width <= len(_ALPHABET) else NAMED_ORDERS[0]
