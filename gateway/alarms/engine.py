"""From conditions to alarms, one look after another. Pure; times are monotonic, ns.

What is not mentioned in a look any more (a link that left the plant, a tag whose bounds were taken away) is
over after a minute; what is mentioned and not known stays as it is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Final

from config.alarms import Severity
from gateway.alarms.condition import Condition, Key, Turn
from gateway.alarms.rule import Rule, State, step

GONE_NS: Final = 60_000_000_000
_HALF: Final = Fraction(1, 2)
_LEVEL: Final = {True: Fraction(1), False: Fraction(0), None: None}


class Engine:
    """Where every alarm stands; `active` are those of the last run."""

    def __init__(self, active: Mapping[Key, Condition]) -> None:
        self._states: dict[Key, State] = {key: State(is_active=True) for key in active}
        self._active = dict(active)
        self._missing: dict[Key, int] = {}

    @property
    def active(self) -> Mapping[Key, Condition]:
        """Return the alarms that stand, each as it was when it began or became worse."""
        return self._active

    def look(self, conditions: Iterable[Condition], at: int) -> list[Turn]:
        """Return what turned; at most one condition of each key."""
        turns: list[Turn] = []
        seen: set[Key] = set()
        for each in conditions:
            seen.add(each.key)
            self._look_at(each, at, turns)
        for key in [key for key in self._states if key not in seen]:
            self._miss(key, at, turns)
        return turns

    def _look_at(self, found: Condition, at: int, turns: list[Turn]) -> None:
        key = found.key
        self._missing.pop(key, None)
        if not found.holds and key not in self._states:
            return  # nearly all, each second: nothing stood and nothing does
        was = self._states.get(key, State())
        rule = Rule(_HALF, _HALF, found.after, found.clear_after)
        state = step(rule, was, _LEVEL[found.holds], at)
        if state.is_active or state.turning >= 0:
            self._states[key] = state
        else:
            self._states.pop(key, None)
        if state.is_active and not was.is_active:
            self._active[key] = found
            turns.append(Turn("began", found))
        elif was.is_active and not state.is_active:
            turns.append(Turn("cleared", self._active.pop(key)))
        elif state.is_active and found.holds and _is_worse(found.severity, self._active[key].severity):
            self._active[key] = found
            turns.append(Turn("raised", found))

    def _miss(self, key: Key, at: int, turns: list[Turn]) -> None:
        if not self._states[key].is_active:
            del self._states[key]
            return
        since = self._missing.setdefault(key, at)
        if at - since >= GONE_NS:
            del self._states[key], self._missing[key]
            turns.append(Turn("cleared", replace(self._active.pop(key), holds=None)))


def _is_worse(new: Severity, old: Severity) -> bool:
    return (new, old) == ("urgent", "warning")
