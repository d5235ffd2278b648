"""Sinks: does each get any tag, and as fast as tags are read?"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from config.base import format_duration
from config.checks.proxy import check_proxy
from config.checks.tls import check_tls, is_this_machine
from config.connections import InfluxDbSink, MqttSink, OpcUaSource, OpenSource, SparkplugSink, TemplateForm
from config.glob import glob_pattern
from config.plant import Plant
from config.problems import Problem, quote
from config.reading.document import Document, Path
from config.select import SelectRule

_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_URL: Final = re.compile(r"https?://[^\s/?#@\\]+(/[^\s?#@\\]*)?")
_TOKEN: Final = re.compile(r"[!-~]+")
"""What a header may carry."""
_BAD_GLOB: Final = re.compile(r"^/|/$|//|[^/]\*\*|\*\*[^/]|[+#\s]")


class Named(NamedTuple):
    """A tag, as selections see it."""

    device: str
    name: str
    values: int
    tag_class: str | None


def check_sinks(plant: Plant, document: Document, *, is_whole: bool) -> Iterator[Problem]:
    """Yield selections that select nothing, prefixes and rates that can't be."""
    for name, sink in plant.sinks.items():
        path = ("sinks", name)
        yield from check_rules(sink.select, plant, document, path, is_whole=is_whole)
        match sink:
            case MqttSink() | SparkplugSink():
                if not all(sink.prefix.split("/")) or sink.prefix.startswith("$"):
                    yield document.problem("E-CF-0713", (*path, "prefix"), prefix=quote(sink.prefix))
                if isinstance(sink, MqttSink) and isinstance(sink.format, TemplateForm):
                    from config.checks.mqtt_templates import check_template  # noqa: PLC0415  4 MB of Jinja

                    yield from check_template(sink.format, document, (*path, "format"))
            case InfluxDbSink():
                yield from _influxdb(sink, document, path)
        rate = _rows_per_second(plant)
        if is_whole and sink.replay_rate is not None and sink.replay_rate < rate:
            at = (*path, "replay_rate")
            yield document.problem("W-CF-0715", at, rate=sink.replay_rate, intake=f"{rate:.0f}")


def all_tags(plant: Plant) -> Iterator[Named]:
    """Yield every tag the plant file names; an array once."""
    for source in plant.sources.values():
        for name, device in source.devices.items():
            path = f"{plant.gateway.site}/{device.at}/{name}"
            for tag_name, tag in device.tags.items():
                yield Named(path, tag_name, tag.count, tag.class_)
    for name, place in plant.derived.items():
        for tag_name, derived in place.tags.items():
            yield Named(f"{plant.gateway.site}/{place.at}/{name}", tag_name, 1, derived.class_)


def _rows_per_second(plant: Plant) -> float:
    return sum(
        tag.count * 1e9 / (getattr(tag, "scan", None) or device.scan)
        for source in plant.sources.values()
        for device in source.devices.values()
        for tag in device.tags.values()
    )


def check_rules(
    select: Sequence[SelectRule], plant: Plant, document: Document, path: Path, *, is_whole: bool
) -> Iterator[Problem]:
    """Yield what is wrong with a selection at `path`."""
    dead: list[Problem] = []
    everything_before = False
    # What a broker brings, and what an OPC UA array holds, is known at run time only: nothing is proved dead.
    is_open = any(isinstance(source, OpenSource | OpcUaSource) for source in plant.sources.values())
    for i, rule in enumerate(select):
        at = (*path, "select", i)
        if (rule.every is None) != (rule.as_ is None):
            code, field = ("E-CF-0702", "as") if rule.every is None else ("E-CF-0701", "every")
            yield document.problem(code, (*at, field), at_key=True)
        if rule.every is not None and rule.every > plant.buffer.keep:
            words = {"every": format_duration(rule.every), "keep": format_duration(plant.buffer.keep)}
            yield document.problem_with("E-CF-0716", (*at, "every"), words)
        if _BAD_GLOB.search(rule.path):
            yield document.problem("E-CF-0714", (*at, "path"), path=quote(rule.path))
        elif everything_before:
            yield document.problem("W-CF-0705", at, at_key=True)
        elif not is_open and not any(matches(rule, tag) for tag in all_tags(plant)):
            dead.append(document.problem("W-CF-0703", at, at_key=True))
        everything_before = everything_before or (rule.path == "**" and rule.class_ is None)
    if is_whole and dead:
        is_idle = len(dead) == len(select)
        yield from [document.problem("E-CF-0704", path, at_key=True)] if is_idle else dead


def matches(rule: SelectRule, tag: Named) -> bool:
    """Tell whether a rule takes a tag, or any value of an array."""
    if rule.class_ is not None and rule.class_ != tag.tag_class:
        return False
    if rule.path == "**":
        return True
    pattern = glob_pattern(rule.path)
    if tag.values == 1:
        return pattern.fullmatch(f"{tag.device}/{tag.name}")
    # Of an array only the ends and the numbers the glob itself names can make a difference.
    numbers = {0, tag.values - 1, *(int(text) for text in _NUMBER.findall(rule.path))}
    return any(
        pattern.fullmatch(f"{tag.device}/{tag.name}_{number}") for number in numbers if number < tag.values
    )


def _influxdb(sink: InfluxDbSink, document: Document, path: Path) -> Iterator[Problem]:
    host = _host(sink.url)
    if host is None or "/api/v2" in sink.url:
        yield document.problem("E-CF-0720", (*path, "url"), url=quote(sink.url))
    if sink.tls is not None:
        yield from check_tls(sink.tls, document, (*path, "tls"))
    if sink.proxy is not None:
        yield from check_proxy(sink.proxy, document, (*path, "proxy"))
    if sink.daily_cap is not None:
        yield document.problem("W-CF-0724", (*path, "daily_cap"), at_key=True)
    is_plain = sink.url.startswith("http:")
    if sink.tls is not None and is_plain:
        yield document.problem("E-CF-0721", (*path, "tls"), at_key=True)
    if sink.token is not None:
        if not _TOKEN.fullmatch(sink.token.get_secret_value()):
            yield document.problem("E-CF-0722", (*path, "token"), at_key=True)
        if is_plain and host is not None and not is_this_machine(host):
            yield document.problem("W-CF-0723", (*path, "token"), at_key=True, host=quote(host))


def _host(url: str) -> str | None:
    """Return the host of a database's address; None where it is none."""
    if not _URL.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # a port that is none, half an IPv6 address
        return None
    return None if port == 0 else parts.hostname
