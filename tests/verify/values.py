"""What the simulated plant served: its journal, and the rule that gives every value of a version."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MODULUS = 16_777_216
"""2^24: every integer below it is a float32, exactly."""
_DEVICE = re.compile(r"m(\d+)")
_VALUE = re.compile(r"v_(\d+)")


def device_index(path: str) -> int | None:
    """Return d of a device path that ends in m<d>."""
    match = _DEVICE.fullmatch(path.rpartition("/")[2])
    return None if match is None else int(match[1])


def value_indexes(names: Sequence[str]) -> NDArray[np.int64]:
    """Return i of each name v_<i>, (n,) int64; -1 for a name the rule says nothing of."""
    matches = (_VALUE.fullmatch(name) for name in names)
    return np.array([-1 if match is None else int(match[1]) for match in matches], np.int64)


def expected(device: int, index: NDArray[np.int64], version: int) -> NDArray[np.float64]:
    """Return the values of one version, (n,) float64."""
    others = version + 7919 * index + 104_729 * device
    return np.where(index == 0, version, others) % MODULUS + 0.0


def version_of(device: int, index: int, value: float) -> int:
    """Return the version a value is of, as the value itself says."""
    return (int(value) - (7919 * index + 104_729 * device if index else 0)) % MODULUS


@dataclass(frozen=True, slots=True)
class Journal:
    """When each version of each device was first served."""

    times: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    """By device: ns UTC at place n, 0 where version n was never served."""

    def time(self, device: int, version: int) -> int:
        """Return when the version was served, ns UTC; 0 if it never was."""
        times = self.times.get(device)
        if times is None or not 0 <= version < len(times):
            return 0
        return int(times[version])


def read_journals(files: Sequence[Path]) -> Journal:
    """Read lines `<device> <n> <time_ns>`; a last line without its end is left out."""
    text = b"".join(content[: content.rfind(b"\n") + 1] for content in (file.read_bytes() for file in files))
    lines = np.array(text.split(), np.int64).reshape(-1, 3)
    journal = Journal()
    for device in np.unique(lines[:, 0]).tolist():
        mine = lines[lines[:, 0] == device]
        times = np.zeros(int(mine[:, 1].max()) + 1, np.int64)
        times[mine[:, 1]] = mine[:, 2]
        journal.times[device] = times
    return journal
