import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_deploy import page
from tests.processes import ROOT


def test_without_node_the_build_says_what_to_install_in_both_languages() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "edge_deploy" / "page.py")],
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Node 20.19" in done.stderr
    assert "本机是 –" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_node_too_old_is_told_by_its_number_before_anything_is_installed(tmp_path: Path) -> None:
    for name, does in (("node", "echo v20.18.3"), ("npm", f"touch {tmp_path}/ran")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        [sys.executable, str(ROOT / "edge_deploy" / "page.py")],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "here is Node 20.18" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_a_page_older_than_its_source_is_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, built = tmp_path / "ui" / "src" / "app.tsx", tmp_path / "static" / "index.html"
    monkeypatch.setattr(page, "SOURCE", tmp_path / "ui")
    monkeypatch.setattr(page, "BUILT", built)
    source.parent.mkdir(parents=True)
    built.parent.mkdir()
    source.touch()
    assert not page.is_built()
    built.touch()
    assert page.is_built()
    os.utime(built, (0, 0))
    assert not page.is_built()
