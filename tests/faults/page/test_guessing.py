"""Passwords are guessed over HTTP at a running gateway: what is compared is counted where it is computed."""

import http.client
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from tests.processes import Process, free_port, python, started, wait_for

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
TRIES = max(100, round(1000 * SCALE))
SECONDS = max(5.0, 60 * SCALE)
AT_ONCE = 10
A_MINUTE = 10
"""Passwords compared."""
PASSWORDS = {"anna": "rolling mill at dawn", "carl": "a furnace in autumn"}
ANNAS, CARLS = "127.0.0.9", "127.0.0.8"
"""Where they sit; somebody else behind Carl's address is among those who guess."""
COUNTING = """
import hashlib, os, time
scrypt = hashlib.scrypt
def counted(*args, **kwargs):
    with open(os.environ["COMPARED"], "a") as file:
        file.write(f"{time.time()}\\n")
    return scrypt(*args, **kwargs)
hashlib.scrypt = counted
"""
"""Run by each of the gateway's processes at its start."""
pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    retry_after: str | None


@dataclass(frozen=True)
class Running:
    """A gateway with two users, each of whom has signed in from where they sit."""

    gateway: Process
    port: int
    compared: Path

    def sign_in(self, name: str, password: str, source: str, lie: str = "") -> Answer:
        asking = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=(source, 0))
        said = {"Origin": f"http://127.0.0.1:{self.port}", "Content-Type": "application/json"}
        if lie:
            said |= {"X-Forwarded-For": lie, "X-Real-IP": lie, "Forwarded": f"for={lie}"}
        asking.request("POST", "/api/session", json.dumps({"name": name, "password": password}), said)
        answer = asking.getresponse()
        body = answer.read()
        asking.close()
        return Answer(answer.status, body, answer.headers.get("Retry-After"))

    def moments(self) -> list[float]:
        """When a password was compared, s."""
        return sorted(map(float, self.compared.read_text().split()))

    def cpu_s(self) -> float:
        """What the gateway and its page have used of a core."""
        children = Path(f"/proc/{self.gateway.popen.pid}/task").glob("*/children")
        pids = [self.gateway.popen.pid, *(int(pid) for each in children for pid in each.read_text().split())]
        told = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
        return sum(int(ticks) for each in told for ticks in each[11:13]) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    port = free_port()
    plant = tmp_path / "plant.yaml"
    simulated = {"kind": "simulated", "devices": {"d": {"scan": "1s", "tags": {"x": {}}}}}
    content = {
        "gateway": {"id": "g1", "site": "cz", "http_port": free_port()},
        "sources": {"sim": simulated},
        "page": {"port": port},
    }
    plant.write_text(json.dumps(content))
    for name, password in PASSWORDS.items():
        words = ["user", "add", str(plant), name, "--role", "administrator"]
        done = CliRunner().invoke(app, words, input=f"{password}\n", env={"LANG": "C", "LC_ALL": "C"})
        assert done.exit_code == 0, done.output
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(COUNTING)
    compared = tmp_path / "compared"
    environment = {
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "hook"), str(Path(__file__).parents[3])]),
        "COMPARED": str(compared),
    }
    run = python("-m", "gateway", "run", plant)
    with started("gateway", run, tmp_path, environment=environment) as gateway:
        wait_for(lambda: gateway.said("page running"), "the page", 60)
        ready = Running(gateway, port, compared)
        assert ready.sign_in("anna", PASSWORDS["anna"], ANNAS).status == 200
        assert ready.sign_in("carl", PASSWORDS["carl"], CARLS).status == 200
        assert len(ready.moments()) == 2
        compared.write_text("")
        yield ready


def guess(i: int) -> tuple[str, str]:
    """Return whose password the i-th try is of and where it comes from: five who guess, in turn."""
    return {
        0: ("anna", "127.0.0.21"),
        1: (f"nobody{i}", "127.0.0.22"),
        2: ("anna", f"127.0.1.{i % 250 + 1}"),
        3: ("carl" if i % 2 else f"someone{i}", f"127.0.2.{i % 250 + 1}"),
        4: ("carl", CARLS),
    }[i % 5]


@pytest.mark.fault("S1")
def test_a_thousand_guesses_are_ten_comparisons_a_minute_and_who_was_there_before_gets_in(
    running: Running, record_measure
) -> None:
    def attempt(i: int) -> Answer:
        name, source = guess(i)
        lie = (ANNAS, CARLS, "127.0.0.1", f"198.51.100.{i % 250}")[i // 5 % 4]
        return running.sign_in(name, f"wrong horse {i} battery", source, lie)

    answers: list[Answer] = []
    began, spent = time.monotonic(), running.cpu_s()
    with ThreadPoolExecutor(AT_ONCE) as attackers:
        for first in range(0, TRIES, AT_ONCE):
            due = began + first * SECONDS / TRIES
            wait_for(lambda due=due: time.monotonic() >= due, "the next")
            answers += attackers.map(attempt, range(first, first + AT_ONCE))
            if first == TRIES // 2 // AT_ONCE * AT_ONCE:
                assert running.sign_in("anna", PASSWORDS["anna"], ANNAS).status == 200
    took = time.monotonic() - began
    share = (running.cpu_s() - spent) / took
    compared = running.moments()
    refused = [each for each in answers if each.status == 401]
    late = [each for each in answers if each.status == 429]
    assert len(refused) + len(late) == TRIES
    assert len({each.body for each in refused}) == 1
    assert all(each.retry_after for each in late)
    assert len(compared) == len(refused) + 1  # Anna's
    within = max(sum(begin <= each < begin + 60 for each in compared) for begin in compared) - 1
    assert 0 < within <= A_MINUTE
    if SCALE >= 1:
        assert share < 0.2
    record_measure(
        f"{TRIES} tries in {took:.0f} s over HTTP, ten at once, of known and unknown names, from one address "
        f"and many, with false X-Forwarded-For: {within} passwords compared in a minute, {100 * share:.0f} % "
        "of a core, gateway and page; who was there before got in meanwhile",
        row="S1",
    )
