"""From levels to alarms: the rule is a pure function; who has levels to judge keeps the states."""

from gateway.alarms.rule import Rule, State, step

__all__ = ["Rule", "State", "step"]
