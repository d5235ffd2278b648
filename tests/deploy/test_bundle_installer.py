"""The installer changes nothing before all is well, switches whole versions, leaves plant and data alone."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_deploy.bundle.__main__ import seal
from tests.deploy.machine import PATH, Machine, machine, shell_blocks
from tests.deploy.toy import toy_bundle
from tests.processes import ROOT

# A wheel installs in a second; on a machine with both cores taken, in ten.
pytestmark = pytest.mark.timeout(240)


def install(
    bundle: Path, prefix: Path, *arguments: str, watched_by: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Install for oneself."""
    command = [*watched_by, "sh", str(bundle / "install.sh"), "--prefix", str(prefix), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PATH": PATH, "LANG": "C.UTF-8"}
    )


def version(prefix: Path) -> str:
    command = [str(prefix / "current/bin/wanglian"), "check", str(prefix / "etc/plant.yaml")]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")} if folder.exists() else set()


def test_a_changed_file_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    bundle, prefix = toy_bundle(tmp_path, "1.0"), tmp_path / "here"
    (wheel,) = (bundle / "wheels").iterdir()
    wheel.write_bytes(wheel.read_bytes() + b"!")
    done = install(bundle, prefix)
    assert done.returncode == 1
    assert f"wheels/{wheel.name}: FAILED" in done.stderr
    assert "SHA256SUMS 不符" in done.stderr
    assert tree(prefix) == set()


def test_a_missing_file_is_refused_too(tmp_path: Path) -> None:
    bundle, prefix = toy_bundle(tmp_path, "1.0"), tmp_path / "here"
    (bundle / "wanglian.service").unlink()
    assert install(bundle, prefix).returncode == 1
    assert tree(prefix) == set()


def test_a_wheel_changed_together_with_the_list_of_hashes_is_refused_by_pip(tmp_path: Path) -> None:
    first, prefix = toy_bundle(tmp_path, "1.0"), tmp_path / "here"
    assert install(first, prefix).returncode == 0
    second = toy_bundle(tmp_path, "1.1")
    (wheel,) = (second / "wheels").iterdir()
    wheel.write_bytes(wheel.read_bytes() + b"!")
    seal(second)
    done = install(second, prefix)
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert version(prefix) == "1.0"
    assert not (prefix / "1.1").exists()


def test_an_upgrade_keeps_plant_and_data_goes_back_when_asked_and_leaves_both_when_taken_away(
    tmp_path: Path,
) -> None:
    prefix = tmp_path / "a folder with spaces 文件夹"
    assert install(toy_bundle(tmp_path, "1.0"), prefix).returncode == 0
    plant = prefix / "etc/plant.yaml"
    assert "data_dir: ../data" in plant.read_text()
    plant.write_text("mine")
    (prefix / "data").mkdir()
    (prefix / "data/state.sqlite").write_text("values")
    done = install(toy_bundle(tmp_path, "1.1"), prefix)
    assert done.returncode == 0, done.stderr
    assert (version(prefix), plant.read_text()) == ("1.1", "mine")
    trace = tmp_path / "trace"
    watching = (
        "strace",
        "-f",
        "-qq",
        "-s",
        "4096",
        "-e",
        "trace=/rename.*,/unlink.*,/symlink.*",
        "-o",
        str(trace),
    )
    for expected in ("1.0", "1.1"):
        done = install(prefix / "current", prefix, "--rollback", watched_by=watching)
        assert done.returncode == 0, done.stderr
        assert (version(prefix), plant.read_text()) == (expected, "mine")
        assert f"back at {expected}." in done.stdout
    touched = [line for line in trace.read_text().splitlines() if '/current"' in line]
    assert len(touched) == 1, "at any moment the link is there, and leads to one whole version"
    assert re.search(r'rename\w*\(.*/\.current\.new", .*/current"', touched[0])
    done = install(prefix / "current", prefix, "--uninstall")
    assert done.returncode == 0, done.stderr
    assert "保留" in done.stdout
    assert tree(prefix) == {"etc", "etc/plant.yaml", "data", "data/state.sqlite"}
    assert (prefix / "data/state.sqlite").read_text() == "values"


