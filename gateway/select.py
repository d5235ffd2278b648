"""Which rows a sink gets: path globs and classes, worked out once per tag."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from config.glob import glob_pattern
from config.select import SelectRule
from connectors import Batch, Delivery, Tag, TagTable


class Rules:
    """A sink's rules over the TagTable: each tag takes the first rule it matches."""

    def __init__(self, sink: str, rules: Sequence[SelectRule], tags: TagTable) -> None:
        self.rules = tuple(rules)
        self._sink = sink
        self._tags = tags
        self._patterns = [(glob_pattern(rule.path), rule.class_) for rule in rules]
        self._forget()

    @property
    def thinning(self) -> list[int]:
        """Return the rules that thin, as indexes into `rules`."""
        return [i for i, rule in enumerate(self.rules) if rule.every is not None]

    @property
    def takes_all(self) -> bool:
        """Tell whether this sink gets every tag there is, as it is stored."""
        self._learn()
        return self._is_all

    def of(self, tag: NDArray[np.int32]) -> NDArray[np.int16]:
        """Return each tag's rule as an index into `rules`, -1 for none: (n,) int32 → (n,) int16."""
        self._learn()
        return self._rule[tag]

    def raw(self, tag: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Tell which tags this sink gets as they are stored: selected without thinning, or thinned for it."""
        self._learn()
        return self._raw[tag]

    def _forget(self) -> None:
        self._moved = self._tags.moved
        self._rule, self._raw = np.zeros(0, np.int16), np.zeros(0, np.bool_)
        self._is_all = False

    def _learn(self) -> None:
        """Work out what is new in the table."""
        if self._moved != self._tags.moved:  # renamed while we run
            self._forget()
        known = len(self._rule)
        if known == len(self._tags):
            return
        found = [self._match(number) for number in range(known, len(self._tags))]
        self._rule = np.append(self._rule, np.array([rule for rule, _ in found], np.int16))
        self._raw = np.append(self._raw, np.array([is_raw for _, is_raw in found], np.bool_))
        self._is_all = bool(self._raw.all())

    def _match(self, number: int) -> tuple[int, bool]:
        """Return a tag's rule, -1 for none, and whether it is raw to this sink."""
        try:
            tag: Tag = self._tags[number]
        except KeyError:  # a number that was never used
            return -1, False
        rule = next(
            (
                i
                for i, (pattern, wanted_class) in enumerate(self._patterns)
                if wanted_class in (None, tag.tag_class) and pattern.fullmatch(tag.path)
            ),
            -1,
        )
        if tag.for_sink:
            return rule, tag.for_sink == self._sink
        return rule, rule >= 0 and self.rules[rule].every is None


class Selection:
    """Cut a delivery to what one sink gets; the rows keep their stored numbers."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def __call__(self, delivery: Delivery) -> Delivery | None:
        """Return the delivery, the same object when all of it is wanted, None when nothing is."""
        if self._rules.takes_all:
            return delivery
        masks = [self._rules.raw(part.tag) for part in delivery.batch.parts]
        if all(mask.all() for mask in masks):
            return delivery
        parts, rows = [], []
        for part, numbers, mask in zip(delivery.batch.parts, delivery.row_numbers(), masks, strict=True):
            kept = part.where(mask)
            if len(kept):
                parts.append(kept)
                rows.append(numbers[mask])
        if not parts:
            return None
        batch = Batch(tuple(parts), delivery.batch.arrived, delivery.batch.origin)
        return Delivery(
            batch, delivery.epoch, delivery.seq, delivery.historical, tuple(rows), delivery.source
        )
