"""What a plant file refers to, read as it is written: no variable need be set, no mistake is in the way."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from config.leaves import Sort, leaves
from config.plant import Gateway
from config.problems import ConfigurationError
from config.reading.document import Mapping
from config.reading.references import looked_up, named_in
from config.reading.yaml_tree import LARGEST_FILE, read_document
from gateway.backup.archive import BackupFailed

_PRIVATE: Final = b"PRIVATE KEY-----"


@dataclass(slots=True)
class Referred:
    """What belongs to a plant file."""

    file: Path
    gateway: str
    data_dir: Path
    certificates: list[Path] = field(default_factory=list)
    """TLS and OPC UA files, and the own library's."""
    private: list[Path] = field(default_factory=list)
    """Files with a private key in them."""
    secrets: list[Path] = field(default_factory=list)
    """What `${file:…}` names."""
    variables: list[str] = field(default_factory=list)
    """What `${env:…}` names."""
    missing: list[str] = field(default_factory=list)
    """Named, but not there or not readable."""


def refer(plant_file: Path) -> Referred:
    """Return what a plant file refers to.

    Raises:
        BackupFailed: the file can't be read, or its data directory is named by a variable that is not set.
        ConfigurationError: it is no YAML.
    """
    root = read_tree(plant_file)
    folder = plant_file.resolve().parent
    about = root.get("gateway")
    about = about if isinstance(about, dict) else {}
    data_dir = _text(about, "data_dir", Gateway.model_fields["data_dir"].default, folder)
    if data_dir is None:
        raise BackupFailed("E-BK-0001", file=plant_file)
    found = Referred(plant_file.resolve(), str(about.get("id", "")), (folder / data_dir).resolve())
    library = _text(about, "library", "", folder)
    for file in _library(folder / library) if library else ():
        found.certificates.append(file)
    for leaf in leaves(root):
        named = named_in(leaf.value) if isinstance(leaf.value, str) else []
        for how, name in named:
            if how == "env":
                found.variables.append(name)
            else:
                _note(found, folder / name, found.secrets)
        if leaf.sort is Sort.FILE and isinstance(leaf.value, str) and not named:
            file = folder / leaf.value
            is_private = leaf.field == "key" or holds_private_key(file)
            _note(found, file, found.private if is_private else found.certificates)
    for each in (found.certificates, found.private, found.secrets):
        each[:] = dict.fromkeys(each)
    found.variables = sorted(set(found.variables))
    return found


def read_tree(plant_file: Path) -> Mapping:
    """Return a plant file's tree as written; BackupFailed or ConfigurationError when there is none."""
    try:
        with plant_file.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as exc:
        raise BackupFailed("E-BK-0002", file=plant_file, reason=exc.strerror or exc) from exc
    document, problems = read_document(data, str(plant_file))
    if document is None:
        raise ConfigurationError(problems)
    return document.root


def holds_private_key(file: Path) -> bool:
    """Tell a file with a private key in PEM from a certificate; a DER key is known by its field or name."""
    try:
        with file.open("rb") as stream:
            return _PRIVATE in stream.read(LARGEST_FILE)
    except OSError:
        return False


def _note(found: Referred, file: Path, group: list[Path]) -> None:
    if file.is_file() and os.access(file, os.R_OK):
        group.append(file.resolve())
    else:
        found.missing.append(str(file))


def _text(about: dict[str, Any], key: str, default: str, folder: Path) -> str | None:
    value = about.get(key, default)
    return looked_up(value, folder) if isinstance(value, str) and "${" in value else str(value or default)


def _library(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield file.resolve()
