"""Builds the image as the documentation says, with buildah in place of an engine, on a base made here.

No image comes from a registry: the base is Debian's own, made by debootstrap from the mirror apt is set up
with and kept in build/ for the next time. pip is given this machine's own settings, as a secret.
"""

import ast
import contextlib
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.processes import ROOT

KEPT = ROOT / "build" / "containers"
BASE = "localhost/wanglian-test-base"
WANTED = "python3,python3-venv"


@dataclass(frozen=True)
class PipSettings:
    """This machine's way to the package index, and a word that must not be found where it has no business."""

    text: str
    paths: tuple[str, ...]
    """What the settings name on this machine's disk."""
    values: tuple[str, ...]
    """Long enough to be told from other text."""


@dataclass(frozen=True)
class Image:
    """A built image, its files to be looked at."""

    root: Path
    description: dict[str, Any]
    pip: PipSettings

    @property
    def config(self) -> dict[str, Any]:
        """Return what an engine reads: user, command, health check, volumes."""
        return self.description["Docker"]["config"]


class Store:
    """buildah's images and containers; the base stays for the next time, all else goes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def driver(self) -> str:
        """Return overlay where the folder's file system can carry it; vfs is slower and always works."""
        folders = [self.folder / "probe" / name for name in ("lower", "upper", "work", "merged")]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        lower, upper, work, merged = folders
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        command = ["mount", "-t", "overlay", "-o", options, "overlay", str(merged)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            return "vfs"
        subprocess.run(["umount", str(merged)], check=True)
        return "overlay"

    def run(self, *arguments: str | Path, cwd: Path | None = None) -> str:
        """Return what buildah says; AssertionError with its words when it fails."""
        places = ["--root", self.folder / "images", "--runroot", self.folder / "run"]
        command = ["buildah", "--storage-driver", self.driver, *map(str, [*places, *arguments])]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout.strip()

    def clear(self) -> None:
        """Remove every container, and every image but the base; the whole folder when that fails."""
        if not self.folder.exists():
            return
        try:
            self.run("umount", "--all")
            self.run("rm", "--all")
            names = self.run("images", "--all", "--quiet", "--no-trunc").split()
            kept = self.run("images", "--quiet", "--no-trunc", BASE).split() if self.has_base() else []
            if gone := [name for name in dict.fromkeys(names) if name not in kept]:
                self.run("rmi", "--force", *gone)
            self.unmount()
        except AssertionError:
            # What was killed in the middle of it may have left anything.
            self.unmount()
            shutil.rmtree(self.folder)

    def unmount(self) -> None:
        """The overlay driver mounts its own folder on itself and leaves that so."""
        subprocess.run(["umount", self.folder / "images" / "overlay"], check=False, capture_output=True)

    def has_base(self) -> bool:
        """Tell whether the base is there."""
        return f"{BASE}:latest" in self.run("images", "--format", "{{.Name}}:{{.Tag}}").split()


@contextlib.contextmanager
def built(documented: Sequence[str], folder: Path) -> Iterator[Image]:
    """Build by a documented `docker build` command; the image's files are there until the context is left."""
    store = Store(KEPT)
    store.clear()
    try:
        if not store.has_base():
            make_base(store)
        pip = pip_settings()
        secret = folder / "pip.conf"
        secret.write_text(pip.text)
        local = ["--isolation", "chroot", "--pull-never", "--no-cache", "--force-rm", "--quiet"]
        local += [f"--build-arg=BASE={BASE}", f"--build-arg=NODE={BASE}", f"--secret=id=pip,src={secret}"]
        local += [f"--volume={path}:{path}:ro" for path in pip.paths]
        # The OCI format knows no health check.
        local += ["--format", "docker"]
        assert documented[:2] == ["docker", "build"]
        name = store.run("build", *local, *documented[2:], cwd=ROOT).splitlines()[-1]
        container = store.run("from", "--pull-never", name)
        description = json.loads(store.run("inspect", "--type", "image", name))
        yield Image(Path(store.run("mount", container)), description, pip)
    finally:
        store.clear()


def make_base(store: Store) -> None:
    """Make an image of this machine's Debian with Python."""
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().split("\n") if line)
    mirror, components = mirror_of(release["VERSION_CODENAME"])
    with tempfile.TemporaryDirectory(dir=store.folder) as made:
        command = ["debootstrap", "--variant=minbase", f"--include={WANTED}", f"--components={components}"]
        command += [release["VERSION_CODENAME"], made, mirror]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        for path in ("dev", "proc", "sys", "var/cache/apt", "var/lib/apt/lists", "var/log"):
            shutil.rmtree(Path(made) / path)
            (Path(made) / path).mkdir()
        container = store.run("from", "scratch")
        store.run("add", container, made, "/")
        store.run("commit", "--quiet", "--rm", container, BASE)


def mirror_of(suite: str) -> tuple[str, str]:
    """Return where apt finds this release, and the components debootstrap is to look into."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"]
    said = subprocess.check_output([*asked, "Created-By: Packages"], text=True)
    found = [line.split() for line in said.splitlines() if line.split()[1] == suite]
    # Debian has python3-venv in main, Ubuntu in universe.
    components = {component for _, _, component in found} & {"main", "universe"}
    return found[0][0], ",".join(sorted(components))


def pip_settings() -> PipSettings:
    """Return this machine's pip settings as one file, with a host of ours that nobody asks for."""
    said = subprocess.check_output([sys.executable, "-m", "pip", "config", "list"], text=True)
    settings = [line.partition("=")[::2] for line in said.splitlines()]
    found: dict[str, str] = {}
    # The later wins: the environment over every file, a command's own over what is for all of them.
    for section in ("global", "install", ":env:"):
        for key, value in settings:
            if key.rpartition(".")[0] == section:
                found[key.rpartition(".")[2]] = ast.literal_eval(value)
    canary = f"canary-{secrets.token_hex(8)}.invalid"
    found["trusted-host"] = f"{found.get('trusted-host', '')} {canary}".strip()
    words = [word for value in found.values() for word in value.split()]
    # An index in a folder, …/simple, links to files beside itself.
    paths = {
        word.removeprefix("file://").removesuffix("/simple")
        for word in words
        if word.startswith(("/", "file://"))
    }
    text = "[global]\n" + "".join(f"{name} = {value}\n" for name, value in found.items())
    told = tuple(word for word in words if "://" in word or word == canary)
    return PipSettings(text, tuple(sorted(path for path in paths if Path(path).exists())), told)
