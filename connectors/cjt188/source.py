"""A line of CJ/T 188 meters as a source: one batch is one scan of one meter."""

from config.connections import Cjt188Source
from config.problems import Phrase
from connectors.cjt188.meter import asks_anyone, frames_of, meter
from connectors.clock import Clock
from connectors.line.meter import Meter
from connectors.line.meters import line_of, load_of
from connectors.line.source import Line, LineSource
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
        super().__init__(name, options, line, lambda: _meters(options), site=site, tags=tags, clock=clock)
        self._asks_anyone = asks_anyone(options)

    def renew(self, options: Cjt188Source) -> bool:
        """Go on with these meters; not where one that is asked without an address comes or goes."""
        if asks_anyone(options) != self._asks_anyone:
            return False
        self._renew(lambda: _meters(options))
        return True


def line(options: Cjt188Source) -> Line:
    """Return what the source is made over."""
    return line_of(options, frames_of(options))


def line_load(options: Cjt188Source, delay: int | None = None) -> float:
    """Return the share of its time a line needs for its scans; `delay` stands for every `reply`, ns."""
    return load_of(options, frames_of(options), _meters(options), delay)


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


def _meters(options: Cjt188Source) -> list[Meter]:
    return [meter(name, device) for name, device in options.devices.items()]
