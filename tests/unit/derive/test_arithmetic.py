"""Arithmetic over columns against plain arithmetic, one value at a time, written here once more."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.expression import parse
from gateway.derive.arithmetic import compute

NAN = math.nan


def of(text: str, **columns: float | list[float]) -> list[float]:
    as_columns = {name: np.atleast_1d(np.array(value, np.float64)) for name, value in columns.items()}
    return compute(parse(text), as_columns).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b * c", 14.0), ("(a + b) * c", 20.0), ("a - b - c", -5.0), ("c / b / a", 4 / 3 / 2),
        ("-a ** 2", -4.0), ("a ** 0", 1.0), ("a ** 8", 256.0),
        ("min(c, a, b)", 2.0), ("max(a, c, b)", 4.0), ("sum(a, b, c)", 9.0), ("mean(a, b, c)", 3.0),
        ("abs(a - c)", 2.0), ("round(a / b)", 1.0), ("round(a / b, 2)", 0.67), ("round(-a / 4)", -1.0),
        ("round(2.5)", 3.0), ("round(0.5 - 1)", -1.0),
        ("a < b", 1.0), ("a >= b", 0.0), ("a == 2", 1.0), ("a != 2", 0.0), ("not a == 2", 0.0),
        ("a < b and b < c", 1.0), ("a > b or b > c", 0.0), ("not a > b and c", 1.0),
        ("if(a > b, 10, 20)", 20.0), ("if(a > b, 1, b > c, 2, c > b, 3, 4)", 3.0),
        ("0.1 + 0.2", 0.1 + 0.2),
    ],
)  # fmt: skip
def test_it_means_what_it_says(text: str, expected: float) -> None:
    assert of(text, a=2, b=3, c=4) == [pytest.approx(expected, abs=1e-12)]


@pytest.mark.parametrize(
    "text",
    ["a / zero", "zero / zero", "1 / (1 / zero)", "if(a / zero > 5, 1, 0)", "if(zero / zero, 1, 0)",
     "not (zero / zero)", "a / zero > 1 or a > 1", "max(a, zero / zero)", "big * big", "1 / (big * big)",
     "big ** 8", "round(a / zero, 2)", "(zero - 1) / zero < 0", "sum(big * 10, big)"],
)  # fmt: skip
def test_what_has_no_result_stays_without_one(text: str) -> None:
    """A comparison with what does not exist would choose a number: an invented one."""
    assert [math.isnan(each) for each in of(text, a=2, zero=0, big=1.7e308)] == [True]


def test_a_branch_that_is_not_chosen_may_have_no_result() -> None:
    assert of("if(a > 0, 10 / a, 0)", a=[2, 0, 5]) == [5.0, 0.0, 2.0]


def test_what_has_no_fraction_is_rounded_to_itself() -> None:
    assert of("round(a)", a=[2.0**52 + 1, 2.0**53 + 2, -(2.0**52) - 1]) == [
        *(2.0**52 + 1, 2.0**53 + 2, -(2.0**52) - 1)
    ]
    assert of("round(a, 9)", a=[1.5e300]) == [1.5e300]


_ATOMS = st.sampled_from(["a", "b", "0", "1.5", "3", "0.1"])


@st.composite
def expressions(draw: st.DrawFn, depth: int = 4) -> str:
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return draw(_ATOMS)
    inner = [draw(expressions(depth - 1)) for _ in range(3)]
    form = draw(st.sampled_from([
        "({0} + {1})", "({0} - {1})", "({0} * {1})", "({0} / {1})", "-{0}", "({0}) ** 2", "abs({0})",
        "min({0}, {1}, {2})", "max({0}, {1})", "sum({0}, {1}, {2})", "mean({0}, {1})",
        "if({0}, {1}, {2})", "({0} < {1})", "({0} >= {1})", "({0} == {1})", "(not {0})",
        "({0} and {1})", "({0} or {1})",
    ]))  # fmt: skip
    return form.format(*inner)


_MEANINGS = {"a": (3.25, -7.0, 0.0, 1e200), "b": (2.0, 0.5, -0.0, 1e-200)}


@settings(max_examples=250, deadline=None)
@given(expressions())
def test_columns_agree_with_one_value_at_a_time(text: str) -> None:
    columns = {name: np.array(values) for name, values in _MEANINGS.items()}
    found = np.broadcast_to(compute(parse(text), columns), 4).tolist()
    for row in range(4):
        expected = _reference(text, {name: values[row] for name, values in _MEANINGS.items()})
        assert found[row] == pytest.approx(expected, rel=1e-12, nan_ok=True), (text, row)


def _reference(text: str, values: dict[str, float]) -> float:
    """Work the generator's own fully parenthesised text out, by Python's parser."""
    import ast

    def work(node: ast.expr) -> float:  # noqa: PLR0911
        match node:
            case ast.Constant(value=value):
                return float(Fraction(str(value)))
            case ast.Name(id=name):
                return values[name]
            case ast.UnaryOp(op=ast.USub(), operand=one):
                return -work(one)
            case ast.UnaryOp(op=ast.Not(), operand=one):
                found = work(one)
                return NAN if math.isnan(found) else float(not found)
            case ast.BinOp(left=left, op=operation, right=right):
                return _finite(lambda: _calculated(operation, work(left), work(right)))
            case ast.Compare(left=left, ops=[operation], comparators=[right]):
                one, other = work(left), work(right)
                holds = {"Lt": one < other, "GtE": one >= other, "Eq": one == other}[type(operation).__name__]
                return NAN if math.isnan(one) or math.isnan(other) else float(holds)
            case ast.BoolOp(op=operation, values=parts):
                found_all = [work(part) for part in parts]
                if any(math.isnan(each) for each in found_all):
                    return NAN
                return float((all if isinstance(operation, ast.And) else any)(found_all))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return _finite(lambda: _called(name, [work(each) for each in arguments]))
        raise AssertionError(ast.dump(node))

    # Python calls a function `if` no function; and takes 2 where we take a condition's truth.
    return work(ast.parse(text.replace("if(", "if_("), mode="eval").body)


def _calculated(operation: object, one: float, other: float) -> float:
    match type(operation).__name__:
        case "Add":
            return one + other
        case "Sub":
            return one - other
        case "Mult":
            return one * other
        case "Div":
            return one / other
    return one * one  # the generator's only power


def _called(name: str, values: list[float]) -> float:
    if name == "if_":
        return NAN if math.isnan(values[0]) else values[1] if values[0] else values[2]
    if any(math.isnan(each) for each in values):
        return NAN
    called = {"min": min, "max": max, "sum": sum, "abs": lambda v: abs(v[0]), "mean": _mean}
    return called[name](values)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _finite(call) -> float:
    try:
        found = call()
    except (ZeroDivisionError, OverflowError):
        return NAN
    return found if math.isfinite(found) else NAN
