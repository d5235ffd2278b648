"""Reads a golden case with `struct` alone; imports nothing of ours: a shared mistake would prove itself."""

import struct
from pathlib import Path
from typing import Any

import yaml


def read_case(file: Path) -> dict[str, Any]:
    """Return a case of tests/cases/devices."""
    case: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return case


def meaning(case: dict[str, Any], tag: dict[str, Any], sent: str) -> float:
    """Return what the registers mean by the case's own words."""
    octets = bytes.fromhex(sent)
    if case["words"] == "swapped":
        octets = b"".join(octets[i : i + 2] for i in range(len(octets) - 2, -2, -2))
    (raw,) = struct.unpack(tag["wire"], octets)
    return raw * tag["times"]


def registers(case: dict[str, Any], scan: int) -> dict[int, bytes]:
    """Return two bytes a register by its address, of one scan; those of no tag are not among them."""
    found: dict[int, bytes] = {}
    for tag in case["tags"].values():
        octets = bytes.fromhex(tag["scans"][scan][0])
        for i in range(0, len(octets), 2):
            address = tag["at"] + i // 2
            assert address not in found, f"two tags share register {address}"
            found[address] = octets[i : i + 2]
    return found
