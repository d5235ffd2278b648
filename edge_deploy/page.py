"""Builds the page with Node: `make page` runs it, and the wheel's build hook where no page is built yet.

Only the standard library: a fresh checkout has no environment of its own yet.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
SOURCE: Final = ROOT / "gateway" / "web" / "ui"
BUILT: Final = ROOT / "gateway" / "web" / "static" / "index.html"
_TOO_OLD: Final = (20, 18)
NEEDS_NODE: Final = (
    "The page is built with Node 20.19 or newer and npm; here is {found}.\n"
    "Install it (Debian 13: apt install nodejs npm; older and others: https://nodejs.org), then: make page\n"
    "页面要用 Node 20.19 或更新版本和 npm 构建，本机是 {found}。请先安装，再运行 make page。\n"
    "A wheel brings the page with it and needs no Node. 安装包自带页面，不需要 Node。"
)


def node_version() -> tuple[int, ...]:
    """Return Node's two leading numbers; nothing where there is no Node."""
    node = shutil.which("node")
    if node is None:
        return ()
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603  its own
    return tuple(int(number) for number in re.findall(r"\d+", said.stdout)[:2])


def build() -> None:
    """Install what the lock names and build into gateway/web/static; SystemExit with a reason."""
    npm = shutil.which("npm")
    found = node_version()
    if npm is None or found <= _TOO_OLD:
        raise SystemExit(NEEDS_NODE.format(found="Node " + ".".join(map(str, found)) if found else "–"))
    for arguments in (["ci", "--silent"], ["run", "--silent", "build"]):
        done = subprocess.run([npm, *arguments], cwd=SOURCE, check=False)  # noqa: S603  our own words
        if done.returncode:
            raise SystemExit(f"npm {' '.join(arguments)} failed in {SOURCE} ({done.returncode})")
    BUILT.touch()


def is_built() -> bool:
    """Tell whether the page is there and newer than its source."""
    if not BUILT.is_file():
        return False
    sources = (*SOURCE.glob("*.*"), *(SOURCE / "src").rglob("*"))
    return all(BUILT.stat().st_mtime >= file.stat().st_mtime for file in sources if file.is_file())


if __name__ == "__main__":
    if "--if-needed" not in sys.argv or not is_built():
        build()
