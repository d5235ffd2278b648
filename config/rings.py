"""Names that lead to names: does one come back to itself?"""

from collections.abc import Mapping, Sequence


def leads_back(name: str, leads: Mapping[str, Sequence[str]]) -> bool:
    """Tell whether a name leads to itself, at once or through others."""
    seen: set[str] = set()
    waiting = list(leads.get(name, ()))
    while waiting:
        each = waiting.pop()
        if each == name:
            return True
        if each not in seen:
            seen.add(each)
            waiting += leads.get(each, ())
    return False
