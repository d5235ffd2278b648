"""A tag's options: do they fit its type and each other? Asked once for each tag that is written."""

from collections.abc import Iterator, Mapping
from typing import Final

from config.alarms import TagAlarm
from config.base import format_duration
from config.checks.registers import check_registers
from config.connections import ModbusTag, MqttTag, OpcUaTag, SimulatedTag
from config.derived import DerivedTag
from config.expression import NotAnExpression, is_truth, parse
from config.problems import Problem
from config.reading.document import Document, Path
from config.tags import SHORTEST_ACCOUNTING_INTERVAL_NS, TagOptions

_TAKEN_FOR: Final = {"COU": ("°C", "CEL"), "FAR": ("°F", "FAH")}
"""What people mean by C and F."""
_FOR_NUMBERS_ONLY: Final = ("scale", "offset", "limits", "deadband", "deliver_as", "counter")


def check_tags(
    tags: Mapping[str, TagOptions] | Mapping[int, TagOptions], document: Document, path: Path
) -> Iterator[Problem]:
    """Yield what is wrong with each of these tags, written under this path of the document."""
    for name, tag in tags.items():
        tag_path = (*path, name)
        if isinstance(tag, ModbusTag):
            yield from check_registers(tag, document, tag_path)
        yield from _check_values(tag, document, tag_path)


def _check_values(tag: TagOptions, document: Document, path: Path) -> Iterator[Problem]:
    kind = _kind_without_numbers(tag)
    if tag.alarm is not None:
        yield from _check_alarm(tag.alarm, kind, document, (*path, "alarm"))
    if kind is not None:
        for field in _FOR_NUMBERS_ONLY:
            if field in tag.model_fields_set and getattr(tag, field) is not False:
                yield document.problem("E-CF-0607", (*path, field), at_key=True, field=field, type=kind)
        return
    if tag.scale == 0:
        yield document.problem("E-CF-0601", (*path, "scale"))
    for field, unit in (("unit", tag.unit), ("deliver_as", tag.deliver_as)):
        if unit is not None and unit.code in _TAKEN_FOR:
            meant, code = _TAKEN_FOR[unit.code]
            yield document.problem("W-CF-0608", (*path, field), unit=unit.symbol, meant=meant, code=code)
    if tag.deliver_as is not None and tag.deliver_as.quantity != tag.unit.quantity:
        yield document.problem(
            "E-CF-0606", (*path, "deliver_as"), unit=tag.unit.symbol, wanted=tag.deliver_as.symbol
        )
    yield from _check_reporting(tag, document, path)


def _check_alarm(alarm: TagAlarm, kind: str | None, document: Document, path: Path) -> Iterator[Problem]:
    low, high = alarm.low, alarm.high
    if kind in ("string", "text"):
        yield document.problem("E-CF-0607", path, at_key=True, field="alarm", type=kind)
    elif low is None and high is None:
        yield document.problem("E-CF-1902", path, at_key=True)
    elif low is not None and high is not None and high - low <= 2 * alarm.hysteresis:
        band = f"{alarm.hysteresis:g}"
        yield document.problem("E-CF-1903", path, at_key=True, low=f"{low:g}", high=f"{high:g}", band=band)


def _check_reporting(tag: TagOptions, document: Document, path: Path) -> Iterator[Problem]:
    low, high = tag.limits.low, tag.limits.high
    if low is not None and high is not None and low >= high:
        yield document.problem("E-CF-0602", (*path, "limits"), at_key=True, low=f"{low:g}", high=f"{high:g}")
    if tag.deadband is not None and tag.counter:
        yield document.problem("E-CF-0604", (*path, "deadband"), at_key=True)
    elif tag.deadband is not None and tag.deadband.percent and None in (low, high):
        yield document.problem("E-CF-0603", (*path, "deadband"))
    if tag.counter and tag.heartbeat is not None and tag.heartbeat > SHORTEST_ACCOUNTING_INTERVAL_NS:
        most = format_duration(SHORTEST_ACCOUNTING_INTERVAL_NS)
        yield document.problem("E-CF-0605", (*path, "heartbeat"), most=most)


def _kind_without_numbers(tag: TagOptions) -> str | None:
    match tag:
        case ModbusTag(type="bool" | "string") | MqttTag(type="bool" | "text"):
            return tag.type
        case OpcUaTag(type="bool" | "string"):
            return tag.type
        case SimulatedTag(shape="text"):
            return tag.shape
        case DerivedTag():
            return "bool" if _is_truth(tag.expression) else None
        case _:
            return None


def _is_truth(expression: str) -> bool:
    try:
        return is_truth(parse(expression))
    except NotAnExpression:  # told where the expression is looked at
        return False
