"""`make bundle`: gathers the parts of a bundle, writes their hashes and packs them into dist/."""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from packaging.utils import parse_wheel_filename

from edge_deploy.bundle.archive import write_tar, write_zip
from edge_deploy.bundle.sbom import bill
from edge_deploy.bundle.target import PLATFORMS, PYTHONS, Target
from edge_deploy.bundle.wheels import Wheel, build_own, gather, pins

ROOT: Final = Path(__file__).resolve().parents[2]
LOCKS: Final = ROOT / "edge_deploy" / "locks"
CACHE: Final = ROOT / "build" / "wheels"
_WITHOUT_GIT: Final = 1_580_601_600
"""2020-02-02, what hatchling takes too when nobody names a time."""


def main() -> None:
    """Make the bundle the command line asks for."""
    parser = argparse.ArgumentParser(prog="make bundle", description=__doc__)
    parser.add_argument("--platform", choices=PLATFORMS, required=True)
    parser.add_argument("--python", choices=PYTHONS, default=PYTHONS[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    asked = parser.parse_args()
    print(make(Target(asked.platform, asked.python), asked.out))


def make(target: Target, out: Path, *, root: Path = ROOT, cache: Path = CACHE) -> Path:
    """Return the bundle made for a target; beside it lies its sha256."""
    epoch = source_date(root)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        own = build_own(root, Path(work) / "own", epoch)
        suffix = "" if target.python == PYTHONS[0] else f"-cp{target.python.replace('.', '')}"
        folder = Path(work) / f"wanglian-{own.version}-{target.platform}{suffix}"
        lay_out(folder, own, target, epoch, cache=cache)
        packed = out / (folder.name + (".zip" if target.is_windows else ".tar.gz"))
        (write_zip if target.is_windows else write_tar)(folder, packed, epoch)
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()
    packed.with_name(packed.name + ".sha256").write_text(f"{digest}  {packed.name}\n")
    return packed


def lay_out(folder: Path, own: Wheel, target: Target, epoch: int, *, cache: Path = CACHE) -> None:
    """Put everything a bundle has into a folder."""
    runtime = gather(pins(LOCKS / "runtime.txt", target), target, cache)
    tools = gather((pin for pin in pins(LOCKS / "dev.txt", target) if pin.name == "pip"), target, cache)
    for name, wheels in (("wheels", [own, *runtime]), ("tools", tools)):
        (folder / name).mkdir(parents=True)
        for wheel in wheels:
            shutil.copyfile(wheel.path, folder / name / wheel.path.name)
    lock = "".join(f"{w.name}=={w.version} --hash=sha256:{w.sha256}\n" for w in (own, *runtime))
    _write(folder / "requirements.txt", lock)
    facts = {"version": own.version, "platform": target.platform, "python": target.python}
    facts |= {"machine": target.machine, "glibc": glibc([own, *runtime])}
    _write(folder / "BUNDLE", "".join(f"{key}={value}\n" for key, value in facts.items()))
    _write(folder / "sbom.cdx.json", json.dumps(bill(own, runtime, tools, target, epoch), indent=1) + "\n")
    take_common(folder, target)
    seal(folder)


def seal(folder: Path) -> None:
    """Write the sha256 of every file in a bundle's folder."""
    sums = folder / "SHA256SUMS"
    sums.unlink(missing_ok=True)
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    _write(sums, "".join(lines))


def take_common(folder: Path, target: Target) -> None:
    """Copy what is the same in every bundle: installer, service, example plant, documents."""
    deploy = ROOT / "edge_deploy"
    if target.is_windows:
        files = [*(deploy / "windows").glob("*.ps1"), *(deploy / "windows").glob("*.py")]
    else:
        files = [deploy / "bundle" / "install.sh", deploy / "systemd" / "wanglian.service"]
    files += [deploy / "bundle" / "plant.yaml", ROOT / "LICENSE", ROOT / "NOTICE"]
    for file in files:
        shutil.copyfile(file, folder / file.name)
    for page in (ROOT / "docs").rglob("*.md"):
        copy = folder / page.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(page, copy)


def glibc(wheels: Sequence[Wheel]) -> str:
    """Return the oldest glibc on which every wheel runs, by their own tags; empty when none asks for one."""
    least = []
    for wheel in wheels:
        tags = parse_wheel_filename(wheel.path.name)[3]
        asked = [int(found[1]) for tag in tags if (found := re.match(r"manylinux_2_(\d+)_", tag.platform))]
        least += [min(asked)] if asked else []
    return f"2.{max(least)}" if least else ""


def source_date(root: Path) -> int:
    """Return $SOURCE_DATE_EPOCH, else when the newest commit was made, else a fixed time."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    git = shutil.which("git")
    if git is not None:
        command = [git, "-C", str(root), "log", "-1", "--format=%ct"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own words
        if done.returncode == 0 and done.stdout.strip():
            return int(done.stdout)
    return _WITHOUT_GIT


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
