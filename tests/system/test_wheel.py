import json
import re
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

from edge_deploy.bundle.__main__ import source_date
from edge_deploy.bundle.wheels import build_own
from tests.processes import ROOT, started, wait_for


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_own(ROOT, tmp_path_factory.mktemp("dist"), source_date(ROOT)).path


@pytest.mark.timeout(300)
@pytest.mark.system
def test_the_wheel_installs_in_a_fresh_environment_and_checks_the_quickstart_plant(
    wheel: Path, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = tmp_path / "env" / "bin" / "python"
    lock = ROOT / "edge_deploy" / "locks" / "runtime.txt"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", str(lock)], check=True)
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True)
    where = (
        "import importlib.resources as r; print(r.files('config') / 'data' / 'plants' / 'quickstart.yaml')"
    )
    code = f"import wanglian; {where}"
    quickstart = subprocess.check_output([str(python), "-c", code], cwd=tmp_path, text=True).strip()
    assert "/wanglian/config/" in quickstart
    command = tmp_path / "env" / "bin" / "wanglian"
    done = subprocess.run(
        [str(command), "check", quickstart], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shows_its_page(command, tmp_path)


def shows_its_page(command: Path, folder: Path) -> None:
    """Run a plant with the installed command; the page comes from the wheel, and no Node is asked for."""
    source = {"kind": "simulated", "devices": {"d": {"tags": {"x": {}}}}}
    plant = {
        "gateway": {"id": "g", "site": "s", "http_port": 0},
        "sources": {"sim": source},
        "page": {"port": 0},
    }
    file = folder / "plant.yaml"
    file.write_text(json.dumps(plant))
    without_the_checkout = {"PATH": "/nowhere", "PYTHONPATH": ""}
    with started("gateway", [command, "run", file], folder, environment=without_the_checkout) as gateway:
        wait_for(lambda: gateway.said("page running"), "the page", 60)
        (url,) = re.findall(r"page running url='([^']+)'", gateway.log.read_text())
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert b'<div id="page">' in answer.read()
        with urllib.request.urlopen(url + "api/overview", timeout=10) as answer:
            assert json.loads(answer.read())["strip"]["gateway"] == "g"


def test_site_packages_gains_one_name(wheel: Path) -> None:
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"wanglian"}


def test_the_wheel_brings_the_built_page_and_not_its_source(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "wanglian/gateway/web/static/index.html" in names
    assert [name for name in names if "/ui/" in name or "node_modules" in name] == []
