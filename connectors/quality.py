"""Quality is the OPC UA StatusCode, end to end (OPC 10000-4, 7.39; OPC 10000-8 for process data)."""

from typing import Final

import numpy as np

GOOD: Final = 0x00000000
UNCERTAIN: Final = 0x40000000
UNCERTAIN_LAST_USABLE_VALUE: Final = 0x40900000
"""What was known last, older than it should be, or said to be stale."""
UNCERTAIN_INITIAL_VALUE: Final = 0x40920000
"""An MQTT retained value: true once, its age unknown."""
UNCERTAIN_SENSOR_NOT_ACCURATE: Final = 0x40930000
UNCERTAIN_ENGINEERING_UNITS_EXCEEDED: Final = 0x40940000
"""Outside the tag's limits, or scaled beyond what a float64 holds exactly."""
UNCERTAIN_CONFIGURATION_ERROR: Final = 0x420F0000
"""The plant file reads the tag otherwise than before, and nobody has looked at its values yet."""
UNCERTAIN_SUBNORMAL: Final = 0x40950000
"""Derived from fewer good values than it should be."""
BAD: Final = 0x80000000
BAD_COMMUNICATION_ERROR: Final = 0x80050000
"""The reply was not an answer to what was asked (function, length, unit or transaction)."""
BAD_TIMEOUT: Final = 0x800A0000
BAD_INVALID_TIMESTAMP: Final = 0x80230000
"""The message has no time of its own that could be read."""
BAD_NO_COMMUNICATION: Final = 0x80310000
"""The link is down."""
BAD_WAITING_FOR_INITIAL_DATA: Final = 0x80320000
BAD_NODE_ID_UNKNOWN: Final = 0x80340000
"""The server has no such node, or no such namespace."""
BAD_OUT_OF_RANGE: Final = 0x803C0000
"""NaN, infinity, or the device's own pattern for 'not available'."""
BAD_NOT_SUPPORTED: Final = 0x803D0000
BAD_DECODING_ERROR: Final = 0x80070000
"""What the value's own length and its type say does not fit together."""
BAD_DATA_TYPE_ID_UNKNOWN: Final = 0x80110000
"""A structure whose definition the server does not tell."""
BAD_INDEX_RANGE_NO_DATA: Final = 0x80370000
"""The array or structure has this value no longer."""
BAD_TYPE_MISMATCH: Final = 0x80740000
"""The value is not of the type the tag has."""
BAD_ENCODING_LIMITS_EXCEEDED: Final = 0x80080000
"""The value is larger than any we keep."""
BAD_CONFIGURATION_ERROR: Final = 0x80890000
"""The device does not have what the plant file asks for."""
BAD_NOT_CONNECTED: Final = 0x808A0000
"""An OPC UA server has lost the device the value comes from."""
BAD_DEVICE_FAILURE: Final = 0x808B0000
BAD_NO_DATA: Final = 0x809B0000
"""The sender says that there is no value."""
BAD_DATA_LOST: Final = 0x809D0000
"""A gap record: from the row's time until the batch's arrival nothing is known."""
BAD_RESOURCE_UNAVAILABLE: Final = 0x80040000
"""The device is busy; it will be asked again."""

_NAMES: Final = {
    value: "".join(word.capitalize() for word in name.split("_"))
    for name, value in list(globals().items())
    if name.isupper() and isinstance(value, int)
}


def name(quality: int) -> str:
    """Return the specification's name of a status code, e.g. ``BadTimeout``; severity and hex if unknown."""
    known = _NAMES.get(quality)
    if known is not None:
        return known
    severity = ("Good", "Uncertain", "Bad", "Bad")[quality >> 30]
    return f"{severity}(0x{quality:08X})"


def is_bad(quality: np.ndarray) -> np.ndarray:
    """Tell which rows are Bad: (n,) uint32 → (n,) bool. The severity is the top two bits."""
    return quality >= np.uint32(BAD)


def has_overflowed(quality: np.ndarray) -> np.ndarray:
    """Tell before which rows the peer's queue lost others: (n,) uint32 → (n,) bool.

    Info type DataValue and the overflow bit (OPC 10000-4, 7.39.1).
    """
    lost: np.ndarray = (quality & np.uint32(0x0C80)) == np.uint32(0x0480)
    return lost
