"""Device templates: a meter's register map as data, with where each number comes from.

`<maker>/<model>.yaml` is looked for in the folder the plant file names (`gateway.library`), then among the
templates that come with the gateway (`config/data/devices`). A template is read and checked once, however
many devices are made from it.
"""

import re
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from config.base import Duration, Model, Name
from config.checks.tags import check_tags
from config.connections.modbus_tcp import ModbusTag, RegisterTable
from config.problems import Problem
from config.reading.document import Document, Mapping
from config.reading.references import why_unreadable
from config.reading.structure import validate
from config.reading.yaml_tree import read_document


class Text(Model):
    """A sentence or a name in both languages."""

    zh: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]


class SerialDefaults(Model):
    """How the serial line is set when the device leaves the maker; 8 data bits."""

    baud: Annotated[int, Field(ge=1)]
    parity: Literal["none", "even", "odd"] | None = None
    """None where it is not known."""
    stop_bits: Annotated[int, Field(ge=1, le=2)] | None = None
    """None where it is not known."""
    unit_id: Annotated[int, Field(ge=1, le=247)] | None = None
    """None where it is not known."""
    confirmed: bool = True
    """False: no source of the numbers says it; look at the device."""

    def __str__(self) -> str:
        """Return it in the trade's short form: 9600 8N1; what is not known is a question mark."""
        parity = "?" if self.parity is None else self.parity[0].upper()
        return f"{self.baud} 8{parity}{self.stop_bits or '?'}"


class DeviceDefaults(Model):
    """What a device of this template takes unless the plant file says otherwise."""

    scan: Annotated[Duration, Field(ge=10_000_000)] | None = None
    timeout: Duration | None = None
    max_registers: Annotated[int, Field(ge=1, le=125)] | None = None
    max_bits: Annotated[int, Field(ge=1, le=2000)] | None = None
    max_gap: Annotated[int, Field(ge=0, le=124)] | None = None
    max_in_flight: Annotated[int, Field(ge=1, le=64)] | None = None


class TagDefaults(Model):
    """What a tag of this template takes unless it says otherwise."""

    table: RegisterTable | None = None
    order: str | None = None


class Template(Model):
    """One device's register map."""

    maker: Annotated[str, Field(min_length=1)]
    model: Annotated[str, Field(min_length=1)]
    title: Text
    """What people call the device."""
    kind: Literal["modbus"]
    category: Literal["meter", "inverter", "other"] = "other"
    source: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    """Where the numbers come from: manual, driver, measurement. No number without its source."""
    source_year: int | Literal["unknown"] = "unknown"
    confidence: Literal["high", "medium", "low"]
    """High: two sources agree, or one maintained driver cites the maker's manual."""
    side: Literal["primary", "secondary", "unknown"] = "unknown"
    """Primary: values are those of the line, the device has applied its transformers' ratios. Secondary: they
    are those at its terminals; the plant file gives `ct` and `pt`. Unknown: no source says it."""
    sign: Literal["import_positive", "export_positive", "unknown"] = "unknown"
    """Whether power taken from the grid or power fed into it is positive."""
    refresh: Annotated[Duration, Field(ge=1)] | None = None
    """How often the device renews its values, the slowest of them; absent: not known."""
    serial: SerialDefaults | None = None
    """Absent: not known."""
    notes: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    """What whoever installs it must know and no field above says."""
    device: DeviceDefaults = DeviceDefaults()
    tag: TagDefaults = TagDefaults()
    tags: Annotated[dict[Name, ModbusTag], Field(min_length=1)]

    def options(self) -> dict[str, Any]:
        """Return the device options this template sets."""
        return {
            name: value
            for name in DeviceDefaults.model_fields
            if (value := getattr(self.device, name)) is not None
        }


TEMPLATE_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*/[A-Za-z0-9_-][A-Za-z0-9_.-]*")
"""maker/model, as in the plant file."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading a template."""

    template: Template | None
    problems: tuple[Problem, ...]


class Library:
    """The templates a plant may use: the user's own folder first, then ours."""

    def __init__(self, own: Path | None = None, *, is_whole: bool = True) -> None:
        self.is_whole = is_whole
        """False when the user's own folder can't be had: an unknown name may well be in there."""
        self.own = own
        ours = resources.files("config") / "data" / "devices"
        self._folders: list[Traversable] = [ours] if own is None else [own, ours]
        self._read: dict[str, Reading | None] = {}

    def names(self) -> list[str]:
        """Return the names of all templates, e.g. ``eastron/sdm630``, sorted."""
        return sorted(
            {
                f"{maker.name}/{file.name.removesuffix('.yaml')}"
                for folder in self._folders
                if folder.is_dir()
                for maker in folder.iterdir()
                if maker.is_dir()
                for file in maker.iterdir()
                if file.name.endswith(".yaml")
            }
        )

    def read(self, name: str) -> Reading | None:
        """Return the template with what is wrong in its file, None where there is no such file; read once."""
        if name not in self._read:
            self._read[name] = self._find(name)
        return self._read[name]

    def _find(self, name: str) -> Reading | None:
        if TEMPLATE_NAME.fullmatch(name) is None:
            return None
        maker, model = name.split("/")
        for folder in self._folders:
            file = folder / maker / f"{model}.yaml"
            if file.is_file():
                return _read_template(file, str(file))
        return None


def _read_template(file: Traversable, shown: str) -> Reading:
    try:
        data = file.read_bytes()
    except OSError as error:
        return Reading(None, (Problem("E-CF-0002", shown, 1, 1, "", {"reason": why_unreadable(error)}),))
    document, problems = read_document(data, shown)
    if document is None:
        return Reading(None, tuple(problems))
    _spread_defaults(document)
    template, problems, _ = validate(document, Template)
    if template is not None:
        problems += check_tags(template.tags, document, ("tags",))
    return Reading(template, tuple(problems))


def _spread_defaults(document: Document) -> None:
    """Write the template's tag defaults into each tag that leaves them open, at the default's own place."""
    defaults, tags = document.root.get("tag"), document.root.get("tags")
    if not isinstance(defaults, Mapping) or not isinstance(tags, Mapping):
        return
    for tag in tags.values():
        for key in ("table", "order"):
            if isinstance(tag, Mapping) and key in defaults and key not in tag:
                tag[key] = defaults[key]
                tag.places[key] = defaults.places[key]
