"""An integrator's way, by the guide: from a stick onto a machine without a network, upgraded, back, away."""

import contextlib
import json
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_deploy.bundle.__main__ import lay_out, source_date
from edge_deploy.bundle.target import Target
from edge_deploy.bundle.wheels import build_own
from tests.deploy.machine import (
    Machine,
    has_no_network,
    host_platform,
    machine,
    python_version,
    shell_blocks,
    system_python,
)
from tests.deploy.test_systemd_unit import allowed_calls
from tests.processes import ROOT, Process, wait_for

GUIDES = ROOT / "docs" / "how-to"
MAKE, INSTALL, START, BACK, UNINSTALL, _WITHOUT_ROOT = shell_blocks(GUIDES / "offline.md")
PLANT = """
gateway: {id: gw-1, site: s, data_dir: /var/lib/wanglian}
sources:
  trial: {kind: simulated, devices: {d: {scan: 50ms, tags: {x: {}}}}}
sinks:
  away: {kind: mqtt, host: localhost, username: u, password: "${file:SECRET}"}
buffer: {min_free: 1MiB}
history: {enabled: false}
""".replace("SECRET", "/run/credentials/wanglian.service/secrets_mqtt_password")


TRACE = "/var/lib/wanglian/trace"
# -D: the tracer stands aside, and what is traced keeps its process and its signals.
TRACED = ("strace", "-D", "-f", "-qq", "-o", TRACE)
# numpy's BLAS asks where its memory should lie, and does without an answer.
TAKES_NO_FOR_AN_ANSWER = {"mbind"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Machine]:
    """A machine without a network; what systemd would be asked is only taken down."""
    with machine(tmp_path) as made:
        made.makes_command("sudo", 'exec "$@"')
        for name in ("systemctl", "journalctl", "systemd-analyze"):
            made.makes_command(name, 'echo "$0 $*" >>/run/asked')
        yield made


def stick(folder: Path, archive: Path) -> Path:
    """Put a bundle and its hash on a stick."""
    folder.mkdir()
    for name in (archive.name, f"{archive.name}.sha256"):
        (folder / name).hardlink_to(archive.with_name(name))
    return folder


def newer(folder: Path) -> Path:
    """Return an unpacked bundle of a later version of this very tree."""
    tree = folder / "tree"
    for name in ("gateway", "connectors", "config", "edge_deploy"):
        shutil.copytree(
            ROOT / name, tree / name, ignore=shutil.ignore_patterns("ui", "__pycache__", "node_modules")
        )
    for name in ("wanglian.py", "README.md", "LICENSE", "NOTICE"):
        shutil.copyfile(ROOT / name, tree / name)
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (tree / "pyproject.toml").write_text(
        re.sub(r'(?m)^version = ".*"', 'version = "99.0.0"', text), encoding="utf-8"
    )
    target, epoch = Target(host_platform(), python_version(system_python())), source_date(ROOT)
    bundle = folder / f"wanglian-99.0.0-{target.platform}"
    lay_out(bundle, build_own(tree, folder / "own", epoch), target, epoch)
    return bundle


@contextlib.contextmanager
def collecting(site: Machine, *watched_by: str) -> Iterator[Process]:
    """Run the service until it has stored values; it must end well."""
    with site.service(*watched_by) as service:
        wait_for(lambda: service.said("gateway running"), "the start", 60)
        nothing = "wanglian_store_rows_total 0.0"
        wait_for(lambda: nothing not in site.get("http://127.0.0.1:9464/metrics"), "rows")
        assert json.loads(site.get("http://127.0.0.1:9464/healthz"))["status"] == "ok"
        yield service
        assert service.end(signal.SIGTERM) == 0, service.log.read_text()


def shows_its_page(site: Machine, service: Process) -> None:
    wait_for(lambda: service.said("page running"), "the page", 60)
    (url,) = re.findall(r"page running url='([^']+)'", service.log.read_text())
    assert '<div id="page">' in site.get(url)
    assert json.loads(site.get(url + "api/overview"))["strip"]["gateway"] == "gw-1"


def stored(site: Machine) -> dict[str, int]:
    folder = site.root / "var/lib/wanglian"
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*.segment")}


@pytest.mark.system
@pytest.mark.timeout(400)
def test_the_guide_leads_from_a_stick_to_a_running_gateway_and_through_its_life(
    site: Machine, bundle: Path, tmp_path: Path
) -> None:
    assert has_no_network(site)
    first = stick(tmp_path / "first", bundle)
    said = site.follows(INSTALL, first)
    assert "完成" in said
    assert "systemctl start wanglian" in said
    version = str((site.root / "opt/wanglian/current").readlink())
    installed = site.does("ls", f"/opt/wanglian/{version}/bin").split()
    assert "wanglian" in installed
    assert "pip" not in installed
    assert site.tries("/opt/wanglian/current/bin/python", "-c", "import pip").returncode == 1
    site.follows(START, "/")
    assert "systemctl start wanglian" in site.reads("/run/asked")

    site.does("sh", "-c", 'printf %s "$0" >/etc/wanglian/plant.yaml', PLANT)
    site.does("sh", "-c", "umask 077; echo hidden >/etc/wanglian/secrets/mqtt_password")
    with collecting(site) as service:
        shows_its_page(site, service)
    before = stored(site)
    assert before
    modes = site.does("stat", "-c", "%a", *(f"/var/lib/wanglian/{name}" for name in before)).split()
    assert set(modes) == {"600"}

    upgrade = INSTALL.splitlines()[-1]
    site.follows(upgrade, newer(tmp_path / "newer"))
    assert (site.root / "opt/wanglian/current").readlink() == Path("99.0.0")
    assert site.reads("/etc/wanglian/plant.yaml") == PLANT
    with collecting(site):
        pass
    between = stored(site)
    assert before.items() < between.items(), "what the old version stored is there, and more"

    site.follows(BACK, "/")
    assert (site.root / "opt/wanglian/current").readlink() == Path(version)
    with collecting(site, *TRACED) as service:
        wait_for(lambda: service.said("page running"), "the page", 60)
    assert between.items() < stored(site).items()
    called = set(re.findall(r"^\d+ +(\w+)\(", site.reads(TRACE), re.MULTILINE))
    assert "execve" in called
    assert called - allowed_calls() <= TAKES_NO_FOR_AN_ANSWER

    site.follows(UNINSTALL, "/")
    assert site.tries("ls", "/opt/wanglian").returncode != 0
    assert between.items() < stored(site).items()
    assert site.reads("/etc/wanglian/plant.yaml") == PLANT


def test_both_guides_give_the_same_commands() -> None:
    assert shell_blocks(GUIDES / "offline.md") == shell_blocks(GUIDES / "offline.zh-CN.md")


def test_the_bundles_the_guide_makes_can_be_made() -> None:
    for line in MAKE.splitlines():
        done = subprocess.run(
            ["make", "-n", *line.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert "edge_deploy.bundle --platform" in done.stdout
