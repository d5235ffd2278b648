"""Two texts side by side as `diff -u` writes them."""

import difflib


def unified(before: bytes, after: bytes, name_before: str, name_after: str) -> str:
    """Return what differs; empty when nothing does."""
    old, new = (text.decode("utf-8", "replace").splitlines(keepends=True) for text in (before, after))
    lines = difflib.unified_diff(old, new, name_before, name_after)
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
