"""What every sink has: which tags it gets, how often, from where it starts."""

from typing import Annotated, Literal

from pydantic import Field

from config.base import Duration, Model, Name, Size


class SelectRule(Model):
    """One rule; a tag takes the first rule it matches, and no tag goes where no rule matches."""

    path: Annotated[str, Field(min_length=1)] = "**"
    """Glob over site/area/line/device/tag: ``*`` within a level, ``**`` over levels."""
    class_: Name | None = Field(default=None, alias="class")
    """Only tags of this class."""
    every: Annotated[Duration, Field(ge=1_000_000_000)] | None = None
    """Thin to one row per window of this length, aligned to UTC."""
    as_: Literal["last", "mean", "min", "max"] | None = Field(default=None, alias="as")
    """Which row stands for a window."""


class SinkOptions(Model):
    """What any sink may say about itself."""

    select: Annotated[tuple[SelectRule, ...], Field(min_length=1, strict=False)] = (SelectRule(),)
    start: Literal["now", "oldest"] = "now"
    """Where a sink that is new begins in what is already stored."""
    required: bool = True
    """Stored data wait for this sink; false: it takes what is there."""
    replay_rate: Annotated[int, Field(ge=1)] | None = None
    """Backlog rows per second; as fast as the peer accepts when absent."""
    daily_cap: Annotated[Size, Field(ge=100_000)] | None = None
    """Bytes a day over the network, both ways, e.g. ``50MB`` for a metered card; then all waits, stored, for
    the plant's midnight."""
