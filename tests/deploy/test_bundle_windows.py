"""What can be shown of the Windows bundle without Windows: what its task runs, how its parts fit together."""

import json
import re
import signal
import zipfile
from pathlib import Path

import pytest

from edge_deploy.bundle.__main__ import take_common
from edge_deploy.bundle.archive import write_zip
from edge_deploy.bundle.target import Target
from tests.processes import ROOT, python, started, wait_for

WINDOWS = ROOT / "edge_deploy" / "windows"
INSTALLER = WINDOWS / "install.ps1"


@pytest.mark.system
def test_the_task_runs_the_gateway_with_its_log_in_a_file(tmp_path: Path) -> None:
    source = {"kind": "simulated", "devices": {"d": {"tags": {"x": {}}}}}
    plant = {"gateway": {"id": "g", "site": "厂", "http_port": 0}, "sources": {"模拟": source}}
    file, log = tmp_path / "plant.yaml", tmp_path / "log" / "wanglian.log"
    file.write_text(json.dumps({**plant, "page": {"enabled": False}}, ensure_ascii=False), encoding="utf-8")
    log.parent.mkdir()
    log.write_text("the run before\n")
    with started("task", python(WINDOWS / "task.py", file, log), tmp_path) as task:
        wait_for(lambda: log.exists() and "link connected link='模拟'" in log.read_text("utf-8"), "the log")
        assert task.end(signal.SIGTERM) == 0
    assert (tmp_path / "log" / "wanglian.log.1").read_text() == "the run before\n"
    assert task.log.read_text() == ""


def test_a_plant_with_mistakes_is_told_in_the_log(tmp_path: Path) -> None:
    file, log = tmp_path / "plant.yaml", tmp_path / "log" / "wanglian.log"
    file.write_text("gateway: {}\n")
    with started("task", python(WINDOWS / "task.py", file, log), tmp_path) as task:
        assert task.popen.wait(30) == 2
    assert "gateway.id" in log.read_text("utf-8")


def test_windows_powershell_reads_the_installer_as_it_was_written() -> None:
    data = INSTALLER.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf"), "without a mark 5.1 takes it for the machine's code page"
    assert data.count(b"\n") == data.count(b"\r\n")
    text = data.decode("utf-8-sig")
    without_text = re.sub(r"#[^\r\n]*|\"[^\"]*\"|'[^']*'", "", text)
    for opening, closing in ("()", "{}", "[]"):
        assert without_text.count(opening) == without_text.count(closing)


def test_what_the_installer_names_is_in_the_bundle(tmp_path: Path) -> None:
    folder = tmp_path / "wanglian-1-win-amd64"
    folder.mkdir()
    take_common(folder, Target("win-amd64", "3.11"))
    made_elsewhere = {"BUNDLE", "SHA256SUMS", "requirements.txt", "sbom.cdx.json"}
    text = INSTALLER.read_text(encoding="utf-8-sig")
    named = set(re.findall(r'"([\w.]+\.(?:ps1|py|json|yaml|txt)|BUNDLE|SHA256SUMS)"', text)) - {"python.exe"}
    assert {"task.py", "plant.yaml"} <= named
    assert {name for name in named - made_elsewhere if not (folder / name).exists()} == set()
    write_zip(folder, tmp_path / "out.zip", 0)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.read("wanglian-1-win-amd64/install.ps1") == INSTALLER.read_bytes()


def test_the_page_names_options_the_installer_has() -> None:
    page = (ROOT / "docs" / "how-to" / "windows.md").read_text(encoding="utf-8")
    text = INSTALLER.read_text(encoding="utf-8-sig")
    (parameters,) = re.findall(r"^param\((.*)\)", text, re.MULTILINE)
    known = {f"-{name}" for name in re.findall(r"\$(\w+)", parameters)}
    assert set(re.findall(r"install\.ps1 (-\w+)", page)) <= known
    assert "not yet run on Windows" in page