def test_a_version_that_refuses_what_the_old_one_took_is_not_switched_to(tmp_path: Path) -> None:
    prefix = tmp_path / "here"
    assert install(toy_bundle(tmp_path, "1.0", refused=("secret",)), prefix).returncode == 0
    plant = prefix / "etc/plant.yaml"
    plant.write_text("an old word")
    newer = toy_bundle(tmp_path, "1.1", refused=("old", "secret"))
    done = install(newer, prefix)
    assert done.returncode == 1
    assert "1.1 old" in done.stderr, "what the new version says of the plant"
    assert version(prefix) == "1.0"
    plant.write_text("a secret only the service can read, so both refuse")
    assert install(newer, prefix).returncode == 0
    assert version(prefix).startswith("1.1")


def test_what_is_there_whole_is_left_alone_and_what_is_not_is_made_again(tmp_path: Path) -> None:
    prefix, bundle = tmp_path / "here", toy_bundle(tmp_path, "1.0")
    (prefix / "1.0/bin").mkdir(parents=True)
    half = prefix / "1.0/bin/wanglian"
    half.write_text("#!/bin/sh\nexit 1\n")
    half.chmod(0o755)
    assert install(bundle, prefix).returncode == 0
    assert version(prefix) == "1.0"
    before = tree(prefix)
    again = install(bundle, prefix)
    assert "已经装好" in again.stdout
    assert tree(prefix) == before
    (bundle / "NOTICE").write_text("another build of the same version")
    seal(bundle)
    assert install(bundle, prefix).returncode == 0
    assert (prefix / "previous").readlink() == Path("1.0")
    assert str((prefix / "current").readlink()).startswith("1.0-")


def test_a_python_that_does_not_suit_is_refused(tmp_path: Path) -> None:
    bundle, prefix = toy_bundle(tmp_path, "1.0"), tmp_path / "here"
    facts = bundle / "BUNDLE"
    facts.write_text(facts.read_text().replace("glibc=2.17", "glibc=9.99"))
    seal(bundle)
    done = install(bundle, prefix)
    assert done.returncode == 1
    assert "glibc 9.99" in done.stderr
    assert tree(prefix) == set()


def test_a_program_that_is_no_python_is_no_python_even_if_it_ends_well(tmp_path: Path) -> None:
    bundle, prefix = toy_bundle(tmp_path, "1.0"), tmp_path / "here"
    done = install(bundle, prefix, "--python", "/bin/true")
    assert done.returncode == 1
    assert "no suitable Python" in done.stderr
    assert tree(prefix) == set()


def test_the_command_to_type_next_is_one_a_shell_takes_whatever_the_folder_is_called(tmp_path: Path) -> None:
    prefix = tmp_path / "it's 现场 1"
    done = install(toy_bundle(tmp_path, "1.0"), prefix)
    assert done.returncode == 0, done.stderr
    (said,) = [line for line in done.stdout.splitlines() if "下一步" in line]
    command = shlex.split(said.partition("：")[2])
    assert command == [str(prefix / "current/bin/wanglian"), "run", str(prefix / "etc/plant.yaml")]


