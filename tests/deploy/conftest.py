"""The bundle for this machine, built once."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.machine import host_platform, python_version, system_python
from tests.processes import ROOT


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive, as `make bundle` makes it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "edge_deploy.bundle", "--platform", host_platform()]
    command += ["--python", python_version(system_python()), "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Path(done.stdout.strip())
