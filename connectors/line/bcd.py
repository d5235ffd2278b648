"""Decimal digits, two a byte, the least significant byte first: how Chinese meters write numbers."""


def number(data: bytes, decimals: int, *, signed: bool = False) -> float | None:
    """Return the number in these bytes; None where they hold anything but digits: there is no value.

    `signed`: the top bit of the last byte is the sign. Two exact whole numbers are divided, so the result is
    the float64 nearest to what the meter shows.
    """
    is_negative = signed and bool(data) and data[-1] >= 0x80
    if is_negative:
        data = data[:-1] + bytes((data[-1] & 0x7F,))
    digits = data[::-1].hex()
    if not digits.isdecimal():
        return None
    value: float = int(digits) / 10**decimals
    return -value if is_negative else value


def address(digits: str) -> bytes:
    """Return an address as it goes over the wire, from its digits as they stand on the label."""
    return bytes.fromhex(digits)[::-1]
