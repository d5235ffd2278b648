import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.processes import ROOT, free_port, python, started, wait_for
from tests.servers.broker import Broker

QUICKSTART = ROOT / "config" / "data" / "plants" / "quickstart.yaml"


def wanglian(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *map(str, arguments)]
    variables = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"} | environment
    return subprocess.run(command, capture_output=True, text=True, check=False, env=variables, cwd=ROOT)


def plant(folder: Path, **changes: object) -> Path:
    tags = {"x": {"shape": "sine", "unit": "kW"}, "n": {"shape": "counter", "unit": "kWh", "counter": True}}
    content = {
        "page": {"enabled": False},
        "gateway": {"id": "g1", "site": "cz", "http_port": 0},
        "sources": {"sim": {"kind": "simulated", "devices": {"d": {"scan": "50ms", "tags": tags}}}},
        **changes,
    }
    file = folder / "plant.yaml"
    file.write_text(json.dumps(content))
    return file


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except urllib.error.URLError:
        return 0, ""  # not there yet


def test_check_accepts_the_quickstart_in_both_languages() -> None:
    assert "没有错误" in wanglian("check", QUICKSTART, "--lang", "zh").stdout
    assert "is fine" in wanglian("check", QUICKSTART, "--lang", "en").stdout


def test_check_warns_of_a_line_that_can_not_do_what_is_asked(tmp_path: Path) -> None:
    tags = {"v": {"address": 0, "type": "float32", "count": 60}}
    line = {"kind": "modbus_serial", "port": "/dev/x", "devices": {"m_{1..10}": {"scan": "1s", "tags": tags}}}
    done = wanglian("check", plant(tmp_path, sources={"hall": line}), "--lang", "en")
    assert done.returncode == 0
    assert "sources.hall: the scans of every 1 s take about 2.9 s" in done.stderr
    (told,) = json.loads(wanglian("check", tmp_path / "plant.yaml", "--lang", "en", "--json").stdout)
    assert (told["code"], told["severity"], told["path"]) == ("W-LN-0001", "warning", "sources.hall")
    assert f":{told['line']}:{told['column']} sources.hall" in done.stderr
    quick = wanglian("plan", tmp_path / "plant.yaml", "--delay", "0s", "--lang", "en")
    assert "hall: the scans of every 1 s take about 2.7 s" in quick.stdout


def test_check_reports_every_mistake_with_place_and_exit_code_2(tmp_path: Path) -> None:
    file = plant(tmp_path, sinks={"s": {"kind": "mqtt", "hots": "h"}})
    done = wanglian("check", file, "--lang", "en")
    assert done.returncode == 2
    assert f"{file}:1:" in done.stderr
    assert "hots" in done.stderr
    assert "host" in done.stderr
    as_json = json.loads(wanglian("check", file, "--json").stdout)
    assert {problem["severity"] for problem in as_json} == {"error"}
    assert all(problem["line"] == 1 and problem["column"] > 1 for problem in as_json)


def test_the_locale_chooses_the_language(tmp_path: Path) -> None:
    file = plant(tmp_path, sinks={"s": {"kind": "mqtt"}})
    assert "处" in wanglian("check", file, LC_ALL="zh_CN.UTF-8").stderr
    assert "mistakes" in wanglian("check", file, LC_ALL="C").stderr


