"""What the routes under /api/config take and answer; times in ms since 1970 UTC."""

from typing import Annotated, Literal

from pydantic import Field

from config.reading.yaml_tree import LARGEST_FILE
from gateway.web.models import Answer, Mistake, Whole

_Text = Annotated[str, Field(max_length=LARGEST_FILE)]
_Note = Annotated[str, Field(max_length=400)]


class ConfigDraft(Answer):
    """What somebody is writing."""

    text: str
    who: str
    time: int
    base: str
    """Digest of the file it began from."""


class ConfigNow(Answer):
    """The plant file as it stands, and what runs."""

    name: str
    text: str
    base: str
    """Digest of the text."""
    version: int | None
    """The version that runs; None while none is kept."""
    is_running: bool
    """Whether the file is what runs; else it was changed by hand and waits to be applied."""
    draft: ConfigDraft | None


class ConfigProblem(Answer):
    """A mistake or a warning, in both languages."""

    code: str
    severity: Literal["error", "warning"]
    line: int
    column: int
    path: str
    zh: str
    en: str


class ConfigChange(Answer):
    """One part that begins anew, begins or ends."""

    part: Literal["source", "sink", "derived", "history", "energy", "page", "words", "webhook"]
    name: str
    how: Literal["added", "removed", "changed"]
    devices: list[str]


class ConfigLooked(Answer):
    """What a text would do, before it does it."""

    problems: list[ConfigProblem]
    changes: list[ConfigChange]
    needs_restart: list[str]
    """Settings that can't be changed while the gateway runs."""
    diff: str
    """As `diff -u` writes it, against what runs."""
    can_apply: bool


class ConfigToCheck(Answer):
    """A text to look at."""

    text: _Text


class ConfigToKeep(Answer):
    """A draft."""

    text: _Text
    base: Annotated[str, Field(max_length=40)]
    over: Whole | None = None
    """Time of the draft it goes on from: another's that is later, or was not seen, is not overwritten."""


class ConfigToApply(Answer):
    """A text that shall run."""

    text: _Text
    base: Annotated[str, Field(max_length=40)]
    note: _Note = ""


class ConfigToGoBack(Answer):
    """A version that shall run again."""

    version: Whole
    note: _Note = ""


class ConfigApplied(Answer):
    """What came of it."""

    version: int | None
    """None: this is what ran already."""
    changes: list[ConfigChange]


class ConfigRefused(Mistake):
    """Why a text was not applied."""

    problems: list[ConfigProblem]
    """As /api/config/check tells them; none where the text was not what is wrong."""


class ConfigVersion(Answer):
    """A plant file that was applied."""

    number: int
    time: int
    who: str
    note: str
    state: Literal["applied", "failed"]
    """failed: it was taken back at once."""


class ConfigText(Answer):
    """A version's text."""

    number: int
    text: str
    diff: str
    """Against the version before it."""
