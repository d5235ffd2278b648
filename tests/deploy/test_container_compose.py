"""The compose file is one an engine accepts, gives its services no rights, and names what is there."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from config.load import read_plant
from tests.deploy.container_run import COMPOSE, services
from tests.processes import ROOT

TEXT = (COMPOSE / "compose.yaml").read_text(encoding="utf-8")
SERVICES = services()
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def composed(text: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Let Debian's docker-compose read a compose file; it needs no engine for that."""
    file = folder / "compose.yaml"
    # It is of 2021 and does not know the project's name yet.
    file.write_text(re.sub(r"^name:.*\n", "", text, flags=re.MULTILINE), "utf-8")
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder)} | environment
    command = ["docker-compose", "--project-directory", COMPOSE, "-f", file, "config"]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=variables)


def with_serial_line() -> str:
    """Return the compose file with its commented lines taken in."""
    text = re.sub(r"^(    )# (devices|group_add):", r"\1\2:", TEXT, flags=re.MULTILINE)
    assert text.count("devices:") == 1
    return text


@pytest.mark.parametrize("text", [TEXT, with_serial_line()], ids=["as it is", "with a serial line"])
def test_docker_compose_takes_the_file(text: str, tmp_path: Path) -> None:
    done = composed(text, tmp_path, GRAFANA_PASSWORD=str(tmp_path))
    assert done.returncode == 0, done.stderr
    read = yaml.safe_load(done.stdout)
    assert set(read["services"]) == {"wanglian", "mosquitto", "victoriametrics", "grafana"}


def test_grafana_has_no_password_that_everybody_knows(tmp_path: Path) -> None:
    done = composed(TEXT, tmp_path)
    assert done.returncode != 0
    assert "write GRAFANA_PASSWORD=" in done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_rights_and_a_root_it_can_not_write(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "pid", "ipc", "devices"} & set(service)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_watched_and_pinned(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"])
    own = "HEALTHCHECK" in (ROOT / "Dockerfile").read_text() if name == "wanglian" else False
    assert own or service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"


def test_every_service_listens_on_this_machines_own_address() -> None:
    assert {service["network_mode"] for service in SERVICES.values()} == {"host"}
    assert not [name for name, service in SERVICES.items() if "ports" in service]
    # Grafana can't be started by a test; the others are, in test_container_dashboards.
    assert SERVICES["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"


def test_every_place_a_service_is_given_is_there() -> None:
    declared = set(yaml.safe_load(TEXT)["volumes"])
    used = set()
    for service in SERVICES.values():
        for volume in service["volumes"]:
            outside, inside, *mode = volume.split(":")
            assert inside.startswith("/")
            if outside.startswith("."):
                assert (COMPOSE / outside).exists(), outside
                assert mode == ["ro"]
            else:
                used.add(outside)
    assert used == declared
    assert (COMPOSE / SERVICES["wanglian"]["build"] / "Dockerfile").exists()


def test_the_plant_file_is_without_mistakes_and_keeps_its_data_in_the_volume(tmp_path: Path) -> None:
    file = tmp_path / "plant.yaml"
    shutil.copy(COMPOSE / "plant" / "plant.yaml", file)
    outcome = read_plant(file)
    assert not outcome.problems
    assert outcome.plant is not None
    (volume,) = (each for each in SERVICES["wanglian"]["volumes"] if each.startswith("data:"))
    assert outcome.plant.gateway.data_dir == volume.split(":")[1]
    # The image's health check asks this port.
    assert str(outcome.plant.gateway.http_port) in (ROOT / "Dockerfile").read_text()


def test_the_image_has_the_version_of_the_package() -> None:
    assert SERVICES["wanglian"]["image"] == f"wanglian:{VERSION}"
    assert f"ARG VERSION={VERSION}\n" in (ROOT / "Dockerfile").read_text()
