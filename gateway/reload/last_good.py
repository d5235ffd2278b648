"""What ran last on a data directory: it runs again beside a typing error, and keeps other plants away."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.load import read_plant_bytes
from config.plant import Gateway, Plant
from config.reading.yaml_tree import LARGEST_FILE
from connectors import SystemClock
from gateway.reload.applying import Refused
from gateway.reload.identity import Identity, identify
from gateway.reload.versions import Version, Versions
from gateway.sqlite import NewerFormat

_USUAL: Final[str] = Gateway.model_fields["data_dir"].default


@dataclass(frozen=True, slots=True)
class LastGood:
    """A version that ran."""

    plant: Plant
    version: Version
    directory: Path
    """Its data directory."""


def last_good(plant_file: Path) -> LastGood | None:
    """Return the newest version of this file that ran, if it can still be read; None where there is none.

    Its data directory is the one the broken file names; the usual one only where it names none that can be
    read. A version an earlier release kept, without its file, runs only where both name the same gateway.

    Raises:
        Refused: there are versions, but of another plant file or another gateway.
    """
    folder = plant_file.resolve().parent
    says = _says(plant_file, folder)
    directory = (folder / (says.data_dir or _USUAL)).resolve()
    versions = Versions(directory, SystemClock(), plant_file)
    try:
        newest = versions.last_good(says.gateway) or versions.anybodys()
        found = None if newest is None else versions.one(newest.number)
    except (sqlite3.Error, NewerFormat, OSError):
        return None
    if found is None:
        return None
    version, text = found
    known = version.file == versions.file or (version.file is None and says.gateway is not None)
    if not known or says.gateway not in (None, version.gateway):
        raise Refused(
            "E-AP-0010",
            file=plant_file.name,
            directory=directory,
            theirs=versions.seen(version.file),
            gateway=version.gateway,
        )
    plant = read_plant_bytes(text, str(plant_file), folder).plant
    return None if plant is None else LastGood(plant, version, directory)


def refuse_anothers(plant_file: Path, gateway: str, directory: Path) -> None:
    """Let nobody write into the log and the books of another plant.

    One file under a new `gateway.id`, and one gateway's file under a new name, are the same plant still.

    Raises:
        Refused: what ran last on this data directory is another file and another gateway.
    """
    versions = Versions(directory, SystemClock(), plant_file)
    try:
        other = versions.of_another(gateway)
    except (sqlite3.Error, NewerFormat, OSError):
        return
    if other is not None:
        raise Refused(
            "E-AP-0011",
            file=plant_file.name,
            own=gateway,
            directory=directory,
            theirs=versions.seen(other.file),
            gateway=other.gateway,
        )


def _says(plant_file: Path, folder: Path) -> Identity:
    try:
        with plant_file.open("rb") as file:
            return identify(file.read(LARGEST_FILE + 1), folder)
    except OSError:
        return Identity(None, None)
