"""Derived tags: whenever a tag is stored, what is made of it is computed and stored behind it.

    stored batch ─ rows of inputs, in turns ─▶ held values ─ formulas, in order ─▶ pipeline ─▶ batch to append

A formula gives a row for every turn in which one of its inputs came, itself or through other formulas: its
time is that of the newest input, its quality that of the worst. An input older than it may be makes the
result Uncertain; one that never came makes it Bad. Formulas that use others are computed behind them from the
same state: there is no moment at which a sum and what is made of it disagree.

What an MQTT source calls LIVE but is older than what is held, and what was read from a history (BACKFILL), is
left out: it would be put together with values of another time.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from config.expression import is_truth
from config.formulas import Formula
from connectors import Batch, Columns, Delivery, Kind, Origin, TagTable
from connectors.describe import describe
from connectors.quality import (
    BAD,
    BAD_OUT_OF_RANGE,
    UNCERTAIN,
    UNCERTAIN_ENGINEERING_UNITS_EXCEEDED,
    UNCERTAIN_LAST_USABLE_VALUE,
)
from gateway.derive.arithmetic import Column, compute
from gateway.derive.held import Held
from gateway.pipeline import ClockWatch, PerColumn, build_pipeline, turns
from gateway.recompute import joined_columns

DERIVED: Final = "derive/tags"
"""The source name derived rows are stored under; no plant file can name one."""
_EXACT: Final = 2**53
_AT_ONCE: Final = 64
"""Turns computed together: what is held is copied for each."""
_NEVER: Final = np.iinfo(np.int64).max


class _Rows(NamedTuple):
    slot: NDArray[np.int32]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint32]


class _Result(NamedTuple):
    """One formula over all turns, (n,)."""

    time: NDArray[np.int64]
    value: Column
    quality: NDArray[np.uint32]


class _Made(NamedTuple):
    """A formula, its names as slots."""

    formula: Formula
    number: int
    slots: NDArray[np.intp]
    """Inputs that are read …"""
    patience: NDArray[np.int64]
    made: tuple[str, ...]
    """… and inputs that are made."""
    reach: NDArray[np.bool_]
    """Which slots matter to it, through other formulas too."""
    scale: float
    offset: float


class Deriver:
    """The formulas of a plant; pure: deliveries in, batches out."""

    source = DERIVED

    def __init__(self, formulas: Sequence[Formula], tags: TagTable, watch: ClockWatch) -> None:
        self._tags = tags
        made = {each.path for each in formulas}
        inputs = {i.path: i for each in formulas for i in each.inputs if i.path not in made}
        self._names = list(inputs)
        self._units = [each.unit for each in inputs.values()]
        self._held = Held.nothing(len(inputs))
        self._seen = self._done = -1
        self._slots = np.zeros(0, np.int32)
        self._version = -1
        self._wanted = PerColumn(tags, self._find)
        self._made = self._announce(formulas)
        self._pipeline = build_pipeline(tags, watch)

    def resume(self, token: bytes | None) -> int | None:
        """Take up a stored place; return the seq to read from, None to begin now."""
        if token is None:
            return None
        place = json.loads(token)
        self._held.restore(place["held"], self._names)
        self._done = place["seen"]
        return int(place["from"])

    def token(self) -> bytes:
        """Return the place to store with what was computed."""
        return json.dumps(self._held.place(self._seen, self._names)).encode()

    def add(self, delivery: Delivery) -> Batch | None:
        """Take a stored batch in; return what its rows make, None when nothing."""
        self._seen = delivery.seq
        if delivery.batch.origin is Origin.BACKFILL:
            return None
        rows = self._rows(delivery.batch)
        if rows is None:
            return None
        states = []
        for turn in turns(rows.slot) or [np.arange(len(rows.slot))]:
            news = self._held.take(
                rows.slot[turn],
                rows.time[turn],
                rows.value[turn],
                rows.quality[turn],
                arrived=delivery.batch.arrived,
                seq=delivery.seq,
            )
            if len(news) and delivery.seq > self._done:
                states.append((news, self._held.copy()))
        arrived = delivery.batch.arrived
        parts = [self._compute(states[i : i + _AT_ONCE], arrived) for i in range(0, len(states), _AT_ONCE)]
        if not parts:
            return None
        return self._pipeline(Batch((joined_columns(parts),), arrived))

    def _announce(self, formulas: Sequence[Formula]) -> list[_Made]:
        slot_of = {name: i for i, name in enumerate(self._names)}
        described = []
        for each in formulas:
            kind = Kind.BOOL if is_truth(each.program) else Kind.FLOAT64
            described.append(describe(DERIVED, each.path, kind, each.options))
        # Scale and offset are done here: a formula that uses another sees what is delivered.
        numbers = self._tags.announce([replace(tag, scale=1.0, offset=0.0) for tag in described])
        self._tags.keep_only(DERIVED, numbers)
        found: dict[str, _Made] = {}
        for each, tag, number in zip(formulas, described, numbers.tolist(), strict=True):
            read = [i for i in each.inputs if i.path in slot_of]
            slots = np.array([slot_of[i.path] for i in read], np.intp)
            reach = np.zeros(len(self._names), np.bool_)
            reach[slots] = True
            made = tuple(i.path for i in each.inputs if i.path in found)
            for path in made:
                reach |= found[path].reach
            patience = [each.options.max_age or i.patience or _NEVER for i in read]
            found[each.path] = _Made(
                each, number, slots, np.array(patience, np.int64), made, reach, tag.scale, tag.offset
            )
        return list(found.values())

    def _find(self, tag: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.int32]] | None:
        """Return which rows of a tag column are inputs, and their slots; None for none."""
        if self._version != self._tags.version:
            self._version = self._tags.version
            self._slots = np.full(len(self._tags), -1, np.int32)
            for slot, (path, unit) in enumerate(zip(self._names, self._units, strict=True)):
                number = self._tags.number(path)
                # What was stored in another unit, before the plant file was changed, is not what is meant.
                if number is not None and unit in (None, self._tags[number].unit):
                    self._slots[number] = slot
        slots = self._slots[tag]
        rows = np.flatnonzero(slots >= 0)
        return (rows, slots[rows]) if len(rows) else None

    def _rows(self, batch: Batch) -> _Rows | None:
        found = []
        for part in batch.parts:
            wanted = self._wanted(part.tag) if part.value.dtype != object else None
            if wanted is None:
                continue
            rows, slots = wanted
            mine = part.take(rows)
            quality = mine.quality
            value = self._tags.as_float(mine)
            if mine.value.dtype == np.int64:
                inexact = (np.abs(value) > _EXACT) & (quality < UNCERTAIN)
                quality = np.where(inexact, np.uint32(UNCERTAIN_ENGINEERING_UNITS_EXCEEDED), quality)
            found.append(_Rows(slots, mine.time, value, quality))
        if len(found) < 2:
            return found[0] if found else None
        return _Rows(*(np.concatenate(columns) for columns in zip(*found, strict=True)))

    def _compute(self, states: Sequence[tuple[NDArray[np.int32], Held]], arrived: int) -> Columns:
        """Return the rows of so many turns, in their order."""
        touched = np.zeros((len(states), len(self._names)), np.bool_)
        for turn, (news, _) in enumerate(states):
            touched[turn, news] = True
        hit = {each.formula.path: (touched & each.reach).any(axis=1) for each in self._made}
        needed = {path for path, in_turn in hit.items() if in_turn.any()}
        for each in reversed(self._made):
            if each.formula.path in needed:
                needed.update(each.made)
        stacked = Held(
            *(
                np.stack([getattr(held, name) for _, held in states])
                for name in ("value", "time", "newest", "quality", "arrived", "seq", "since")
            )
        )
        results: dict[str, _Result] = {}
        columns: list[tuple[NDArray[np.intp], int, _Result]] = []
        for each in self._made:
            path = each.formula.path
            if path in needed:
                results[path] = self._one(each, stacked, results, arrived)
                columns.append((np.flatnonzero(hit[path]), each.number, results[path]))
        order = np.argsort(np.concatenate([rows for rows, _, _ in columns]), kind="stable")
        return Columns(
            np.concatenate([np.full(len(rows), number, np.int32) for rows, number, _ in columns])[order],
            np.concatenate([result.time[rows] for rows, _, result in columns])[order],
            np.concatenate([result.value[rows] for rows, _, result in columns])[order],
            np.concatenate([result.quality[rows] for rows, _, result in columns])[order],
        )

    def _one(self, each: _Made, held: Held, results: dict[str, _Result], arrived: int) -> _Result:
        made = [results[path] for path in each.made]
        time, quality = held.time[:, each.slots], held.quality[:, each.slots]
        newest: NDArray[np.int64] = np.max([*_most(time), *(result.time for result in made)], axis=0)
        # Of the two ages the greater: how long ago it came, and how far its own time lies behind the newest.
        age = np.maximum(arrived - held.arrived[:, each.slots], newest[:, None] - time)
        is_old = (age > each.patience) & (quality < BAD)
        quality = np.where(is_old, np.maximum(quality, UNCERTAIN_LAST_USABLE_VALUE), quality)
        worst: NDArray[np.uint32] = np.max([*_most(quality), *(result.quality for result in made)], axis=0)
        names = {self._names[slot]: held.value[:, slot] for slot in each.slots.tolist()}
        names |= {path: result.value for path, result in zip(each.made, made, strict=True)}
        value = compute(each.formula.program, names)
        with np.errstate(over="ignore", invalid="ignore"):
            value = np.broadcast_to(value * each.scale + each.offset, worst.shape)
        is_none = ~np.isfinite(value)
        worst = np.where(is_none & (worst < BAD), np.uint32(BAD_OUT_OF_RANGE), worst)
        return _Result(newest, np.where(is_none | (worst >= BAD), 0.0, value), worst)


def _most(columns: NDArray[Any]) -> list[NDArray[Any]]:
    """Return the greatest of each row, (n, k) → one (n,); none where there are no columns."""
    return [columns.max(axis=1)] if columns.shape[1] else []
