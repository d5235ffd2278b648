"""The last plant file that ran: a typing error must not stop a factory's data at the next start."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from config.load import read_plant_bytes
from config.plant import Gateway, Plant
from config.reading.yaml_tree import LARGEST_FILE, read_document
from connectors import SystemClock
from gateway.reload.versions import Version, Versions
from gateway.sqlite import NewerFormat


@dataclass(frozen=True, slots=True)
class LastGood:
    """A version that ran."""

    plant: Plant
    version: Version
    directory: Path
    """Its data directory."""


def last_good(plant_file: Path) -> LastGood | None:
    """Return the newest version that ran and can still be read; None where there is none.

    Its data directory is the one the broken file names, as far as that can be read, else the usual one.
    """
    folder = plant_file.resolve().parent
    for name in dict.fromkeys((_data_dir(plant_file), Gateway.model_fields["data_dir"].default)):
        directory = (folder / name).resolve()
        versions = Versions(directory, SystemClock())
        try:
            newest = versions.last_good()
            text = None if newest is None else versions.text(newest.number)
        except (sqlite3.Error, NewerFormat, OSError):
            continue
        if newest is None or text is None:
            continue
        plant = read_plant_bytes(text, str(plant_file), folder).plant
        if plant is not None:
            return LastGood(plant, newest, directory)
    return None


def _data_dir(plant_file: Path) -> str:
    try:
        with plant_file.open("rb") as file:
            document, _ = read_document(file.read(LARGEST_FILE + 1), plant_file.name)
    except OSError:
        return ""
    found = None if document is None else document.value(("gateway", "data_dir"))
    return found if isinstance(found, str) else ""
