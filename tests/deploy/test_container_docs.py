"""What the how-to says about engines holds as far as it can be told without one: words, files, options."""

import argparse
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.container_run import COMPOSE, services
from tests.processes import ROOT

PAGE = (ROOT / "docs" / "how-to" / "container.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
LINES = [line for block in BLOCKS for line in block.splitlines()]
IMAGE = services()["wanglian"]["image"]


def words(first: str) -> list[list[str]]:
    """Return the documented commands that begin so, as a shell gives them."""
    variables = {"PWD": str(ROOT), "HOME": "/root"}
    found = [
        re.sub(r"\$(\w+)", lambda name: variables[name[1]], line) for line in LINES if line.startswith(first)
    ]
    assert found
    return [shlex.split(line) for line in found]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_is_a_shell_s(block: str) -> None:
    done = subprocess.run(["sh", "-n"], input=block, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_command_is_checked_here() -> None:
    known = (
        "docker build ",
        "docker compose ",
        "docker run ",
        "docker logs ",
        "docker stop ",
        "ssh -L ",
        "(umask ",
    )
    assert [line for line in LINES if not line.startswith(known)] == []


def test_the_password_is_written_where_compose_looks_and_for_its_owner_only(tmp_path: Path) -> None:
    (tmp_path / "edge_deploy").mkdir()
    shutil.copytree(COMPOSE, tmp_path / "edge_deploy" / "compose")
    (line,) = (line for line in LINES if line.startswith("(umask "))
    subprocess.run(["sh", "-e", "-c", line], cwd=tmp_path, check=True)
    written = tmp_path / "edge_deploy" / "compose" / ".env"
    assert re.fullmatch(r"GRAFANA_PASSWORD=\S{24}\n", written.read_text())
    assert written.stat().st_mode & 0o077 == 0
    ignored = subprocess.run(["git", "check-ignore", "-q", "edge_deploy/compose/.env"], cwd=ROOT, check=False)
    assert ignored.returncode in {0, 128}, "git, where there is one, must leave the password out"


def test_images_are_built_under_the_name_the_compose_file_uses() -> None:
    for command in words("docker build "):
        parser = argparse.ArgumentParser()
        parser.add_argument("-t")
        parser.add_argument("--secret", action="append", default=[])
        parser.add_argument("context")
        asked = parser.parse_args(command[2:])
        assert (asked.t, asked.context) == (IMAGE, ".")
        for secret in asked.secret:
            name = dict(part.split("=", 1) for part in secret.split(","))["id"]
            assert f"--mount=type=secret,id={name}" in (ROOT / "Dockerfile").read_text()


def test_compose_commands_name_the_file_and_services_that_are_in_it() -> None:
    for command in words("docker compose "):
        assert command[2] == "-f"
        assert (ROOT / command[3]).samefile(COMPOSE / "compose.yaml")
        verb, *rest = command[4:]
        assert verb in {"up", "ps", "run", "restart", "logs"}
        named = [word for word in rest if word in services()]
        assert bool(named) == (verb in {"run", "restart", "logs"})
        if verb == "run":
            service, wanglian_command, plant = rest[-3:]
            assert (service, wanglian_command in {"check", "probe"}) == ("wanglian", True)
            (folder,) = (v.split(":")[0] for v in services()["wanglian"]["volumes"] if ":/etc/wanglian" in v)
            assert (COMPOSE / folder / Path(plant).name).exists()


def test_the_gateway_alone_runs_within_the_same_limits_as_with_compose() -> None:
    (command,) = words("docker run ")
    parser = argparse.ArgumentParser()
    for name in (
        "--name",
        "--network",
        "--cap-drop",
        "--security-opt",
        "--tmpfs",
        "--restart",
        "--stop-timeout",
    ):
        parser.add_argument(name)
    parser.add_argument("-d", action="store_true")
    parser.add_argument("--read-only", action="store_true")
    parser.add_argument("-v", action="append")
    parser.add_argument("image")
    asked = parser.parse_args(command[2:])
    service = services()["wanglian"]
    assert asked.image == IMAGE
    assert asked.read_only
    assert asked.network == service["network_mode"]
    assert [asked.cap_drop] == service["cap_drop"]
    assert [asked.security_opt] == service["security_opt"]
    assert [asked.tmpfs] == service["tmpfs"]
    assert asked.restart == service["restart"]
    assert f"{asked.stop_timeout}s" == service["stop_grace_period"]
    inside = [volume.split(":")[1:] for volume in service["volumes"]]
    assert [volume.split(":")[1:] for volume in asked.v] == inside
    assert (Path(asked.v[1].split(":")[0]) / "plant.yaml").is_file()


def test_addresses_and_build_arguments_are_as_documented() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    for name, default in re.findall(r"^ARG (BASE|NODE)=(\S+)$", dockerfile, re.MULTILINE):
        assert f"| `{name}` | `{default}` |" in PAGE
    assert "listener 1883 127.0.0.1" in (COMPOSE / "mosquitto.conf").read_text()
    assert "-httpListenAddr=127.0.0.1:8428" in services()["victoriametrics"]["command"]
