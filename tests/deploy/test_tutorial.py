"""The tutorial, typed as it stands: each terminal a process, on a machine whose ports are all free."""

import contextlib
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.machine import Machine, machine
from tests.processes import ROOT, Process, started, wait_for

TUTORIAL = ROOT / "docs" / "tutorials" / "first-plant.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LOOK = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=10).read().decode())"


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Machine]:
    """A checkout's commands, and a folder to work in."""
    with machine(tmp_path) as made:
        for name, command in {"wanglian": "-m gateway", "python": ""}.items():
            made.makes_command(name, f'PYTHONPATH="{ROOT}" exec "{sys.executable}" {command} "$@"')
        (tmp_path / ".venv" / "bin").mkdir(parents=True)
        (tmp_path / ".venv" / "bin" / "activate").write_text("")
        yield made


@contextlib.contextmanager
def terminal(desk: Machine, name: str, block: str) -> Iterator[Process]:
    """Leave a command running in a terminal of its own."""
    typed = desk.inside("sh", "-c", f'cd "$0"; exec {block.strip()}', desk.folder)
    with started(name, typed, desk.folder) as process:
        yield process


def overview(desk: Machine) -> dict[str, object]:
    return json.loads(desk.does("python", "-I", "-c", LOOK, "http://127.0.0.1:8080/api/overview"))


@pytest.mark.system
@pytest.mark.timeout(240)
def test_the_tutorial_leads_from_a_simulated_device_to_a_meter_at_the_platform(desk: Machine) -> None:
    here, page = desk.folder, iter(blocks(TUTORIAL))

    def following(language: str) -> str:
        found, text = next(page)
        assert found == language, text
        return text

    subprocess.run(["make", "-n", *following("sh").split()[1:]], cwd=ROOT, check=True, capture_output=True)
    desk.follows(following("sh"), here)

    (here / "plant.yaml").write_text(following("yaml"), encoding="utf-8")
    assert "1" in desk.follows(following("sh"), here)
    with terminal(desk, "first-run", following("sh")) as gateway:
        wait_for(lambda: gateway.said("page running"), "the page", 60)
        assert "press_1" in json.dumps(overview(desk))
        assert gateway.end(signal.SIGINT) == 0

    with (
        terminal(desk, "meter", following("sh")) as meter,
        terminal(desk, "broker", following("sh")) as broker,
    ):
        wait_for(lambda: broker.said("running"), "the broker")
        (here / "plant.yaml").write_text(following("yaml"), encoding="utf-8")
        look = following("sh").splitlines()
        assert [line.split()[1] for line in look] == ["devices", "plan", "probe"]
        for line in look[:-1]:
            assert desk.follows(line, here)
        wait_for(
            lambda: desk.tries("sh", "-c", f'cd "$0"; {look[-1]}', here).returncode == 0, "the meter", 60
        )
        with terminal(desk, "second-run", following("sh")) as gateway:
            wait_for(lambda: gateway.said("link connected link='platform'"), "the platform", 60)
            # Status, catalogue, readings; then it would go on for ever.
            heard = desk.follows(f"{following('sh').strip()} -C 6 -W 30", here)
            assert gateway.end(signal.SIGINT) == 0
        assert meter.popen.poll() is None
    messages = [json.loads(line.split(" ", 1)[1]) for line in heard.splitlines()]
    readings = [each for each in messages if "seq" in each]
    assert readings
    assert all("main_meter" in each["dev"] and "p" in each["tags"] for each in readings)
    assert next(page, None) is None


def test_both_tutorials_give_the_same_blocks() -> None:
    assert blocks(TUTORIAL) == blocks(TUTORIAL.with_name("first-plant.zh-CN.md"))
