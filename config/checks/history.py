"""The history: do its times fit each other, and does it get any tag?"""

from collections.abc import Iterator

from config.base import format_duration
from config.checks.sinks import check_rules
from config.plant import Plant
from config.problems import Problem
from config.reading.document import Document


def check_history(plant: Plant, document: Document, *, is_whole: bool) -> Iterator[Problem]:
    """Yield times that contradict each other and rules that mean nothing for a history."""
    history = plant.history
    if history.minute < history.raw:
        field = "minute" if "minute" in history.model_fields_set else "raw"
        words = {"minute": format_duration(history.minute), "raw": format_duration(history.raw)}
        yield document.problem_with("E-CF-1101", ("history", field), words)
    if "select" in history.model_fields_set:
        yield from check_rules(history.select, plant, document, ("history",), is_whole=is_whole)
    for i, rule in enumerate(history.select):
        if rule.every is not None:
            yield document.problem("E-CF-1102", ("history", "select", i, "every"), at_key=True)
