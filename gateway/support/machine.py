"""What a support archive tells of the machine: versions, packages, disk, memory; of certificates, no keys."""

import contextlib
import os
import platform
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1

from config.version import wanglian_version

_LARGEST_CERTIFICATE: Final = 2**20
_MEMORY: Final = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")


def about_machine(data_dir: Path) -> dict[str, Any]:
    """Return versions, processor, memory and disk."""
    place = next((each for each in (data_dir, *data_dir.parents) if each.exists()), Path("/"))
    usage = shutil.disk_usage(place)
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "wanglian": wanglian_version(),
        "python": sys.version,
        "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "load": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "memory": _memory(),
        "disk": {"data_dir": str(data_dir), "total": usage.total, "free": usage.free},
        "clock": {"utc_ns": time.time_ns(), "zone": time.tzname, "monotonic_s": time.monotonic()},
    }


def packages() -> str:
    """Return name and version of every installed package, a line each."""
    found = {f"{each.metadata['Name']}=={each.version}" for each in distributions() if each.metadata["Name"]}
    return "\n".join(sorted(found, key=str.lower)) + "\n"


def certificates(files: Iterable[Path]) -> list[dict[str, Any]]:
    """Return whose each certificate is, by whom, until when; of anything else that it is no certificate."""
    return [entry for file in files for entry in _certificates_in(file)]


def _certificates_in(file: Path) -> Iterator[dict[str, Any]]:
    try:
        with file.open("rb") as stream:
            data = stream.read(_LARGEST_CERTIFICATE)
        is_pem = b"-----BEGIN" in data
        found = x509.load_pem_x509_certificates(data) if is_pem else [x509.load_der_x509_certificate(data)]
    except (OSError, ValueError) as exc:
        yield {"file": str(file), "problem": type(exc).__name__}
        return
    for each in found:
        yield {
            "file": str(file),
            "subject": each.subject.rfc4514_string(),
            "issuer": each.issuer.rfc4514_string(),
            "valid_from": each.not_valid_before_utc.isoformat(),
            "valid_until": each.not_valid_after_utc.isoformat(),
            "days_left": (each.not_valid_after_utc - datetime.now(UTC)).days,
            "thumbprint": each.fingerprint(SHA1()).hex(),  # noqa: S303  the name OPC UA knows it by
        }


def _memory() -> dict[str, str]:
    with contextlib.suppress(OSError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return {
            key: rest.strip() for key, _, rest in (each.partition(":") for each in lines) if key in _MEMORY
        }
    return {}
