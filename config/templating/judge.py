"""What a template may be: a list, and a walk that refuses what is not on it."""

from collections.abc import Iterable
from typing import Final

from jinja2 import nodes

from config.templating.names import LOOP_FIELDS, ROW_FIELDS
from config.templating.sandbox import FILTERS, TESTS

MOST_NODES: Final = 500
_MOST_DEPTH: Final = 40
_PLAIN: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.If, nodes.CondExpr, nodes.And,
    nodes.Or, nodes.Not, nodes.Compare, nodes.Operand, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div,
    nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos, nodes.Concat, nodes.Dict, nodes.Pair, nodes.List,
)  # fmt: skip
"""Allowed wherever they stand."""


class NotATemplate(ValueError):
    """This can't be a template; `key` is why, in `messages.yaml`, `line` is counted within it."""

    def __init__(self, key: str, line: int, found: str = "") -> None:
        super().__init__(f"{key}: {found}")
        self.key = key
        self.line = line
        self.found = found


class Judge:
    """Walks a template and refuses what is not on the list."""

    def __init__(self, names: frozenset[str]) -> None:
        self.uses: set[str] = set()
        self.count = 0
        self._names = names
        self._row = ""
        """Name of the row in a loop over rows."""
        self._key = ""
        """Name of the tag in a loop over values."""

    def judge(self, node: nodes.Node, depth: int) -> None:
        """Refuse the node, or something in it, if need be."""
        self.count += 1
        if self.count > MOST_NODES or depth > _MOST_DEPTH:
            raise NotATemplate("template.large", node.lineno)
        match node:
            case nodes.Name():
                self._name(node)
                return
            case nodes.Getattr():
                self._field(node)
                return
            case nodes.Getitem():
                self._item(node, depth)
                return
            case nodes.For():
                self._loop(node, depth)
                return
            case nodes.Filter():
                self._filter(node)
            case nodes.Test():
                if node.name not in TESTS or node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
                    raise NotATemplate("template.refused", node.lineno, f"is {node.name}")
            case _ if type(node) not in _PLAIN:
                raise NotATemplate("template.refused", node.lineno, _shown(node))
        self._all(node.iter_child_nodes(), depth)

    def _all(self, children: Iterable[nodes.Node], depth: int) -> None:
        for child in children:
            self.judge(child, depth + 1)

    def _name(self, node: nodes.Name) -> None:
        name = node.name
        if name in (self._row, "loop"):
            raise NotATemplate("template.whole", node.lineno, name)
        if name in ("rows", "values") and (name == "rows" or self._row or self._key):
            raise NotATemplate("template.whole", node.lineno, name)
        if name != self._key and name not in self._names:
            raise NotATemplate("template.name", node.lineno, name)
        self.uses.add(name)

    def _field(self, node: nodes.Getattr) -> None:
        base, field = node.node, node.attr
        match base:
            case nodes.Name(name="values") if "values" in self._names:
                return
            case nodes.Name(name="loop") if self._row or self._key:
                known = LOOP_FIELDS
            case nodes.Name() if base.name == self._row:
                known = ROW_FIELDS
            case nodes.Getitem(node=nodes.Name(name="rows"), arg=nodes.Const(value=int())) if (
                "rows" in self._names
            ):
                known = ROW_FIELDS
            case _:
                raise NotATemplate("template.refused", node.lineno, f".{field}")
        if field not in known:
            raise NotATemplate("template.name", node.lineno, field)
        self.uses.add(field)

    def _item(self, node: nodes.Getitem, depth: int) -> None:
        match node.node, node.arg:
            case nodes.Name(name="values"), _ if "values" in self._names:
                self.judge(node.arg, depth + 1)
            case nodes.Name(name="rows"), _:
                raise NotATemplate("template.whole", node.lineno, "rows[ ]")
            case _:
                raise NotATemplate("template.refused", node.lineno, "[ ]")

    def _loop(self, node: nodes.For, depth: int) -> None:
        match node.target, node.iter:
            case nodes.Name(name=target), nodes.Name(name=("rows" | "values") as over):
                pass
            case _:
                raise NotATemplate("template.loop", node.lineno)
        if self._row or self._key or node.recursive or over not in self._names:
            raise NotATemplate("template.loop", node.lineno)
        if target in self._names or target == "loop":
            raise NotATemplate("template.refused", node.lineno, target)
        self.uses.add(over)
        self._row, self._key = (target, "") if over == "rows" else ("", target)
        self._all([*node.body, *([] if node.test is None else [node.test])], depth)
        self._row = self._key = ""
        self._all(node.else_, depth)

    def _filter(self, node: nodes.Filter) -> None:
        is_plain = not (node.kwargs or node.dyn_args or node.dyn_kwargs)
        allowed = FILTERS.get(node.name)
        if node.node is None or allowed is None or not is_plain:
            raise NotATemplate("template.refused", node.lineno, f"| {node.name}")
        if len(node.args) != allowed[1] or not all(isinstance(each, nodes.Const) for each in node.args):
            raise NotATemplate("template.arguments", node.lineno, f"| {node.name}")


def _shown(node: nodes.Node) -> str:
    name = getattr(node, "name", None)
    word = type(node).__name__.lower()
    return f"{word} {name}" if isinstance(name, str) else word
