"""A changed plant file taken over while all else goes on; every version kept, any of them brought back."""

from gateway.reload.applying import Applied, Applier, Refused
from gateway.reload.changes import Change, NeedsRestart, Part, differences
from gateway.reload.commands import on_hang_up, verbs
from gateway.reload.versions import CONFIG, Version, Versions

__all__ = [
    "CONFIG",
    "Applied",
    "Applier",
    "Change",
    "NeedsRestart",
    "Part",
    "Refused",
    "Version",
    "Versions",
    "differences",
    "on_hang_up",
    "verbs",
]
