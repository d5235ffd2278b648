"""Globs over browse paths: `Plant/Line*/**/Temperature`, with a namespace `{http://vendor/press}Temperature`.

A step of the path is one browse name: `*` is any characters, `?` one, `**` any number of whole steps. A glob
is walked step by step together with the address space, so that only what it can still match is looked into.
"""

import re
from dataclasses import dataclass
from typing import Final

from config.glob import Glob as Pattern

ANY_DEPTH: Final = "**"
_STEP: Final = re.compile(r"(?:\{([^{}]+)\})?([^/{}]+)")

States = frozenset[int]
"""How many steps of the glob are matched so far; several at once behind a ``**``."""


@dataclass(frozen=True, slots=True)
class _Step:
    namespace: str | None
    pattern: Pattern | None
    """None for ``**``."""
    literal: bool


class Glob:
    """A parsed glob."""

    def __init__(self, text: str) -> None:
        """Parse it; raises ValueError when it is none."""
        self._steps = _parsed(text)
        self.begin: States = self._closed({0})

    @property
    def fixed(self) -> int:
        """Return how many steps at its beginning are plain names: the same for everything it finds."""
        count = 0
        for step in self._steps[:-1]:
            if not step.literal:
                break
            count += 1
        return count

    def step(self, states: States, namespace: str, name: str) -> States:
        """Return the states after one more browse name; empty when it can't match any more."""
        after = set()
        for at in states:
            if at == len(self._steps):
                continue
            each = self._steps[at]
            if each.pattern is None:
                after.add(at)
            elif each.namespace in {None, namespace} and each.pattern.fullmatch(name):
                after.add(at + 1)
        return self._closed(after)

    def is_match(self, states: States) -> bool:
        """Tell whether the path so far is what the glob means."""
        return len(self._steps) in states

    def goes_on(self, states: States) -> bool:
        """Tell whether a longer path may match."""
        return any(at < len(self._steps) for at in states)

    def _closed(self, states: set[int]) -> States:
        """Add what a ``**`` reaches by being nothing."""
        for at in sorted(states):
            here = at
            while here < len(self._steps) and self._steps[here].pattern is None:
                here += 1
                states.add(here)
        return frozenset(states)


def _parsed(text: str) -> list[_Step]:
    steps: list[_Step] = []
    at = 0
    while True:
        match = _STEP.match(text, at)
        if match is None:
            raise ValueError(text)
        namespace, name = match[1], match[2]
        if name == ANY_DEPTH and namespace is None:
            if not steps or steps[-1].pattern is not None:
                steps.append(_Step(None, None, literal=False))
        else:
            pattern = Pattern(name, level="")
            steps.append(_Step(namespace, pattern, literal=not {"*", "?"} & set(name)))
        at = match.end()
        if at == len(text):
            return steps
        if text[at] != "/":
            raise ValueError(text)
        at += 1
