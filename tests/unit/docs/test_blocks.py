"""Every YAML and shell block in README and docs is true: YAML is read, shell is run."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from config.leaves import Sort, leaves
from config.load import read_plant_bytes
from tests.processes import ROOT, free_port, started, wait_for
from tests.servers.broker import Broker
from tests.servers.certificates import Authority, Pair
from tests.servers.victoria import Victoria

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Their shell blocks are followed in order, on a machine of their own, by tests/deploy.
FOLLOWED_ELSEWHERE = {
    "docs/how-to/offline.md",
    "docs/how-to/offline.zh-CN.md",
    "docs/how-to/systemd.md",
    "docs/tutorials/first-plant.md",
    "docs/tutorials/first-plant.zh-CN.md",
}
# Where systemd puts a service's secrets; a test has them in a folder of its own.
CREDENTIALS = "/run/credentials/wanglian.service/"
# What is said of every plant with that platform in it, and on the page.
SAID_OF_ANY = {"W-CF-0788"}
# Variables that hold an address, key and all.
ADDRESSES = ("WECOM_ROBOT", "DINGTALK_ROBOT", "TICKETS")
# A block that shows one part is completed with these; what it shows replaces them.
BASE = {
    "gateway": {"id": "g", "site": "s"},
    "sources": {"trial": {"kind": "simulated", "devices": {"d": {"tags": {"x": {}}}}}},
    "sinks": {"platform": {"kind": "mqtt", "host": "localhost"}},
    "page": {"enabled": False},
}


def blocks(language: str) -> list[object]:
    found = []
    for page in PAGES:
        for number, match in enumerate(BLOCK.finditer(page.read_text(encoding="utf-8")), 1):
            followed = str(page.relative_to(ROOT)) in FOLLOWED_ELSEWHERE and language == "sh"
            if match[1] == language and not followed:
                name = f"{page.relative_to(ROOT)}#{number}"
                found.append(pytest.param(page, match.start(), match[2], id=name))
    return found


def completed(text: str) -> str:
    shown = yaml.safe_load(text)
    missing = {key: value for key, value in BASE.items() if key not in shown}
    return text + ("\n" + yaml.safe_dump(missing) if missing else "")


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("certificates")
    return Authority(folder).issue("gateway", ends=timedelta(days=400))


def make_files(text: str, folder: Path, pair: Pair) -> None:
    """Make the certificates and keys a documented plant file names."""
    for leaf in leaves(yaml.safe_load(completed(text))):
        if leaf.sort is Sort.FILE:
            (folder / leaf.value).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(pair.key if leaf.field == "key" else pair.certificate, folder / leaf.value)


@pytest.mark.parametrize(("page", "_start", "text"), blocks("yaml"))
def test_a_yaml_block_is_a_plant_without_mistakes(
    page: Path, _start: int, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pair: Pair
) -> None:
    text = text.replace(CREDENTIALS, "")
    make_files(text, tmp_path, pair)
    for name in re.findall(r"\$\{env:(\w+)\}", text):
        monkeypatch.setenv(name, "https://robot.example/" if name in ADDRESSES else "eA==")  # base64 too
    for name in re.findall(r"\$\{file:([^}]+)\}", text):
        target = tmp_path / name if not name.startswith("/") else None
        assert target is not None, f"{page}: a documented secret file is relative"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("x")
    outcome = read_plant_bytes(completed(text).encode(), page.name, tmp_path)
    problems = [problem for problem in outcome.problems if problem.code not in SAID_OF_ANY]
    assert not problems, "\n".join(p.render("en") for p in problems)


def plant_before(page: Path, start: int) -> str | None:
    """Return the last YAML block that stands before a place of a page."""
    found = None
    for match in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if match[1] == "yaml" and match.start() < start:
            found = match[2]
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where `wanglian` is a command."""
    command = tmp_path / "bin" / "wanglian"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m gateway "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def watch_a_broker(line: str, folder: Path) -> None:
    """Run a documented mosquitto_sub against a broker of our own, until its first message."""
    with Broker(folder / "broker") as broker:
        here = ["-h", broker.host, "-p", str(broker.port)]
        subprocess.run(["mosquitto_pub", *here, "-r", "-t", "wanglian/s/-/-/d", "-m", "{}"], check=True)
        words = shlex.split(line)
        host = words.index("-h")
        words[host : host + 2] = here
        done = subprocess.run([*words, "-C", "1", "-W", "10"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def try_the_lab(words: list[str], folder: Path) -> None:
    """Run documented equipment for a moment, on ports nobody has."""
    for option in {"--port", "--listen", "--control"} & set(words):
        words[words.index(option) + 1] = str(free_port())
    with contextlib.ExitStack() as beside:
        if words[2] == "sparkplug":
            broker = beside.enter_context(Broker(folder / "broker"))
            words[words.index("--to") + 1] = f"127.0.0.1:{broker.port}"
        command = [*words, "--for", "1s"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def filled_database(folder: Path) -> Iterator[Victoria]:
    """Run a database that holds the newest row of a good tag and of a bad one."""
    with Victoria(folder / "victoria") as database:
        head = "wanglian,area=-,device=d,line=-,site=s,tag"
        past = time.time_ns() - 2_000_000_000
        lines = f"{head}=x,unit=C62 quality=0i,value=1.5 {past}\n"
        lines += f"{head}=y,unit=C62 quality=2148139008i {past}\n"
        address = f"http://127.0.0.1:{database.port}/api/v2/write?bucket=plant"
        with urllib.request.urlopen(address, lines.encode(), timeout=10) as reply:
            assert reply.status == 204
        database.export('{__name__="wanglian_value"}')
        yield database


def query_a_database(line: str, folder: Path) -> None:
    """Run a documented query against a database of our own."""
    with filled_database(folder) as database:
        asked = line.replace("127.0.0.1:8428", f"127.0.0.1:{database.port}")
        assert asked != line
        done = subprocess.run(
            ["sh", "-c", f"{asked} -d nocache=1"], capture_output=True, text=True, check=False
        )
        assert '"tag":"x"' in done.stdout, done.stdout + done.stderr


@pytest.mark.server
@pytest.mark.parametrize(("_page", "_start", "text"), blocks("promql"))
def test_a_query_block_finds_what_it_says(_page: Path, _start: int, text: str, folder: Path) -> None:
    with filled_database(folder) as database:
        (found,) = database.query(text)
    assert found["metric"]["tag"] == ("y" if ">= 2147483648" in text else "x")


@pytest.mark.server
@pytest.mark.parametrize(("page", "start", "text"), blocks("sh"))
def test_a_shell_block_runs(page: Path, start: int, text: str, folder: Path) -> None:
    plant = plant_before(page, start)
    if plant is not None:
        text_of_plant = completed(plant).replace("  site:", f"  http_port: {free_port()}\n  site:", 1)
        (folder / "plant.yaml").write_text(text_of_plant, encoding="utf-8")
    for line in filter(None, text.splitlines()):
        words = line.split()
        if words[0] == "make":
            # The target exists; what it does is tested by doing it.
            subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, check=True, capture_output=True)
        elif words[:2] == ["wanglian", "run"]:
            command = shutil.which("wanglian")
            assert command is not None
            with started("gateway", [command, *words[1:]], folder) as gateway:
                wait_for(lambda: gateway.said("gateway running"), "the start")
                assert gateway.end(signal.SIGTERM) == 0
        elif words[:2] == ["wanglian", "lab"]:
            try_the_lab(words, folder)
        elif words[0] == "mosquitto_sub":
            watch_a_broker(line, folder)
        elif words[0] == "curl":
            query_a_database(line, folder)
        else:
            done = subprocess.run(
                ["sh", "-e", "-c", line], cwd=folder, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
