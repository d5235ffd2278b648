import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    (found,) = out.glob("*.whl")
    return found


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


def test_site_packages_gains_one_name(wheel: Path) -> None:
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"wanglian"}
