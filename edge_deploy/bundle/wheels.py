"""The wheels of a bundle: what the lock asks for on the target, fetched once, checked by hash; and our own.

pip evaluates markers for the machine it runs on, so they are evaluated here, and pip is given names without.
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Final
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from edge_deploy.bundle.target import Target

_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Pin:
    """One line of a lock."""

    name: str
    version: str
    hashes: frozenset[str]
    """sha256 of every file the index had when the lock was made."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """One file of the wheelhouse."""

    path: Path
    name: str
    version: str
    sha256: str

    @property
    def metadata(self) -> Message:
        """Return its METADATA (core metadata, PEP 566)."""
        with ZipFile(self.path) as archive:
            (name,) = (
                each for each in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", each)
            )
            return HeaderParser().parsestr(archive.read(name).decode("utf-8"))


def pins(lock: Path, target: Target) -> list[Pin]:
    """Return what a lock asks for on the target."""
    found = []
    for line in lock.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        asked = Requirement(_HASH.sub("", line).strip())
        if asked.marker is None or asked.marker.evaluate(dict(target.markers)):
            (exact,) = asked.specifier
            found.append(Pin(canonicalize_name(asked.name), exact.version, frozenset(_HASH.findall(line))))
    return found


def read(path: Path) -> Wheel:
    """Return what a wheel's name and bytes say."""
    name, version, _, _ = parse_wheel_filename(path.name)
    return Wheel(path, str(name), str(version), hashlib.sha256(path.read_bytes()).hexdigest())


def gather(wanted: Iterable[Pin], target: Target, cache: Path) -> list[Wheel]:
    """Return a wheel for each pin, from the cache or else through pip; SystemExit names what has none."""
    wanted = list(wanted)
    cache.mkdir(parents=True, exist_ok=True)
    missing = [pin for pin in wanted if _cached(pin, target, cache) is None]
    if missing:
        _download(missing, target, cache)
    found = {pin.name: _cached(pin, target, cache) for pin in wanted}
    without = [name for name, wheel in found.items() if wheel is None]
    if without:
        raise SystemExit(f"no wheel for {target.platform}, CPython {target.python}: {', '.join(without)}")
    return [wheel for wheel in found.values() if wheel is not None]


def build_own(root: Path, out: Path, epoch: int) -> Wheel:
    """Build our wheel with the page in it; the same bytes for the same tree and epoch."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(root)]
    variables = os.environ | {"SOURCE_DATE_EPOCH": str(epoch)}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)  # noqa: S603  our own words
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    (path,) = out.glob("wanglian-*.whl")
    return read(path)


def _cached(pin: Pin, target: Target, cache: Path) -> Wheel | None:
    """Return the best wheel for the target that the lock knows."""
    rank = {tag: place for place, tag in enumerate(target.tags)}
    best: tuple[int, Wheel] | None = None
    for path in sorted(cache.glob("*.whl")):
        name, version, _, tags = parse_wheel_filename(path.name)
        places = [rank[tag] for tag in tags if tag in rank]
        if (name, str(version)) != (pin.name, pin.version) or not places:
            continue
        wheel = read(path)
        if wheel.sha256 in pin.hashes and (best is None or min(places) < best[0]):
            best = min(places), wheel
    return None if best is None else best[1]


def _download(missing: list[Pin], target: Target, cache: Path) -> None:
    """Fetch into a folder of our own, then move: bundles made at the same time share the cache."""
    lines = (
        f"{pin.name}=={pin.version} {' '.join(f'--hash=sha256:{each}' for each in sorted(pin.hashes))}\n"
        for pin in missing
    )
    with tempfile.TemporaryDirectory(dir=cache) as work:
        asked = Path(work) / "asked.txt"
        asked.write_text("".join(lines))
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary", ":all:", "--implementation", "cp"]
        command += ["--python-version", target.python]
        for each in target.platform_tags:
            command += ["--platform", each]
        command += ["--require-hashes", "--requirement", str(asked), "--dest", work]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own words
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        for wheel in Path(work).glob("*.whl"):
            wheel.replace(cache / wheel.name)
