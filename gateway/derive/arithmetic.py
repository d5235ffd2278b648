"""Arithmetic over columns of float64: what has no result is NaN, and stays NaN whatever is done with it.

A comparison with NaN would be false and an `if` would choose by it: a number out of nothing. So here NaN in
is NaN out, everywhere; a division by zero and a result beyond all numbers are NaN too.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from config.expression import Program, evaluate

Column = NDArray[np.float64]

_EXACT: Final = 2.0**52
"""From here on a float64 has no fraction to round."""


def compute(program: Program, columns: Mapping[str, Column]) -> Column:
    """Return the program's result, (n,), of columns (n,) by name; NaN where there is none."""
    with np.errstate(all="ignore"):
        return evaluate(program, _Values(columns))


class _Values:
    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = columns

    def number(self, value: Fraction) -> Column:
        return np.full(1, float(value))

    def name(self, name: str) -> Column:
        return self._columns[name]

    def apply(self, operation: str, arguments: list[Column]) -> Column:
        result = _result(operation, arguments)
        return np.where(np.isfinite(result), result, np.nan)


def _result(operation: str, arguments: list[Column]) -> Column:  # noqa: C901, PLR0911, PLR0912  one case each
    match operation, arguments:
        case "+", [one, other]:
            return one + other
        case "-", [one, other]:
            return one - other
        case "*", [one, other]:
            return one * other
        case "/", [one, other]:
            return one / other
        case "**", [one, other]:
            return np.power(one, other)
        case "neg", [one]:
            return -one
        case "abs", [one]:
            return np.abs(one)
        case "round", [one]:
            return _rounded(one, np.zeros(1))
        case "round", [one, decimals]:
            return _rounded(one, decimals)
        case "min", _:
            return _of_all(np.minimum, arguments)
        case "max", _:
            return _of_all(np.maximum, arguments)
        case "sum", _:
            return _of_all(np.add, arguments)
        case "mean", _:
            return _of_all(np.add, arguments) / len(arguments)
        case "if", _:
            return _chosen(arguments)
        case "not", [one]:
            return _known(one == 0, one)
        case "and", [one, other]:
            return _known((one != 0) & (other != 0), one, other)
        case "or", [one, other]:
            return _known((one != 0) | (other != 0), one, other)
        case _, [one, other]:
            return _known(_COMPARED[operation](one, other), one, other)
        case _:
            raise ValueError(operation)


_COMPARED: Final = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


def _of_all(operation: np.ufunc, arguments: list[Column]) -> Column:
    total = arguments[0]
    for each in arguments[1:]:
        total = operation(total, each)
    return total


def _chosen(arguments: list[Column]) -> Column:
    """Return, of condition and value in turns, the value behind the first true condition, else the last."""
    result = arguments[-1]
    for i in range(len(arguments) - 3, -1, -2):
        condition = arguments[i]
        chosen = np.where(condition != 0, arguments[i + 1], result)
        result = np.where(np.isnan(condition), np.nan, chosen)
    return result


def _known(truth: NDArray[np.bool_], *of: Column) -> Column:
    result = truth.astype(np.float64)
    for each in of:
        result = np.where(np.isnan(each), np.nan, result)
    return result


def _rounded(value: Column, decimals: Column) -> Column:
    """Round halves away from zero, as invoices do; a float64's own half, not the decimal one's."""
    shift = 10.0**decimals
    shifted = np.abs(value) * shift
    whole = np.where(shifted < _EXACT, np.floor(shifted + 0.5), shifted)
    return np.where(np.isfinite(shifted), np.copysign(whole / shift, value), value)
