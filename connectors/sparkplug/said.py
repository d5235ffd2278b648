"""A message as a node's host hears it, and what tells one birth from another."""

from typing import Any, NamedTuple

from connectors.sparkplug.payload import bd_seq


class Said(NamedTuple):
    """A message."""

    kind: str
    device: str
    payload: Any
    size: int
    arrived: int
    """Gateway time, ns UTC."""


class Face(NamedTuple):
    """What tells an NBIRTH from another node's."""

    session: int | None
    aliases: dict[int, str]
    """Of the node's own metrics; what two of them share names neither."""

    def is_like(self, other: "Face") -> bool:
        """Tell whether both may be of one session: no alias means another metric."""
        if None not in (self.session, other.session) and self.session != other.session:
            return False
        return all(other.aliases.get(alias, name) == name for alias, name in self.aliases.items())


def face_of(birth: Any) -> Face:
    """Return the face of an NBIRTH."""
    aliases: dict[int, str] = {}
    for metric in birth.metrics:
        if metric.name and metric.HasField("alias"):
            aliases[metric.alias] = "" if metric.alias in aliases else metric.name
    return Face(bd_seq(birth), aliases)


def number_behind(birth: Any) -> int:
    """Return the number of the message behind a birth."""
    return ((birth.seq if birth.HasField("seq") else 0) + 1) & 0xFF
