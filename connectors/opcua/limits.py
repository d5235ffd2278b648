"""How many operations one call may have."""

from dataclasses import dataclass
from typing import Final

from asyncua import ua

MOST: Final = 1_000
"""Operations in one call where the server names no limit."""
_TOO_MUCH: Final = frozenset(
    {
        ua.StatusCodes.BadTooManyOperations,
        ua.StatusCodes.BadEncodingLimitsExceeded,
        ua.StatusCodes.BadRequestTooLarge,
        ua.StatusCodes.BadResponseTooLarge,
        ua.StatusCodes.BadTcpMessageTooLarge,
    }
)


@dataclass(slots=True)
class Limits:
    """Told by the server, and halved when it finds a call too large all the same."""

    read: int = MOST
    browse: int = MOST
    monitor: int = MOST
    translate: int = MOST


def too_much(status: int) -> bool:
    """Tell whether a call was refused for its size."""
    return status in _TOO_MUCH
