"""When a level is an alarm: above one bound for a while, until below a lower one for a while.

    enter ───────────╱▔▔▔╲──────╱▔▔▔▔▔▔▔▔▔╲────────────
    leave ──────────╱─────╲────╱───────────╲───────────     A short peak, and a level that swings about one of
                   ╱       ╲__╱             ╲__________     the bounds, turn nothing over.
    alarm                          ▕████████████▏

Time is that of the readings, so that the same readings make the same alarms however late they are judged.
"""

from dataclasses import dataclass, replace
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Rule:
    """Two bounds and two delays."""

    enter: Fraction
    """The alarm is wanted above it."""
    leave: Fraction
    """It is over at or below it; not above `enter`."""
    enter_after: int = 0
    """How long the level must stay there, ns."""
    leave_after: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """Where one alarm stands."""

    is_active: bool = False
    since: int = -1
    """Time of the reading that made it so, ns UTC; -1: it was never active."""
    turning: int = -1
    """Since when the level says the opposite; -1: it does not."""


def step(rule: Rule, state: State, level: Fraction | None, at: int) -> State:
    """Return the state behind a level at a time; None, a level that is not known, turns nothing over.

    Times are ascending; one that lies before what is known changes nothing.
    """
    if at < max(state.since, state.turning):
        return state
    is_other = level is not None and (level <= rule.leave if state.is_active else level > rule.enter)
    if not is_other:
        return replace(state, turning=-1)
    begun = at if state.turning < 0 else state.turning
    if at - begun < (rule.leave_after if state.is_active else rule.enter_after):
        return replace(state, turning=begun)
    return State(not state.is_active, at)
