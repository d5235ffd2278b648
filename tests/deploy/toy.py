"""A bundle as small as can be: the real installer, a program of ten lines; installing takes a second."""

import base64
import hashlib
import shutil
from pathlib import Path
from zipfile import ZipFile

from edge_deploy.bundle.__main__ import CACHE, LOCKS, seal, take_common
from edge_deploy.bundle.target import Target
from edge_deploy.bundle.wheels import gather, pins, read
from tests.deploy.machine import host_platform, python_version, system_python

# `check` refuses a plant that has one of the words this version does not know.
PROGRAM = """
import sys
from pathlib import Path
def main():
    unknown = [word for word in {refused!r} if word in Path(sys.argv[2]).read_text()]
    print("{version}", *unknown)
    sys.exit(2 if unknown else 0)
"""


def toy_bundle(folder: Path, version: str, refused: tuple[str, ...] = ()) -> Path:
    """Lay out a bundle of this version."""
    target = Target(host_platform(), python_version(system_python()))
    bundle = folder / f"wanglian-{version}-{target.platform}"
    (bundle / "wheels").mkdir(parents=True)
    (bundle / "tools").mkdir()
    for tool in gather((pin for pin in pins(LOCKS / "dev.txt", target) if pin.name == "pip"), target, CACHE):
        shutil.copyfile(tool.path, bundle / "tools" / tool.path.name)
    wheel = read(_wheel(bundle / "wheels", version, refused))
    (bundle / "requirements.txt").write_text(f"wanglian=={version} --hash=sha256:{wheel.sha256}\n")
    facts = {"version": version, "platform": target.platform, "python": target.python}
    facts |= {"machine": target.machine, "glibc": "2.17"}
    (bundle / "BUNDLE").write_text("".join(f"{key}={value}\n" for key, value in facts.items()))
    (bundle / "sbom.cdx.json").write_text("{}")
    take_common(bundle, target)
    seal(bundle)
    return bundle


def _wheel(folder: Path, version: str, refused: tuple[str, ...]) -> Path:
    about = f"wanglian-{version}.dist-info"
    files = {
        "wanglian_toy.py": PROGRAM.format(version=version, refused=refused),
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: wanglian\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: toy\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": "[console_scripts]\nwanglian = wanglian_toy:main\n",
    }
    record = "".join(f"{name},sha256={_digest(text)},{len(text.encode())}\n" for name, text in files.items())
    path = folder / f"wanglian-{version}-py3-none-any.whl"
    with ZipFile(path, "w") as archive:
        for name, text in (files | {f"{about}/RECORD": f"{record}{about}/RECORD,,\n"}).items():
            archive.writestr(name, text)
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