def test_probe_reads_every_device_once_and_its_exit_code_tells(tmp_path: Path) -> None:
    done = wanglian("probe", plant(tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    readings = json.loads(done.stdout)
    assert [(r["tag"], r["unit"], r["quality"]) for r in readings] == [
        ("x", "kW", "Good"),
        ("n", "kWh", "Good"),
    ]
    absent = {
        "m": {
            "kind": "modbus_tcp",
            "host": "127.0.0.1",
            "port": free_port(),
            "devices": {"d": {"tags": {"x": {"address": 0}}}},
        }
    }
    done = wanglian("probe", plant(tmp_path, sources=absent), "--lang", "en")
    assert done.returncode == 1
    assert "refused" in done.stdout


def test_schema_is_json() -> None:
    assert json.loads(wanglian("schema").stdout)["$schema"].endswith("2020-12/schema")


def test_plan_prints_every_request() -> None:
    done = wanglian("plan", QUICKSTART)
    assert "FC4" in done.stdout


def told(metrics: str) -> set[str]:
    return {line.split()[2] for line in metrics.splitlines() if line.startswith("# TYPE")}


def documented() -> set[str]:
    """Return the metrics the reference page names; `…_x` takes the words of the name before it."""
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    found, stem = set(), ""
    for name in re.findall(r"`(wanglian_\w+|…_\w+)`", page):
        stem = "_".join(name.split("_")[:2]) if name.startswith("wanglian") else stem
        found.add(name.replace("…", stem))
    return found


@pytest.mark.system
@pytest.mark.server
def test_a_running_gateway_tells_how_it_is_and_stops_cleanly_fifty_times_scaled(tmp_path: Path) -> None:
    times = max(2, round(50 * float(os.environ.get("WL_SCALE", "0.1"))))
    with Broker(tmp_path / "broker") as broker:
        port = free_port()
        sinks = {"s": {"kind": "mqtt", "host": broker.host, "port": broker.port}}
        file = plant(tmp_path, gateway={"id": "g1", "site": "cz", "http_port": port}, sinks=sinks)
        for _ in range(times):
            with started("gateway", python("-m", "gateway", "run", file), tmp_path) as gateway:
                wait_for(lambda: gateway.said("gateway running"), "the start")
                wait_for(lambda: 'wanglian_sink_up{sink="s"} 1' in get(port, "/metrics")[1], "the link")
                status, health = get(port, "/healthz")
                assert (status, json.loads(health)["status"]) == (200, "ok")
                metrics = get(port, "/metrics")[1]
                assert "wanglian_source_rows_total" in metrics
                assert get(port, "/other")[0] == 404
                assert told(metrics) <= documented(), "docs/reference/metrics.md"
                assert gateway.end(signal.SIGTERM, within_s=12) == 0
                gateway.log.write_text("")


@pytest.mark.system
def test_ctrl_c_while_it_still_begins_ends_it_without_a_traceback(tmp_path: Path) -> None:
    run = python("-m", "gateway", "run", plant(tmp_path))
    with started("gateway", run, tmp_path) as gateway:
        loaded = Path(f"/proc/{gateway.popen.pid}/maps")
        wait_for(lambda: "pydantic_core" in loaded.read_text(), "the imports")
        assert gateway.end(signal.SIGINT) in (-signal.SIGINT, 0)
        assert not gateway.said("Traceback"), gateway.log.read_text()


@pytest.mark.system
@pytest.mark.server
def test_a_quiet_plant_writes_nothing_after_its_start(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker") as broker:
        port = free_port()
        sinks = {"s": {"kind": "mqtt", "host": broker.host, "port": broker.port}}
        file = plant(tmp_path, gateway={"id": "g1", "site": "cz", "http_port": port}, sinks=sinks)
        with started("gateway", python("-m", "gateway", "run", file), tmp_path) as gateway:
            for link in ("sim", "s", "local", "days", "alarms"):
                wait_for(lambda link=link: gateway.said(f"link connected link='{link}'"), link)
            before = gateway.log.read_text()
            wait_for(lambda: _rows(get(port, "/metrics")[1]) > 150, "a while of work")
            assert gateway.log.read_text() == before


def _rows(metrics: str) -> float:
    return sum(
        float(line.split()[-1])
        for line in metrics.splitlines()
        if line.startswith("wanglian_sink_rows_total")
    )


@pytest.mark.system
def test_a_second_gateway_on_the_same_data_is_refused_with_a_reason(tmp_path: Path) -> None:
    file = plant(tmp_path)
    with started("gateway", python("-m", "gateway", "run", file), tmp_path) as gateway:
        wait_for(lambda: gateway.said("gateway running"), "the start")
        second = wanglian("run", file)
        assert second.returncode != 0
        assert "Traceback" not in second.stderr
        assert str(tmp_path / "data") in second.stderr
