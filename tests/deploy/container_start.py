"""Does to a process what a container engine does with `--read-only --cap-drop ALL`: no engine runs here.

Started as root in namespaces of its own (`unshare`), with one argument: JSON that names the root, what is
mounted below it, user, environment, folder and command. Becomes the command.
"""

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

_DROP_FROM_BOUNDING_SET = 24
_NO_NEW_PRIVILEGES = 38
_LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    asked = json.loads(sys.argv[1])
    root = Path(asked["root"])
    mount("--bind", root, root)
    mount("-o", "remount,bind,ro", root)
    mount("-t", "proc", "proc", root / "proc")
    devices(root / "dev")
    for volume in asked["volumes"]:
        target = root / volume["inside"].lstrip("/")
        mount("--bind", volume["outside"], target)
        if volume["read_only"]:
            mount("-o", "remount,bind,ro", target)
    for inside, options in asked["tmpfs"]:
        mount("-t", "tmpfs", "-o", options or "mode=1777", "tmpfs", root / inside.lstrip("/"))
    os.chroot(root)
    os.chdir(asked["folder"])
    capability = 0
    while not _LIBC.prctl(_DROP_FROM_BOUNDING_SET, capability, 0, 0, 0):
        capability += 1
    assert capability > 30, "capabilities were not dropped"
    user, _, group = asked["user"].partition(":")
    os.setgroups([])
    os.setgid(int(group))
    os.setuid(int(user))
    assert not _LIBC.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    os.execvpe(asked["command"][0], asked["command"], asked["environment"])  # noqa: S606  it is the point


def mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


def devices(folder: Path) -> None:
    """Lay out what every container has in /dev."""
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
    for name in ("null", "zero", "full", "random", "urandom"):
        (folder / name).touch()
        mount("--bind", f"/dev/{name}", folder / name)
    (folder / "shm").mkdir()
    mount("-t", "tmpfs", "-o", "mode=1777,size=64m", "tmpfs", folder / "shm")
    (folder / "fd").symlink_to("/proc/self/fd")


if __name__ == "__main__":
    main()
