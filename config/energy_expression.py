"""Virtual meters: a sum of meters, written as a person would, read into exact coefficients.

    grid + solar - grid.export        0.5 * (boiler_1 + boiler_2)        "press-1" / 4

What comes out is linear: so many times each meter. A meter times a meter, a number alone, or a division by a
meter is no amount of energy and is refused.
"""

from fractions import Fraction

from config.expression import NotAnExpression, evaluate, parse

Linear = dict[str, Fraction]
"""How many times each meter; the empty name is a plain number."""


def linear(text: str) -> Linear:
    """Return the coefficient of each meter named; raise NotAnExpression."""
    result = evaluate(parse(text), _Amounts())
    if "" in result:
        raise NotAnExpression("syntax.expression_number")
    return {name: each for name, each in result.items() if each}


class _Amounts:
    """Arithmetic of amounts: what isn't linear is refused."""

    def number(self, value: Fraction) -> Linear:
        return {"": value}

    def name(self, name: str) -> Linear:
        return {name: Fraction(1)}

    def apply(self, operation: str, arguments: list[Linear]) -> Linear:
        match operation, arguments:
            case "neg", [one]:
                return _times(one, Fraction(-1))
            case (("+" | "-"), [one, other]):
                return _added(one, _times(other, Fraction(-1)) if operation == "-" else other)
            case (("*" | "/"), [one, other]):
                if operation == "*" and "" in one:
                    one, other = other, one
                if set(other) != {""} or (operation == "/" and not other[""]):
                    raise NotAnExpression("syntax.expression_meters")
                return _times(one, other[""] if operation == "*" else 1 / other[""])
            case _:
                raise NotAnExpression("syntax.expression_linear", operation)


def _times(one: Linear, by: Fraction) -> Linear:
    return {name: times * by for name, times in one.items()}


def _added(one: Linear, other: Linear) -> Linear:
    if ("" in one) != ("" in other):
        raise NotAnExpression("syntax.expression_number")
    total = dict(one)
    for name, times in other.items():
        total[name] = total.get(name, Fraction(0)) + times
    return total
