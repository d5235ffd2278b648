"""A line of CJ/T 188 meters as a source: one batch is one scan of one meter."""

from config.connections import Cjt188Source
from config.problems import Phrase
from connectors.cjt188.meter import frames_of, meter
from connectors.clock import Clock
from connectors.line.meters import line_of, load_of
from connectors.line.source import Device, Line, LineSource
from connectors.tags import TagTable


class Cjt188(LineSource):
    """A source of the meters on one line."""

    def __init__(
        self,
        name: str,
        options: Cjt188Source,
        line: Line,
        *,
        site: str,
        tags: TagTable,
        clock: Clock,
    ) -> None:
        def make() -> list[Device]:
            return [meter(each, device) for each, device in options.devices.items()]

        super().__init__(name, options, line, make, site=site, tags=tags, clock=clock)


def line(options: Cjt188Source) -> Line:
    """Return what the source is made over."""
    return line_of(options, frames_of(options))


def line_load(options: Cjt188Source, delay: int = 0) -> float:
    """Return the share of its time a line needs for all its scans; `delay` is a meter's own, ns."""
    meters = [meter(name, device) for name, device in options.devices.items()]
    return load_of(options, frames_of(options), meters, delay)


def describe_meters(options: Cjt188Source) -> list[Phrase]:
    """Return what each meter will be asked, a line each."""
    lines = []
    for name, device in options.devices.items():
        asked: dict[str, list[str]] = {}
        for each, tag in device.tags.items():
            asked.setdefault(tag.di.upper(), []).append(each)
        said = ", ".join(f"{di} {' '.join(tags)}" for di, tags in asked.items())
        args = {"name": name, "address": device.address, "requests": len(asked), "asked": said}
        lines.append(Phrase("plan.meter", args))
    return lines
