"""Reading a plant file: every mistake at once, or a `Plant` that is ready to run.

    bytes ─ yaml_tree → tree with places ─ references → ─ structure → models ─ expand → Plant ─ checks → Plant
                 └──────────────┴────────────────┴──────────────┴───────────────┴──▶ problems

A mistake in the YAML itself ends the reading there; after every other mistake the reading goes on with what
is sound, so that a person corrects a file once and not ten times. What is no plant at all ends it early.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from config.checks import check_plant, check_tags
from config.checks.factors import check_factors
from config.connections import MqttMessages, MqttSource, SourceOptions, SparkplugNodes, SparkplugSource
from config.factors import Factors
from config.library import Library
from config.plant import Plant
from config.problems import ConfigurationError, Language, Phrase, Problem, in_order
from config.reading import plausible
from config.reading.document import Document
from config.reading.document import Path as Steps
from config.reading.expand import expand, name_ranges
from config.reading.references import UNRESOLVED, resolve_references, why_unreadable
from config.reading.structure import validate
from config.reading.yaml_tree import LARGEST_FILE, read_document


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of reading a plant file."""

    plant: Plant | None
    """None when there is any error."""
    problems: tuple[Problem, ...]
    """Errors and warnings, in the order of the file."""
    document: Document | None = None
    """The file, for whoever has more to say of a place in it; None when it is no YAML."""


def load_plant(path: Path, *, language: Language | None = None) -> Plant:
    """Return the plant this file describes, templates and ranges spelled out.

    `language` is of the messages; the machine's own when None.

    Raises:
        ConfigurationError: the file has errors; all of them are named.
    """
    outcome = read_plant(path)
    if outcome.plant is None:
        raise ConfigurationError(outcome.problems, language)
    return outcome.plant


def read_plant(path: Path) -> Outcome:
    """Return the plant, if it can be used, together with every error and warning."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        code = "E-CF-0001" if isinstance(error, FileNotFoundError) else "E-CF-0002"
        return Outcome(None, (Problem(code, str(path), 1, 1, "", {"reason": why_unreadable(error)}),))
    return read_plant_bytes(data, str(path), path.parent)


def read_plant_bytes(data: bytes, name: str, folder: Path) -> Outcome:
    """Do the same for a file's bytes, shown as `name`; what they refer to is looked for from `folder`."""

    def look(begun: Document, opened: Steps, entries: int) -> list[Problem]:
        return plausible.look(begun, opened, entries, Plant, folder)

    document, problems = read_document(data, name, look)
    if document is None:
        return Outcome(None, in_order(problems))
    problems += resolve_references(document, folder)
    ranges, range_problems = name_ranges(document)
    problems += range_problems
    plant, form_problems, is_whole = validate(document, Plant, folder)
    problems += form_problems
    if plant is not None:
        library, library_problems = _library(plant, document, folder)
        problems += library_problems
        for source_name, source in plant.sources.items():
            for device_name, device in source.devices.items():
                at = ("sources", source_name, "devices", device_name, "tags")
                problems += check_tags(device.tags, document, at)
            for field, entries in _entries(source):
                for i, entry in enumerate(entries):
                    problems += check_tags(entry.tags, document, ("sources", source_name, field, i, "tags"))
        for device_name, derived in plant.derived.items():
            problems += check_tags(derived.tags, document, ("derived", device_name, "tags"))
        plant, expand_problems = expand(plant, document, ranges, library)
        problems += expand_problems
        is_whole = is_whole and not any(problem.severity == "error" for problem in problems)
        problems += check_plant(plant, document, is_whole=is_whole)
        problems += check_factors(plant, document, Factors(library.own), is_whole=library.is_whole)
    is_usable = not any(problem.severity == "error" for problem in problems)
    return Outcome(plant if is_usable else None, in_order(problems), document)


def _entries(source: SourceOptions) -> Iterator[tuple[str, Sequence[MqttMessages | SparkplugNodes]]]:
    """Yield what a source that meets its devices at run time says of them, and where."""
    if isinstance(source, MqttSource):
        yield "messages", source.messages
    elif isinstance(source, SparkplugSource):
        yield "nodes", source.nodes


def _library(plant: Plant, document: Document, folder: Path) -> tuple[Library, list[Problem]]:
    name = plant.gateway.library
    if name is None:
        return Library(), []
    try:
        own = folder / name
        if own.is_dir():
            return Library(own), []
        reason = Phrase("reason.missing")
    except OSError as error:
        reason = why_unreadable(error)
    path = ("gateway", "library")
    if document.value(path) is UNRESOLVED:
        return Library(is_whole=False), []
    return Library(is_whole=False), [document.problem("E-CF-0306", path, reason=reason)]
