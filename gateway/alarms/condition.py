"""What can be an alarm: a condition that holds, does not, or is not known, and how patient it is."""

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, get_args

from config.alarms import Severity

AlarmKind = Literal["limit", "link", "store", "demand", "balance", "certificate", "clock"]
KINDS: Final[tuple[AlarmKind, ...]] = get_args(AlarmKind)
Facts = dict[str, str | float | int]
Key = tuple[AlarmKind, str]
"""An alarm's kind and subject: at most one stands at a time."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that was looked at."""

    kind: AlarmKind
    subject: str
    """A tag's path, a link as `sink/cloud`, a meter; empty for what there is one of."""
    holds: bool | None
    """None: not known now, and nothing turns."""
    code: str
    """Which sentence tells it: `alarm.<code>` of the catalogue."""
    severity: Severity = "warning"
    facts: Facts = field(default_factory=dict)
    """Fills the sentence."""
    after: int = 0
    """It must hold for so long, ns."""
    clear_after: int = 0

    @property
    def key(self) -> Key:
        """Return kind and subject."""
        return self.kind, self.subject


class Standing(NamedTuple):
    """An alarm somebody else keeps: the energy books' watch."""

    kind: Literal["demand", "balance"]
    subject: str
    is_active: bool | None
    facts: Facts


@dataclass(frozen=True, slots=True)
class Turn:
    """An alarm that begins, is over, or has become worse."""

    what: Literal["began", "cleared", "raised"]
    condition: Condition
