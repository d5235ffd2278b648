"""The fast publisher in C, compiled where it is needed."""

import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("mqtt_flood.c")


def compiled(folder: Path) -> Path:
    """Compile it into a folder and return the program."""
    program = folder / "mqtt_flood"
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, SOURCE], check=True)
    return program


def read_journal(path: Path) -> dict[int, tuple[int, int]]:
    """Return {number: (topic, time in µs)} of every message the broker acknowledged."""
    lines = path.read_text().splitlines()
    return {int(n): (int(topic), int(micros)) for n, topic, micros in map(str.split, lines)}


def value(number: int, index: int) -> float:
    """Return what value `index` of a message is."""
    return ((number * 2654435761 + index * 7919) % (1 << 24)) / 8
