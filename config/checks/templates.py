"""A device made from a template: may its figures be believed, and are they primary or secondary?"""

from collections.abc import Iterator

from config.connections import ModbusDevice
from config.library import Reading, Template
from config.problems import Phrase, Problem, quote
from config.reading.document import Document, Path


def check_confidence(reading: Reading | None, name: str, document: Document, path: Path) -> Iterator[Problem]:
    """Yield a doubt about a template that too few sources speak for, at the first device that names it."""
    template = reading.template if reading else None
    if template is not None and template.confidence != "high":
        word = Phrase(f"confidence.{template.confidence}")
        yield document.problem("W-CF-1001", (*path, "template"), name=quote(name), confidence=word)


def check_ratios(
    device: ModbusDevice, template: Template | None, document: Document, path: Path
) -> Iterator[Problem]:
    """Yield transformer ratios that are missing, that would count twice, or that nothing takes."""
    given = [field for field in ("ct", "pt") if getattr(device, field) is not None]
    if template is None:
        for field in given:
            yield document.problem("E-CF-1004", (*path, field), at_key=True, field=field)
    elif template.side == "primary":
        for field in given:
            yield document.problem("E-CF-1003", (*path, field), at_key=True, field=field)
    elif template.side == "secondary" and not given:
        yield document.problem("W-CF-1002", (*path, "template"), name=quote(device.template or ""))
