"""The unit file says what it is meant to, in words systemd knows, and exposes little."""

import re
import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT

UNIT = ROOT / "edge_deploy" / "systemd" / "wanglian.service"
MOST_EXPOSED = 3.0


def settings() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def members(group: str) -> set[str]:
    """Return the system calls of one of systemd's groups."""
    done = subprocess.run(
        ["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True
    )
    words = [line.strip() for line in done.stdout.splitlines()[1:]]
    named = {word for word in words if word and not word.startswith(("#", "@"))}
    return named.union(*(members(word) for word in words if word.startswith("@")))


def allowed_calls() -> set[str]:
    """Return the system calls the unit lets a service make; systemd always adds the first group."""
    allowed = members("@default")
    for line in settings()["SystemCallFilter"]:
        words = {
            name
            for word in line.lstrip("~").split()
            for name in (members(word) if word[0] == "@" else {word})
        }
        allowed = allowed - words if line.startswith("~") else allowed | words
    return allowed


def test_the_service_exposes_little() -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (level,) = re.findall(r"Overall exposure level for wanglian\.service: ([0-9.]+)", done.stdout)
    assert float(level) <= MOST_EXPOSED, done.stdout


def test_systemd_understands_every_line_of_the_unit(tmp_path: Path) -> None:
    # Only the program is not there: one that is stands in for it.
    unit = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/wanglian/current/bin/wanglian", sys.executable), encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line for line in (done.stdout + done.stderr).splitlines() if UNIT.name in line]
    assert said == []


def test_serial_lines_can_be_opened_and_nothing_else_written() -> None:
    unit = settings()
    assert "dialout" in unit["SupplementaryGroups"]
    assert {"char-ttyS rw", "char-ttyUSB rw", "char-ttyACM rw"} <= set(unit["DeviceAllow"])
    assert unit["DevicePolicy"] == ["closed"]
    assert "PrivateDevices" not in unit, "it would hide every serial line"
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["StateDirectory"] == unit["ConfigurationDirectory"] == ["wanglian"]
    assert unit["UMask"] == ["0077"]


def test_the_watchdog_waits_longer_than_a_slow_disk_and_restarts_have_a_limit() -> None:
    unit = settings()
    assert unit["Type"] == ["notify"]
    assert unit["WatchdogSec"] == ["60s"]
    assert unit["Restart"] == ["always"]
    assert {"StartLimitBurst", "StartLimitIntervalSec", "RestartSec", "MemoryMax"} <= set(unit)
    assert unit["RestartPreventExitStatus"] == ["2"], "what `wanglian check` ends with on a mistake"
