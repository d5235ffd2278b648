"""A page other machines reach: what is refused, what is on the wire, and what is told to nobody."""

import http.client
import json
import re
import socket
import ssl
import subprocess
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.cli import app
from gateway.security import House
from gateway.web.access.gate import Cookie
from gateway.web.access.rules import RULES
from tests.processes import Process, free_port, python, started, wait_for
from tests.unit.web.people import as_user, take

ADDRESS = "127.0.0.2"
"""Beyond the page's own loopback, and yet nobody else's."""
PASSWORD = "canary rolling mill"  # noqa: S105  a test's
LINK_SECRETS = {
    "mqtt": "canary-of-a-broker",
    "opcua": "canary-of-a-server",
    "robot": "https://127.0.0.1:1/canary-of-a-robot",
}
ENDLESS = {"/api/events", "/api/stream"}
pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


def wanglian(*words: object, said: str = "") -> Result:
    return CliRunner().invoke(
        app, [str(word) for word in words], input=said, env={"LANG": "C", "LC_ALL": "C"}
    )


class Page:
    """Asks over TLS; the certificate is the one the gateway's log tells of, or nothing is sent."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.context = ssl.create_default_context(cafile=str(folder / "data" / "security" / "key.page.pem"))

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any, str]:
        asking = http.client.HTTPSConnection(ADDRESS, self.port, context=self.context, timeout=20)
        said = {"Host": f"{ADDRESS}:{self.port}", "Origin": f"https://{ADDRESS}:{self.port}"}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = None if body is None else json.dumps(body).encode()
        if sent is not None:
            said["Content-Type"] = "application/json"
        asking.request(method, path, sent, said)
        answer = asking.getresponse()
        heard, cookie = answer.read(), answer.headers.get("Set-Cookie", "")
        asking.close()
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return answer.status, json.loads(heard) if is_json else heard, cookie


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("beyond")


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture(scope="module")
def plant(folder: Path, ports: tuple[int, int]) -> Path:
    content = {
        "gateway": {"id": "g1", "site": "cz", "http_port": ports[0]},
        "sources": {"sim": {"kind": "simulated", "devices": {"d": {"scan": "50ms", "tags": {"x": {}}}}}},
        "sinks": {
            "cloud": {
                "kind": "mqtt",
                "host": "127.0.0.1",
                "port": 1,
                "username": "u",
                "password": "${file:mqtt}",
            },
        },
        "alarms": {"webhooks": {"team": {"kind": "wecom", "url": "${file:robot}"}}},
        "page": {"listen": ADDRESS, "port": ports[1], "tls": {}, "hosts": ["gateway.example"]},
    }
    content["sources"]["cell"] = {
        "kind": "opcua",
        "endpoint": "opc.tcp://127.0.0.1:1",
        "user": {"name": "u", "password": "${file:opcua}"},
        "devices": {"c": {"tags": {"x": {"node": "nsu=urn:x;s=x"}}}},
    }
    for name, text in LINK_SECRETS.items():
        (folder / name).write_text(text)
    file = folder / "plant.yaml"
    file.write_text(json.dumps(content))
    return file


def listening(process: Process) -> set[tuple[str, int]]:
    """Return where the gateway and its page listen, TCP and UDP, as the kernel tells."""
    task = Path(f"/proc/{process.popen.pid}/task")
    pids = {
        process.popen.pid,
        *(int(pid) for each in task.glob("*/children") for pid in each.read_text().split()),
    }
    told = subprocess.run(["ss", "-Hlntup"], capture_output=True, text=True, check=True).stdout
    found = set()
    for line in told.splitlines():
        if pids & {int(pid) for pid in re.findall(r"pid=(\d+)", line)}:
            host, _, port = line.split()[4].rpartition(":")
            found.add((host, int(port)))
    return found


@pytest.fixture(scope="module")
def refused(plant: Path, folder: Path, ports: tuple[int, int]) -> str:
    """What is said while nobody may sign in; after it there is an administrator."""
    checked = wanglian("check", plant)
    assert checked.exit_code == 2
    with started("first", python("-m", "gateway", "run", plant), folder) as gateway:
        wait_for(lambda: gateway.said("link needs a person"), "the reason")
        wait_for(lambda: gateway.said("link connected link='sim'"), "collection")
        assert listening(gateway) == {("127.0.0.1", ports[0])}
        told = gateway.log.read_text()
    added = wanglian("user", "add", plant, "anna", "--role", "administrator", said=f"{PASSWORD}\n")
    assert added.exit_code == 0, added.output
    return checked.output + told


@pytest.fixture(scope="module")
def running(refused: str, plant: Path, folder: Path) -> Iterator[Process]:
    assert refused
    with started("gateway", python("-m", "gateway", "run", plant), folder) as gateway:
        wait_for(lambda: gateway.said("page running"), "the page", 60)
        yield gateway


def test_beyond_this_machine_nothing_listens_before_somebody_may_sign_in(refused: str) -> None:
    assert refused.count("wanglian user add") == 2
    assert "setup_code" not in refused


@pytest.mark.fault("S14")
def test_only_the_page_and_the_status_port_listen_and_each_where_it_was_told(
    running: Process, ports: tuple[int, int], record_measure
) -> None:
    assert listening(running) == {("127.0.0.1", ports[0]), (ADDRESS, ports[1])}
    record_measure("2 listeners: status on loopback, the page where the plant file says", row="S14")


def test_others_get_the_door_and_nothing_behind_it(
    running: Process, folder: Path, ports: tuple[int, int]
) -> None:
    page = Page(folder, ports[1])
    assert page.ask("GET", "/api/session")[1]["state"] == "sign_in"
    for path in ("/api/overview", "/api/tags", "/api/stream/rows?after=oldest", "/api/openapi.json"):
        assert page.ask("GET", path)[0] == 401, path
    for host, status in (
        ("gateway.example", 200),
        (f"{ADDRESS}:1", 200),
        ("evil.example", 421),
        ("10.0.0.1", 421),
    ):
        assert page.ask("GET", "/api/session", Host=host)[0] == status, host
    with socket.create_connection((ADDRESS, ports[1]), timeout=10) as plain:
        plain.sendall(b"GET /api/session HTTP/1.1\r\nHost: 127.0.0.2\r\n\r\n")
        assert not plain.recv(100).startswith(b"HTTP")
    fingerprint = re.search(r"fingerprint='([0-9A-F:]{95})'", running.log.read_text())
    assert fingerprint
    shown = ssl.get_server_certificate((ADDRESS, ports[1]))
    command = ["openssl", "x509", "-noout", "-fingerprint", "-sha256"]
    told = subprocess.run(command, input=shown, capture_output=True, text=True, check=True).stdout
    assert fingerprint[1] in told


@pytest.mark.fault("S11")
def test_no_secret_of_the_page_is_in_anything_that_is_told_or_taken_away(
    running: Process, plant: Path, folder: Path, ports: tuple[int, int], record_measure
) -> None:
    page = Page(folder, ports[1])
    secret = wanglian("token", "add", plant, "historian", "--scope", "read").stdout.strip().splitlines()[-1]
    assert page.ask("POST", "/api/session", {"name": "anna", "password": "canary wrong one"})[0] == 401
    wait_for(
        lambda: page.ask("POST", "/api/session", {"name": "anna", "password": PASSWORD})[0] == 200,
        "a session",
    )
    cookie = ""
    while not cookie:
        cookie = page.ask("POST", "/api/session", {"name": "anna", "password": PASSWORD})[2]
    assert cookie.startswith(f"__Host-wanglian-{ports[1]}=")
    session = cookie.partition("=")[2].partition(";")[0]
    mine = {"Cookie": cookie.partition(";")[0]}
    told: dict[str, bytes] = {}
    for path in ("overview", "tags", "users", "tokens", "account/sessions", "openapi.json", "nowhere"):
        told[path] = json.dumps(page.ask("GET", f"/api/{path}", **mine)[1]).encode()
    with House(folder / "data") as house:
        for role in ("engineer", "auditor"):
            take(house, role, role)
        for role in ("engineer", "auditor"):
            of_role = {"Cookie": as_user(house, role, Cookie.of(ports[1], is_secure=True))["cookie"]}
            for method, path in RULES:
                if method == "GET" and path not in ENDLESS:
                    status, heard, _ = page.ask("GET", re.sub(r"\{\w+(:path)?\}", "1", path), **of_role)
                    told[f"{role} {path} {status}"] = (
                        heard if isinstance(heard, bytes) else json.dumps(heard).encode()
                    )
    assert {"engineer /api/config 200", "engineer /api/config/versions/{number} 200"} <= set(told)
    token = {"Authorization": f"Bearer {secret}"}
    told["token"] = json.dumps(page.ask("GET", "/api/overview", **token)[1]).encode()
    assert page.ask("GET", "/api/users", **token)[0] == 403
    for path in ("metrics", "told", "healthz"):
        with urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}/{path}", timeout=20) as answer:
            told[path] = answer.read()
    told["audit"] = wanglian("audit", "export", plant).stdout.encode()
    assert json.loads(told["audit"].splitlines()[0])["what"] == "user.added"
    for name, words in (
        ("support.zip", ("support", plant, "-o", folder / "support.zip", "--log", running.log)),
        ("backup.zip", ("backup", plant, "-o", folder / "backup.zip")),
    ):
        done = wanglian(*words)
        assert done.exit_code == 0, done.output
        told[f"{name}, said"] = done.output.encode()
        with zipfile.ZipFile(folder / name) as members:
            told |= {f"{name}/{each}": members.read(each) for each in members.namelist()}
    told["log"] = running.log.read_bytes()
    assert re.search(rb"audit log head='1:[0-9a-f]{64}'", told["log"])
    key = (folder / "data" / "security" / "key.page.pem").read_text().splitlines()[-2]
    hash_ = b"scrypt$"
    for where, text in told.items():
        for each in (PASSWORD, "canary wrong one", session, secret, key, *LINK_SECRETS.values()):
            assert each.encode() not in text, (where, each)
        assert hash_ not in text, where
    assert b"data/security/users.sqlite" in told["backup.zip, said"]
    record_measure(f"8 secrets and the hashes, in {len(told)} outputs: 0 found", row="S11")
