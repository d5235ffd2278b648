"""Where a subscriber is in the log, and whether it can still go on from there without a loss."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Self

from gateway.buffer.records import EpochRecord

Reason = Literal["unknown", "expired", "ahead"]
_NO_REVISION: Final = 2**63
"""Gaps are counted in 64 bits."""


class Position(NamedTuple):
    """The last stored batch somebody has, and the last gap: ``epoch,seq,revision``, or ``epoch,seq``."""

    epoch: str
    seq: int
    told: int = -1
    """The revision of gaps up to which somebody was told; below 0 it is not known."""

    def to(self, epoch: str, seq: int) -> "Position":
        """Return a place further on; gaps are counted within an epoch."""
        return Position(epoch, seq, self.told if epoch == self.epoch else -1)

    def __str__(self) -> str:
        """Return the form subscribers keep, e.g. ``3-9f86d081884c7d65,1201,17``."""
        return f"{self.epoch},{self.seq}" + (f",{self.told}" if self.told >= 0 else "")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read it back; ValueError when it is none."""
        epoch, *numbers = text.split(",")
        if len(numbers) not in (1, 2) or not all(each.isdecimal() for each in numbers):
            raise ValueError(f"{text!r} is no position: epoch,seq")
        place = cls(epoch, *map(int, numbers))
        if place.told >= _NO_REVISION:
            raise ValueError(f"{text!r} is no position: nothing was ever told so often")
        return place


@dataclass(frozen=True, slots=True)
class Ends:
    """What the log has now."""

    epochs: Sequence[EpochRecord]
    oldest: int
    """The first seq that may still be there."""
    end: int
    """The seq after the newest."""

    @property
    def newest_epoch(self) -> str:
        """Return the running epoch; empty where there is none."""
        return str(self.epochs[-1].epoch) if self.epochs else ""

    @property
    def begun(self) -> int:
        """Return the first seq of the running epoch."""
        return self.epochs[-1].first_seq if self.epochs else 0

    @property
    def before_all(self) -> Position:
        """Return the place before everything that is stored."""
        return Position(self.epoch_at(self.oldest), max(0, self.oldest - 1))

    @property
    def newest(self) -> Position:
        """Return the place behind everything that is stored."""
        return Position(self.epoch_at(self.end - 1), max(0, self.end - 1))

    def epoch_at(self, seq: int) -> str:
        """Return the epoch a seq was, or will be, stored under."""
        begun = [record for record in self.epochs if record.first_seq <= seq] or list(self.epochs[:1])
        return str(begun[-1].epoch) if begun else ""


class Lost(Exception):
    """Nobody can go on from there without a loss, or not for certain."""

    def __init__(self, reason: Reason, ends: Ends) -> None:
        super().__init__(reason)
        self.reason = reason
        self.ends = ends


def prove(position: Position, ends: Ends) -> int:
    """Return the seq to go on with.

    Raises:
        Lost: the epoch is not this gateway's, or what follows the position is deleted, or it is a place this
            log has not come to: another store, or one that was restored.
    """
    names = [str(record.epoch) for record in ends.epochs]
    if position.epoch not in names:
        raise Lost("unknown", ends)
    following = ends.epochs[names.index(position.epoch) + 1 :]
    if position.seq >= min(ends.end, *(record.first_seq for record in following), ends.end):
        raise Lost("ahead", ends)
    if position.seq + 1 < ends.oldest:
        raise Lost("expired", ends)
    return position.seq + 1
