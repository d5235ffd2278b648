"""Path globs in linear time: ``*`` within a level, ``**`` over levels, whatever somebody writes into one.

A glob becomes an automaton, not a regular expression: `**a**a**a` costs a regular expression minutes of going
back. The positions a path can be at are one integer, a bit each; the sets that occur, and where a character
leads from each, are made when they are first met and kept.
"""

import re
from functools import lru_cache
from typing import Final

_PIECES: Final = re.compile(r"\*\*/|\*\*|.", re.DOTALL)
ANYTHING: Final = "?*"
"""Of one level, but something: a name can't hold a character of a glob's own."""
_MOST_KEPT: Final = 1_000
"""Sets; beyond, all are forgotten and met again."""


@lru_cache(maxsize=1_000)
def glob_pattern(glob: str) -> "Glob":
    """Return the glob of a path: ``**`` is any number of levels, including none."""
    return Glob(glob)


class Glob:
    """A compiled glob; its cost is the text's length, after each character was met once."""

    def __init__(self, glob: str, level: str = "/") -> None:
        self._level = level
        self._star = self._deep = self._skips = self._inside = self._one = 0
        self._literals: dict[str, int] = {}
        at = 1
        for piece in _PIECES.findall(glob):
            match piece:
                case "*":
                    self._star |= at
                case "**":
                    self._deep |= at
                case "**/":
                    self._skips |= at
                    at <<= 1
                    self._inside |= at
                case "?":
                    self._one |= at
                case _:
                    self._literals[piece] = self._literals.get(piece, 0) | at
            at <<= 1
        self.accepted = at
        self._kept: dict[int, _Places] = {}

    def fullmatch(self, text: str) -> bool:
        """Tell whether the glob means this text, whole."""
        places = self.places(self._reached(1))
        for character in text:
            places = places[character]
        return places.are_accepted

    def places(self, at: int) -> "_Places":
        """Return a set of places as a table of what follows."""
        found = self._kept.get(at)
        if found is None:
            if len(self._kept) >= _MOST_KEPT:
                for each in self._kept.values():
                    each.clear()
                self._kept.clear()
            found = self._kept[at] = _Places(self, at)
        return found

    def after(self, at: int, character: str) -> int:
        """Return where a character leads from all of these places."""
        # From before a `**/`, and within it, to within it; at the end of a level, behind it.
        entered = (at & self._skips) << 1 | (at & self._inside)
        moved = (at & self._literals.get(character, 0)) << 1 | (at & self._deep) | entered
        if character == self._level:
            return self._reached(moved | entered << 1)
        return self._reached(moved | (at & self._star) | (at & self._one) << 1)

    def _reached(self, at: int) -> int:
        """Add what is reached by a star that is nothing."""
        while True:
            more = at | (at & (self._star | self._deep)) << 1 | (at & self._skips) << 2
            if more == at:
                return at
            at = more


class _Places(dict[str, "_Places"]):
    """What follows a set of places, by character."""

    def __init__(self, glob: Glob, at: int) -> None:
        self._glob = glob
        self._at = at
        self.are_accepted = bool(at & glob.accepted)

    def __missing__(self, character: str) -> "_Places":
        found = self[character] = self._glob.places(self._glob.after(self._at, character))
        return found
