"""What the Alarms view is answered, and what it asks; times in ms since 1970 UTC."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from config.alarms import Severity
from gateway.alarms.condition import AlarmKind
from gateway.web.models import Answer


class AlarmRow(Answer):
    """One occurrence of an alarm."""

    number: int
    kind: AlarmKind
    subject: str
    severity: Severity
    state: Literal["active", "acknowledged", "cleared"]
    text: str
    """What is wrong, in one sentence."""
    text_zh: str
    """The same in Chinese."""
    began: int
    cleared: int | None
    acknowledged: int | None
    who: str
    """Who acknowledged it, and what that one noted."""
    note: str
    shelved_until: int | None
    shelved_by: str


class AlarmPage(Answer):
    """A part of the table: what stands first, the newest first."""

    total: int
    offset: int
    alarms: list[AlarmRow]


class Done(Answer):
    """What was asked for is done."""

    number: int


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ToAcknowledge(_Asked):
    """Somebody has seen it."""

    note: str = Field(default="", max_length=400)


class ToShelve(_Asked):
    """Nobody is to be told of its subject for a while."""

    length: Literal["1h", "8h", "24h", "7d"]
    note: str = Field(default="", max_length=400)
