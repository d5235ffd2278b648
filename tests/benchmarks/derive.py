"""What derived tags cost: the largest formula that is allowed, within its bar, and a plant's usual ones."""

import time
from collections.abc import Callable
from typing import Final

import numpy as np

from config.expression import MOST_OPERATIONS, MOST_STEPS, names, parse, resolve
from gateway.derive.arithmetic import compute
from tests.unit.derive.lab import Lab

BAR_MS: Final = 5.0
"""One evaluation, whatever is written."""


def best_us(call: Callable[[], object]) -> float:
    found = []
    for _ in range(50):
        began = time.perf_counter()
        call()
        found.append((time.perf_counter() - began) * 1e6)
    return min(found)


def text() -> str:
    """Return what each costs, and whether the bar is kept."""
    chain = parse("a.b" + "*a.b" * MOST_OPERATIONS)
    wide = resolve(parse('sum("*") / 2'), lambda _: [f"t{i}" for i in range(MOST_STEPS - 3)])
    columns = {name: np.ones(1) for program in (chain, wide) for name in names(program)}
    worst = max(best_us(lambda program=program: compute(program, columns)) for program in (chain, wide)) / 1e3  # type: ignore[misc]
    usual = Lab("x: {expression: 'if(d.a > 0, d.b / d.a, 0) + e.c'}")
    usual.add(1, ("d/a", 0, 1), ("d/b", 0, 1), ("e/c", 0, 1))
    others, mine = usual.stored(2, ("e/c", 1, 1)), usual.stored(3, ("d/a", 1, 1), ("d/b", 1, 1))
    untouched = Lab("x: {expression: d.a}")
    verdict = "kept" if worst <= BAR_MS else "NOT kept"
    return "\n".join([
        f"The largest formula allowed: {worst:.1f} ms; the bar is {BAR_MS:g} ms: {verdict}.",
        f"A stored batch with two inputs of a formula: {best_us(lambda: usual.deriver.add(mine)):.0f} µs;",
        f"one with no input of any: {best_us(lambda: untouched.deriver.add(others)):.1f} µs.",
    ])  # fmt: skip
