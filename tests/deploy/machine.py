"""A machine to install on: this one, with no network but loopback and with folders of its own."""

import contextlib
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.processes import Process, started, wait_for

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SERVICE = "wanglian"
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
CREDENTIALS = Path("/run/credentials/wanglian.service")
# Also when the tests are ended in the middle of one, by their time limit or a person.
DIES_WITH_US = ("setpriv", "--pdeathsig=KILL")

# /etc is a copy, so that users and units can be made; the others begin empty.
PREPARE = """
set -e
ip link set lo up
mkdir -p "$0/etc"
mount -t tmpfs -o mode=755 tmpfs "$0/etc"
cp -a /etc/. "$0/etc/"
mount --move "$0/etc" /etc
for each in /opt /run /usr/local/bin /usr/local/sbin; do mount -t tmpfs -o mode=755 tmpfs "$each"; done
mount -t tmpfs -o mode=755 tmpfs /var/lib
echo ready
exec sleep infinity
"""


@dataclass
class Machine:
    """Its name spaces live as long as its first process."""

    first: Process
    folder: Path

    def inside(self, *command: str | Path, user: str = "") -> list[str | Path]:
        """Return the command that runs another one there."""
        enter = ["nsenter", "--target", str(self.first.popen.pid), "--net", "--mount", "--wd=/", "--"]
        environment = ["env", "-i", f"PATH={PATH}", "LANG=C.UTF-8"]
        as_user = [*DIES_WITH_US, f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        return [*enter, *environment, *as_user, *command]

    def does(self, *command: str | Path) -> str:
        """Run a command that must succeed; return what it printed."""
        done = self.tries(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def tries(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.inside(*command), capture_output=True, text=True, check=False)

    def install(self, bundle: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a bundle's installer."""
        return self.tries("sh", bundle / "install.sh", *arguments)

    def reads(self, path: str) -> str:
        return self.does("cat", path)

    def get(self, url: str) -> str:
        """Return what an address answers, asked from inside."""
        code = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=10).read().decode())"
        return self.does("/opt/wanglian/current/bin/python", "-I", "-c", code, url)

    def follows(self, block: str, folder: str | Path) -> str:
        """Type a guide's shell block, as a person would, in a folder; return what was shown."""
        return self.does("sh", "-e", "-c", f'cd "$0"\n{block}', folder)

    def makes_command(self, name: str, script: str) -> None:
        """Put a program where root's own belong."""
        place = f"/usr/local/sbin/{name}"
        self.does("sh", "-c", 'printf "#!/bin/sh\n%s" "$0" >"$1"; chmod 755 "$1"', script, place)

    @property
    def root(self) -> Path:
        """Return where its files are seen from outside."""
        return Path(f"/proc/{self.first.popen.pid}/root")

    @contextlib.contextmanager
    def service(self, *watched_by: str) -> Iterator[Process]:
        """Do for the unit what systemd would: its folders, credentials, user, mask, command.

        `watched_by` is a program that is given the command.
        """
        unit = self.reads("/etc/systemd/system/wanglian.service")
        (command,) = [
            line.removeprefix("ExecStart=") for line in unit.splitlines() if line.startswith("ExecStart=")
        ]
        self.does("install", "-d", "-m", "700", "-o", SERVICE, "-g", SERVICE, "/var/lib/wanglian")
        self.does("install", "-d", "-m", "755", CREDENTIALS)
        for secret in self.does("ls", "/etc/wanglian/secrets").split():
            to = CREDENTIALS / f"secrets_{secret}"
            self.does("install", "-m", "400", "-o", SERVICE, f"/etc/wanglian/secrets/{secret}", to)
        words = [*watched_by, "sh", "-c", f"umask 077; cd /var/lib/wanglian; exec {command}"]
        name = f"service-{len(list(self.folder.glob('service-*.log')))}"
        with started(name, self.inside(*words, user=SERVICE), self.folder) as process:
            yield process


@contextlib.contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """Make one; it is gone when the context is left."""
    separate = [*DIES_WITH_US, "unshare", "--net", "--mount", "sh", "-c", PREPARE, folder]
    with started("machine", separate, folder) as first:
        wait_for(lambda: first.said("ready"), "the machine")
        yield Machine(first, folder)


def shell_blocks(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def system_python() -> Path:
    """Return a Python that every user of this machine can run: what an integrator has."""
    found = shutil.which("python3", path=PATH)
    assert found is not None, "the tests of the bundle install with the system's own python3"
    return Path(found)


def python_version(python: Path) -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.check_output([str(python), "-c", code], text=True).strip()


def host_platform() -> str:
    return f"linux-{platform.machine()}"


def has_no_network(machine: Machine) -> bool:
    links = machine.does("ip", "-brief", "link").splitlines()
    return [line.split()[0] for line in links] == ["lo"] and os.geteuid() == 0


def unpacked(bundle: Path, folder: Path) -> Path:
    """Unpack a bundle; return the folder it brings."""
    folder.mkdir()
    if bundle.suffix == ".zip":
        shutil.unpack_archive(bundle, folder)
    else:
        subprocess.run(["tar", "-xzf", bundle, "-C", folder], check=True)
    (found,) = folder.iterdir()
    return found


def hash_lines(bundle: Path) -> Sequence[str]:
    return (bundle / "SHA256SUMS").read_text().splitlines()