def test_the_guide_for_those_without_root_is_true(tmp_path: Path) -> None:
    bundle = toy_bundle(tmp_path, "1.0")
    *_, block = shell_blocks(ROOT / "docs/how-to/offline.md")
    done = subprocess.run(
        ["sh", "-e", "-c", block],
        cwd=bundle,
        env={"PATH": PATH, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("1.0\n")
    assert tree(tmp_path / "wanglian") >= {"current", "etc/plant.yaml"}


def test_the_options_are_explained(tmp_path: Path) -> None:
    bundle = toy_bundle(tmp_path, "1.0")
    done = install(bundle, tmp_path / "here", "--help")
    assert done.returncode == 0
    for option in ("--prefix", "--python", "--rollback", "--uninstall"):
        assert option in done.stdout
    assert install(bundle, tmp_path / "here", "--what").returncode == 2


# A service manager that runs and writes down what it is asked.
SYSTEMCTL = '[ "$1" = --version ] && {{ echo "systemd {version} (toy)"; exit 0; }}; echo "$@" >>/run/asked'


@pytest.fixture
def with_systemd(tmp_path: Path) -> Iterator[Machine]:
    folder = tmp_path / "machine"
    folder.mkdir()
    with machine(folder) as made:
        made.does("mkdir", "-p", "/run/systemd/system")
        made.makes_command("systemctl", SYSTEMCTL.format(version=252))
        yield made


@pytest.mark.server
def test_a_service_is_enabled_restarted_by_an_upgrade_and_taken_away(
    with_systemd: Machine, tmp_path: Path
) -> None:
    assert os.geteuid() == 0, "installing a service takes root"
    done = with_systemd.install(toy_bundle(tmp_path, "1.0"))
    assert done.returncode == 0, done.stdout + done.stderr
    asked = ["daemon-reload", "enable --quiet wanglian", "try-restart wanglian"]
    assert with_systemd.reads("/run/asked").splitlines() == asked
    unit = "/etc/systemd/system/wanglian.service"
    with_systemd.does("cmp", unit, "/opt/wanglian/current/wanglian.service")
    assert with_systemd.does("stat", "-c", "%a %U", "/etc/wanglian/secrets") == "700 root\n"
    with_systemd.does("sh", "-c", "mkdir /var/lib/wanglian; echo kept >/var/lib/wanglian/value")
    assert with_systemd.install(toy_bundle(tmp_path, "1.1")).returncode == 0
    assert with_systemd.reads("/run/asked").splitlines() == asked * 2
    assert with_systemd.does("wanglian", "check", "/etc/wanglian/plant.yaml") == "1.1\n"
    with_systemd.does("sh", "/opt/wanglian/current/install.sh", "--rollback")
    assert with_systemd.does("wanglian", "check", "/etc/wanglian/plant.yaml") == "1.0\n"
    with_systemd.does("sh", "/opt/wanglian/current/install.sh", "--uninstall")
    assert with_systemd.reads("/run/asked").splitlines()[-2] == "disable --now --quiet wanglian"
    assert with_systemd.tries("ls", "/opt/wanglian", unit, "/usr/local/bin/wanglian").stdout == ""
    assert with_systemd.reads("/var/lib/wanglian/value") == "kept\n"
    with_systemd.does("test", "-f", "/etc/wanglian/plant.yaml")


@pytest.mark.server
def test_a_systemd_too_old_for_the_unit_and_a_user_without_rights_are_told_so(
    with_systemd: Machine, tmp_path: Path
) -> None:
    bundle = toy_bundle(tmp_path, "1.0")
    with_systemd.makes_command("systemctl", SYSTEMCTL.format(version=250))
    done = with_systemd.install(bundle)
    assert done.returncode == 1
    assert "systemd 251" in done.stderr
    assert with_systemd.tries("ls", "/opt/wanglian").returncode != 0
    with_systemd.does("install", "-m", "755", bundle / "install.sh", "/var/lib/install.sh")
    done = subprocess.run(
        with_systemd.inside("sh", "/var/lib/install.sh", user="daemon"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "root" in done.stderr


@pytest.mark.server
def test_a_python_that_only_root_can_run_is_no_python_for_a_service(
    with_systemd: Machine, tmp_path: Path
) -> None:
    own = "/var/lib/of-root"
    with_systemd.does(
        "sh", "-c", f"mkdir -m 700 {own}; cp $(readlink -f $(command -v python3)) {own}/python3"
    )
    bundle = toy_bundle(tmp_path, "1.0")
    done = with_systemd.install(bundle, "--python", f"{own}/python3")
    assert done.returncode == 1
    assert "其他用户" in done.stderr
    with_systemd.does("chmod", "755", own)
    with_systemd.makes_command("systemctl", SYSTEMCTL.format(version=250))
    done = with_systemd.install(bundle, "--python", f"{own}/python3")
    assert "systemd 251" in done.stderr, "it came as far as the next check"
