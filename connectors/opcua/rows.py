"""What a decoded OPC UA message holds: rows in columns, odd values beside them, and how decoding fails."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import variant_from_binary
from numpy.typing import NDArray

from connectors import quality


class Malformed(Exception):
    """The bytes are not the message they should be; nothing of it may be used."""


class Fault(Exception):
    """The server answered with a bad service result instead of data (OPC 10000-4, 7.33)."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the server answered {quality.name(status)}")
        self.status = status
        """The StatusCode, uint32."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Rows whose values share one dtype; ascending by place, so rows of an item keep their order."""

    place: NDArray[np.int32]
    """The row's place in the message, counted over all its notifications, odd values included."""
    handle: NDArray[np.uint32]
    """The client handle of the monitored item; 0 in a read, where the place tells the node."""
    builtin: NDArray[np.uint8]
    """Id of the value's built-in type (OPC 10000-6, 5.1.2); 0 where the row has no value, only a status."""
    value: NDArray[Any]
    """float64: Boolean, SByte … UInt32, Float, Double, StatusCode, and 0.0 where there is no value.
    int64: Int64, UInt64 (its bit pattern), DateTime (ns UTC like `source_time`).
    object: str of String and LocalizedText (its text); "" for a null string."""
    status: NDArray[np.uint32]
    """The StatusCode, 0 where the server sent none; Uncertain instead of Good where text was not UTF-8."""
    source_time: NDArray[np.int64]
    """ns UTC, 0 = absent; see `connectors.opcua.times` for what int64 can't hold."""
    server_time: NDArray[np.int64]
    """ns UTC, 0 = absent."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.place)


@dataclass(frozen=True, slots=True)
class Other:
    """A value that fits no column: an array, a structure, a Guid, a ByteString and the like."""

    place: int
    handle: int
    builtin: int
    """Id of the built-in type, of the elements if it is an array."""
    array: bool
    status: int
    source_time: int
    server_time: int
    raw: bytes
    """The encoded Variant; its lengths are checked, what structures hold inside is not."""

    def variant(self) -> ua.Variant:
        """Decode the value by asyncua; raise Malformed when it can't."""
        try:
            return variant_from_binary(Buffer(self.raw))
        except Exception as error:
            raise Malformed(f"asyncua does not decode the value: {error}") from error
