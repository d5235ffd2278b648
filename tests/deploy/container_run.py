"""Runs a built image as a service of the compose file says, in a network namespace, without an engine."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.container_build import Image
from tests.deploy.container_net import Namespace
from tests.processes import ROOT, Process, started, wait_for

COMPOSE = ROOT / "edge_deploy" / "compose"
START = Path(__file__).with_name("container_start.py")


def services() -> dict[str, dict[str, Any]]:
    """Return the compose file's services."""
    return yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))["services"]


@dataclass
class Container:
    """One running container."""

    image: Image
    process: Process
    volume: Path
    """What the image declares as its volume, outside."""

    @property
    def pid(self) -> int:
        """Return the id, outside, of the process that is 1 inside."""
        task = Path(f"/proc/{self.process.popen.pid}/task/{self.process.popen.pid}/children")
        (child,) = task.read_text().split()
        return int(child)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as the image's user, as `docker exec` does."""
        user, _, group = self.image.config["User"].partition(":")
        enter = ["/usr/bin/nsenter", f"--target={self.pid}", "--mount", "--pid", "--net", "--ipc", "--uts"]
        enter += ["--root", "--wd", f"--setgid={group}", f"--setuid={user}", "--"]
        return subprocess.run(
            [*enter, *command], env=environment(self.image), capture_output=True, text=True, check=False
        )

    def is_healthy(self) -> bool:
        """Ask as the image says an engine is to ask."""
        kind, *command = self.image.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return self.run(*command).returncode == 0

    def stop(self, within_s: float) -> int:
        """Send the image's stop signal, return the exit code; -9 when it had to be killed."""
        os.kill(self.pid, signal.Signals[self.image.config["StopSignal"]])
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.popen.wait(within_s)
        return -9


def environment(image: Image) -> dict[str, str]:
    return dict(each.split("=", 1) for each in image.config["Env"])


@contextlib.contextmanager
def running(image: Image, namespace: Namespace, folder: Path) -> Iterator[Container]:
    """Run the image's own command as the service `wanglian` of compose.yaml."""
    service = services()["wanglian"]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    volumes = []
    for volume in service["volumes"]:
        outside, inside, *mode = volume.split(":")
        target = image.root / inside.lstrip("/")
        target.mkdir(parents=True, exist_ok=True)  # an engine makes the place too
        place = (COMPOSE / outside).resolve() if outside.startswith(".") else folder / outside
        if not place.exists():
            # A new volume begins as what the image has there, owner included.
            shutil.copytree(target, place)
            os.chown(place, target.stat().st_uid, target.stat().st_gid)
        volumes.append({"outside": str(place), "inside": inside, "read_only": mode == ["ro"]})
    spec = {
        "root": str(image.root),
        "volumes": volumes,
        "tmpfs": [each.partition(":")[::2] for each in service["tmpfs"]],
        "user": image.config["User"],
        "environment": environment(image),
        "folder": image.config["WorkingDir"],
        "command": [*image.config["Entrypoint"], *image.config["Cmd"]],
    }
    alone = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
    command = namespace.run(*alone, sys.executable, START, json.dumps(spec))
    (folder / "wanglian.log").unlink(missing_ok=True)
    with started("wanglian", command, folder) as process:
        container = Container(image, process, folder / service["volumes"][0].split(":")[0])
        try:
            wait_for(lambda: process.said("gateway running") or process.popen.poll() is not None, "the start")
            assert process.said("gateway running"), process.log.read_text()
            yield container
        finally:
            # The first process of the namespace takes all others with it; that its parent dies it does not
            # hear, for it has changed its user since.
            with contextlib.suppress(OSError, ValueError):
                os.kill(container.pid, signal.SIGKILL)
            process.end(signal.SIGKILL)
