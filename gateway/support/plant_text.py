"""A plant file for strangers' eyes: what its model says is harmless stays, everything else is masked.

Written anew from the tree, so comments are gone. References stay as they are written: a variable's name is no
secret, and what it holds is never looked at for this. Of a file that is no YAML only known keys are left.
"""

import difflib
import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from config.leaves import Leaf, Sort, leaves, vocabulary
from config.problems import Language, Phrase, Problem
from config.reading.references import named_in
from config.reading.yaml_tree import OtherBase
from gateway.support.secrets import ACCOUNTS, MASK, Secrets

_KEY: Final = re.compile(r"(?P<indent>\s*(?:-\s+)?)(?P<key>[A-Za-z_]+)\s*[:：]\s*(?P<rest>.*)")
_REFERENCE_ONLY: Final = re.compile(r"\$\{(?:env|file):[^{}]+\}")


class PlantText:
    """One plant file, masked."""

    def __init__(self, root: Mapping[str, Any], secrets: Secrets) -> None:
        self._secrets = secrets
        self._keys: set[str] = set()
        tree: dict[str, Any] = {}
        for leaf in leaves(root):
            node: dict[str, Any] = tree
            steps = [self._step(step, i < leaf.known) for i, step in enumerate(leaf.path)]
            for step in steps[:-1]:
                below = node.setdefault(step, {})
                node = below if isinstance(below, dict) else {}
            node[steps[-1]] = self._value(leaf)
        self.text = yaml.safe_dump(_with_lists(tree), allow_unicode=True, sort_keys=False, width=100)

    def problem(self, problem: Problem, language: Language) -> str:
        """Return a problem without what it quotes."""
        steps = [step if step in self._keys or step.isdigit() else "…" for step in problem.path.split(".")]
        message = Phrase(problem.code, {k: _harmless(v) for k, v in problem.args.items()}).text(language)
        return f"{problem.line}:{problem.column} {'.'.join(steps)}: {message} [{problem.code}]"

    def _step(self, step: str | int, is_known: bool) -> str:
        if isinstance(step, int):
            return f"\0{step:09d}"
        shown = self._secrets.in_value(step)
        if not is_known and not difflib.get_close_matches(step, vocabulary(), n=1, cutoff=0.8):
            shown = MASK
        self._keys.add(shown)
        return shown

    def _value(self, leaf: Leaf) -> Any:
        value = leaf.value
        if leaf.sort in (Sort.SECRET, Sort.UNKNOWN) or leaf.field in ACCOUNTS:
            is_named = isinstance(value, str) and _REFERENCE_ONLY.fullmatch(value.strip())
            return value if is_named and named_in(value) else MASK
        if isinstance(value, OtherBase):
            return int(value)
        if not isinstance(value, str):
            return value
        return self._secrets.in_value(value)


def unreadable_text(text: str) -> str:
    """Return the known keys of a file that is no YAML, each where it stands, and nothing else."""
    lines = []
    for line in text.splitlines():
        match = _KEY.match(line)
        if match and match["key"] in vocabulary():
            lines.append(f"{match['indent']}{match['key']}:{' …' if match['rest'] else ''}")
        else:
            lines.append("…" if line.strip() else "")
    return "\n".join(lines) + "\n"


def unreadable_problem(problem: Problem, language: Language) -> str:
    """Return a problem of such a file without what it quotes."""
    message = Phrase(problem.code, {k: _harmless(v) for k, v in problem.args.items()}).text(language)
    return f"{problem.line}:{problem.column}: {message} [{problem.code}]"


def _with_lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if node and all(key.startswith("\0") for key in node):
        return [_with_lists(each) for each in node.values()]
    return {key: _with_lists(each) for key, each in node.items()}


def _harmless(value: object) -> object:
    match value:
        case bool() | int() | float():
            return value
        case Phrase():
            return Phrase(value.key, {k: _harmless(v) for k, v in value.args.items()})
        case list() | tuple():
            return [_harmless(each) for each in value]
        case str() if value in vocabulary():
            return value
        case _:
            return "…"
