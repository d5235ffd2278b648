"""The image is built as documented, holds what it should, and runs as the compose file says."""

import json
import os
import re
import shlex
import signal
import stat
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.container_build import Image, built
from tests.deploy.container_net import Namespace
from tests.deploy.container_run import COMPOSE, Container, running, services
from tests.processes import ROOT, started, wait_for

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(900)]

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
DEVICE = "my_factory/hall/line_1/press_1"
TOPIC = f"wanglian/{DEVICE}"
PAGE = "http://127.0.0.1:8080/"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The image, by the command the how-to gives."""
    text = (ROOT / "docs" / "how-to" / "container.md").read_text(encoding="utf-8")
    command, *_ = re.findall(r"^(docker build .*)$", text, re.MULTILINE)
    with built(shlex.split(command), tmp_path_factory.mktemp("image")) as image:
        yield image


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Namespace]:
    """A machine of its own, with the compose file's broker."""
    folder = tmp_path / "broker"
    folder.mkdir()
    settings = (COMPOSE / "mosquitto.conf").read_text().replace("/mosquitto/data/", f"{folder}/")
    (folder / "mosquitto.conf").write_text(f"{settings}user root\n")
    kind, *asked = services()["mosquitto"]["healthcheck"]["test"]
    assert kind == "CMD"
    with Namespace("image") as namespace:
        command = namespace.run("/usr/sbin/mosquitto", "-c", folder / "mosquitto.conf")
        with started("mosquitto", command, folder):
            healthy = namespace.run(*(word.replace("$$", "$") for word in asked))
            wait_for(
                lambda: subprocess.run(healthy, capture_output=True, check=False).returncode == 0,
                "the broker",
            )
            yield namespace


@pytest.fixture
def container(image: Image, broker: Namespace, tmp_path: Path) -> Iterator[Container]:
    with running(image, broker, tmp_path) as container:
        yield container


def everything(root: Path) -> dict[str, tuple[float, int]]:
    """Return every path with what changes when it is written."""
    found = {}
    for folder, _, files in os.walk(root):
        for path in (folder, *(f"{folder}/{name}" for name in files)):
            state = os.lstat(path)
            found[path] = (state.st_mtime, state.st_size)
    return found


def test_a_fresh_container_collects_delivers_shows_and_stops_writing_only_to_its_volume(
    image: Image, broker: Namespace, container: Container
) -> None:
    before = everything(image.root)
    wait_for(container.is_healthy, "a healthy container")
    said = heard(broker)
    assert (said["gw"], said["dev"]) == ("gw-1", DEVICE)
    wait_for(lambda: container.process.said("page running"), "the page")
    assert b'<div id="page">' in broker.get(PAGE)
    assert json.loads(broker.get(f"{PAGE}api/overview"))["strip"]["gateway"] == "gw-1"
    assert list(container.volume.glob("buffer/*.segment"))
    grace = services()["wanglian"]["stop_grace_period"]
    assert container.stop(float(grace.removesuffix("s"))) == 0
    log = container.process.log.read_text()
    assert "ERROR" not in log
    assert "Traceback" not in log
    assert everything(image.root) == before


def test_a_health_check_fails_when_the_gateway_does_not_answer(container: Container) -> None:
    wait_for(container.is_healthy, "a healthy container")
    os.kill(container.pid, signal.SIGSTOP)
    try:
        assert not container.is_healthy()
    finally:
        os.kill(container.pid, signal.SIGCONT)


def test_the_gateway_has_no_rights_and_can_write_nowhere_else(container: Container) -> None:
    status = Path(f"/proc/{container.pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert set(fields["Uid"].split()) == {"10001"}
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
    assert container.run("sh", "-c", "echo x > /var/lib/wanglian/x && rm /var/lib/wanglian/x").returncode == 0
    for path in ("/x", "/etc/wanglian/x", "/opt/wanglian/x"):
        assert container.run("sh", "-c", f"echo x > {path}").returncode != 0


def test_a_new_container_goes_on_where_the_one_before_stopped(
    image: Image, broker: Namespace, tmp_path: Path
) -> None:
    said = []
    for _ in range(2):
        with running(image, broker, tmp_path) as container:
            said.append(heard(broker))
            assert container.stop(30) == 0
    first, second = said
    assert first["epoch"] == second["epoch"]
    assert first["seq"] < second["seq"]


def heard(broker: Namespace) -> dict[str, Any]:
    """Return the next message of a device."""
    listen = broker.run("mosquitto_sub", "-h", "127.0.0.1", "-t", TOPIC, "-C", "1", "-W", "20")
    return json.loads(subprocess.run(listen, capture_output=True, text=True, check=True).stdout)


def test_the_image_brings_neither_pip_nor_a_compiler_nor_node(image: Image) -> None:
    left = {"gcc", "cc", "g++", "make", "pip", "pip3", "npm", "node"}
    for folder in ("opt/wanglian/bin", "usr/local/bin", "usr/bin", "bin"):
        place = image.root / folder
        assert not left & {each.name for each in place.glob("*")}
    packages = {each.name for each in (image.root / "opt/wanglian").glob("lib/python3*/site-packages/*")}
    assert "wanglian" in packages
    assert not packages & {"pip", "setuptools", "hatchling", "pytest"}
    assert {each.name for each in (image.root / "opt/wanglian/bin").iterdir() if not each.is_symlink()} == {
        "wanglian"
    }
    assert not (image.root / "root/.cache").exists()


def test_how_this_machine_reaches_the_package_index_is_nowhere_in_the_image(image: Image) -> None:
    wanted = [argument for value in image.pip.values for argument in ("-e", value)]
    search = ["grep", "-rlF", "--devices=skip", *wanted, image.root]
    found = subprocess.run(search, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, ""), found.stderr
    assert not [value for value in image.pip.values if value in json.dumps(image.description)]


def test_the_image_says_what_it_is(image: Image) -> None:
    labels = image.config["Labels"]
    assert labels["org.opencontainers.image.version"] == VERSION
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert services()["wanglian"]["image"] == f"wanglian:{VERSION}"
    assert image.config["User"] == "10001:10001"
    state = (image.root / "var/lib/wanglian").stat()
    assert (state.st_uid, state.st_gid, stat.S_IMODE(state.st_mode) & 0o022) == (10001, 10001, 0)
