"""Which rows a sink gets: path globs and classes, worked out once per tag."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from config.glob import glob_pattern
from config.select import SelectRule
from connectors import Batch, Delivery, Tag, TagTable
from gateway.pipeline import PerColumn


class Rules:
    """A sink's rules over the TagTable: each tag takes the first rule it matches."""

    def __init__(self, sink: str, rules: Sequence[SelectRule], tags: TagTable) -> None:
        self.rules = tuple(rules)
        self._sink = sink
        self._tags = tags
        self._patterns = [(glob_pattern(rule.path), rule.class_) for rule in rules]
        self._rule = np.zeros(0, np.int16)
        self._moved = tags.moved

    @property
    def thinning(self) -> list[int]:
        """Return the rules that thin, as indexes into `rules`."""
        return [i for i, rule in enumerate(self.rules) if rule.every is not None]

    def of(self, tag: NDArray[np.int32]) -> NDArray[np.int16]:
        """Return each tag's rule as an index into `rules`, -1 for none: (n,) int32 → (n,) int16."""
        if self._moved != self._tags.moved:  # renamed while we run
            self._moved, self._rule = self._tags.moved, np.zeros(0, np.int16)
        known = len(self._rule)
        if known < len(self._tags):
            fresh = [self._match(number) for number in range(known, len(self._tags))]
            self._rule = np.append(self._rule, np.array(fresh, np.int16))
        return self._rule[tag]

    def _match(self, number: int) -> int:
        try:
            tag: Tag = self._tags[number]
        except KeyError:  # a number that was never used
            return -1
        for i, (pattern, wanted_class) in enumerate(self._patterns):
            if wanted_class in (None, tag.tag_class) and pattern.fullmatch(tag.path):
                return i
        return -1

    def raw(self, tag: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Tell which tags this sink gets as they are stored: selected without thinning, or thinned for it."""
        is_plain = np.array([rule.every is None for rule in self.rules] + [False])
        wanted = is_plain[self.of(tag)]
        for i, number in enumerate(tag.tolist()):
            for_sink = self._tags[number].for_sink
            if for_sink:
                wanted[i] = for_sink == self._sink
        return wanted


class Selection:
    """Cut a delivery to what one sink gets; the rows keep their stored numbers."""

    def __init__(self, rules: Rules, tags: TagTable) -> None:
        def wanted(tag: NDArray[np.int32]) -> NDArray[np.bool_] | None:
            keep = rules.raw(tag)
            return None if keep.all() else keep

        self._wanted = PerColumn(tags, wanted)

    def __call__(self, delivery: Delivery) -> Delivery | None:
        """Return the delivery, the same object when all of it is wanted, None when nothing is."""
        masks = [self._wanted(part.tag) for part in delivery.batch.parts]
        if all(mask is None for mask in masks):
            return delivery
        parts, rows = [], []
        for part, numbers, mask in zip(delivery.batch.parts, delivery.row_numbers(), masks, strict=True):
            kept = part if mask is None else part.where(mask)
            if len(kept):
                parts.append(kept)
                rows.append(numbers if mask is None else numbers[mask])
        if not parts:
            return None
        batch = Batch(tuple(parts), delivery.batch.arrived, delivery.batch.origin)
        return Delivery(
            batch, delivery.epoch, delivery.seq, delivery.historical, tuple(rows), delivery.source
        )
