"""A support archive of a gateway full of secrets: none is in any byte, and what helps is."""

import base64
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from tests.processes import ROOT, free_port, python, started, wait_for
from tests.servers.certificates import Authority

KEY_LINE = "MIIBVQIBADANBgkqhkiG9w0BAQEFAASCAT8wggE7"
PEM = f"-----BEGIN PRIVATE KEY-----\n{KEY_LINE}\n-----END PRIVATE KEY-----\n"


def wanglian(*arguments: str | Path, stdin: str = "", code: int = 0, **environment: str) -> str:
    command = [sys.executable, "-m", "gateway", *map(str, arguments)]
    variables = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=variables, input=stdin, timeout=60
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def unpacked(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as members:
        return {name: members.read(name) for name in members.namelist()}


def check_clean(archive: Path, secrets: list[str]) -> dict[str, bytes]:
    members = unpacked(archive)
    for secret in secrets:
        spellings = {secret, json.dumps(secret)[1:-1], quote(secret), quote(secret, safe="")}
        spellings.add(base64.b64encode(secret.encode()).decode().rstrip("="))
        for spelling in spellings:
            for name, data in {**members, "the archive itself": archive.read_bytes()}.items():
                assert spelling.encode() not in data, f"{secret} as {spelling} in {name}"
    return members


def plant_with(secrets: dict[str, str], port: int) -> str:
    s = secrets
    return f"""# a comment with {s["comment"]}
gateway: {{id: g1, site: cz, http_port: {port}, library: "${{env:WL_LIB_DIR}}"}}
page: {{enabled: false}}
sources:
  sim:
    kind: simulated
    devices: {{press_1: {{tags: {{temperature: {{}}}}}}}}
  plc:
    kind: opcua
    endpoint: opc.tcp://{s["endpoint_user"]}:{s["endpoint_password"]}@10.0.0.5:4840
    user: {{name: {s["opcua_name"]}, password: {s["literal_opcua"]}}}
    devices: {{d: {{tags: {{x: {{node: "nsu=http://v/p;s=A"}}}}}}}}
  sensors:
    kind: mqtt
    host: {s["host_as_url"]}
    messages:
      - {{topic: "v1/{s["topic_token"]}/+", device: "d_{{1}}", tags: {{t: {{path: t}}}}}}
sinks:
  cloud:
    kind: mqtt
    host: 10.0.0.9
    port: {s["wrong_type"]}
    username: {s["token_as_username"]}
    password: {s["literal_mqtt"]}
    client_id: "dev-{s["client_token"]}"
    pasword: {s["misspelled"]}
    tls: {{ca: ca.pem, certificate: own.pem, key: own.key, key_password: {s["key_password"]}}}
    vendor: {{auth: [{s["in_unknown_list"]}, {{deep: {s["deep_unknown"]}}}]}}
  named:
    kind: mqtt
    host: "${{env:WL_HOST_NAME}}"
    username: "u-${{env:WL_PART}}"
    password: ${{env:WL_NAMED}}
    tls: {{}}
  database:
    kind: influxdb
    url: "https://{s["url_user"]}:{s["url_password"]}@influx:8086/?token={s["query_token"]}"
    bucket: plant
    token: ${{file:token.txt}}
    measurement: "{s["measurement_token"]}"
 """


@pytest.fixture
def secrets() -> dict[str, str]:
    """Return a secret for every place; random ones where only that gives them away."""
    places = """comment endpoint_user endpoint_password opcua_name literal_opcua host_as_url wrong_type
        token_as_username literal_mqtt misspelled key_password in_unknown_list deep_unknown url_user
        url_password query_token"""
    found = {place: f"hush-{place}-Q7z" for place in places.split()}
    found["host_as_url"] = "mqtt://hush-name-A1:hush-word-B2@broker"
    random = {place: f"Tk{i}vR8sW2nLq4XyB6mC" for i, place in enumerate(("topic_token", "client_token"))}
    return found | random | {"measurement_token": "0123456789abcdef0123456789abcdef"}


@pytest.mark.system
def test_no_secret_of_an_uncheckable_plant_file_is_in_the_archive(
    tmp_path: Path, secrets: dict[str, str]
) -> None:
    variables = {
        "WL_NAMED": 'na"med\\ s€cret/%&',
        "WL_HOST_NAME": "broker.internal.example",
        "WL_PART": "hush-part-of-a-name",
        "SOME_API_TOKEN": "hush-of-the-environment",
        "WL_LIB_DIR": "library-dir-of-mine",
    }
    kept = {"file_token": "hush-in-a-file", "key": KEY_LINE, **variables}
    (tmp_path / "token.txt").write_text(kept["file_token"] + "\n")
    (tmp_path / "own.key").write_text(PEM)
    certificate = Authority(tmp_path).certificate.read_bytes()
    (tmp_path / "own.pem").write_bytes(certificate + PEM.encode())
    own = tmp_path / "data" / "pki" / "opcua" / "own"
    own.mkdir(parents=True)
    (own / "key.pem").write_text(PEM)
    plant = tmp_path / "plant.yaml"
    plant.write_text(plant_with(secrets, free_port()))
    log = "\n".join(
        [
            f"refused user={secrets['token_as_username']} password is {variables['WL_NAMED']}",
            json.dumps({"reason": variables["WL_NAMED"]}),
            f"GET /?p={quote(variables['WL_NAMED'], safe='')} Authorization: Bearer hush-nobody-named",
            "Basic " + base64.b64encode(b"somebody:hush-somewhere").decode(),
            PEM,
            "http://hush-logged:hush-too@host refused",
            'api_key="hush-an-api-key"',
            "the last line helps",
        ]
    )
    said = wanglian("support", plant, "-o", tmp_path / "s.zip", "--log", "-", stdin=log, **variables)
    assert "s.zip" in said
    everything = [*secrets.values(), *kept.values()]
    everything += ["hush-name-A1", "hush-word-B2", "hush-nobody-named", "hush-logged", "hush-too"]
    everything += ["hush-an-api-key", base64.b64encode(b"somebody:hush-somewhere").decode()]
    members = check_clean(tmp_path / "s.zip", everything)
    shown = yaml.safe_load(members["plant/plant.yaml"])
    assert "password: ${env:WL_NAMED}" in members["plant/plant.yaml"].decode()
    assert "token: ${file:token.txt}" in members["plant/plant.yaml"].decode()
    assert shown["sources"]["sim"]["devices"] == {"press_1": {"tags": {"temperature": {}}}}
    assert shown["sinks"]["database"]["bucket"] == "plant"
    assert b"[E-CF-0206]" in members["plant/check.txt"]
    assert b"the last line helps" in members["log.txt"]
    assert json.loads(members["certificates.json"])[0]["days_left"] > 0
    assert members["packages.txt"].lower().count(b"numpy==") == 1
    for language in ("这里有什么", "What is in here"):
        assert language.encode() in members["README.txt"]


@pytest.mark.system
def test_of_a_file_that_is_no_yaml_only_known_keys_are_left(tmp_path: Path, secrets: dict[str, str]) -> None:
    plant = tmp_path / "plant.yaml"
    plant.write_text(plant_with(secrets, 9464) + '\n  broken: "never closed\n' + secrets["literal_mqtt"])
    wanglian("support", plant, "-o", tmp_path / "s.zip")
    members = check_clean(tmp_path / "s.zip", list(secrets.values()))
    text = members["plant/plant.yaml"].decode()
    assert "    password: …" in text
    assert "[E-CF-00" in members["plant/check.txt"].decode()
    assert "journalctl" in members["README.txt"].decode()


@pytest.mark.system
def test_a_log_is_masked_even_beside_a_plant_file_that_is_no_yaml(tmp_path: Path) -> None:
    (tmp_path / "token.txt").write_text("hush-in-a-file\n")
    plant = tmp_path / "plant.yaml"
    plant.write_text(
        "sinks: [\n  a: {password: hush-flow, b: 1}\n  password: 'hush-quoted'\n  key_password：hush-wide\n"
        "  url: http://me:hush-address@h\n  token: ${env:WL_OTHER}\n  user: ${file:token.txt}\n"
    )
    secrets = [f"hush-{each}" for each in ("flow", "quoted", "wide", "address", "in-a-file", "variable")]
    unnamed = ["hush-口令", "hush-flag", "hush-escaped"]
    log = (
        "refused: " + ", ".join(secrets) + "\n口令：hush-口令，完\nran mosquitto_sub --password hush-flag\n"
        '{"password": "a \\" hush-escaped"}\n'
    )
    out = tmp_path / "s.zip"
    wanglian("support", plant, "-o", out, "--log", "-", stdin=log, WL_OTHER="hush-variable")
    members = check_clean(out, secrets + unnamed)
    assert "refused: ***, ***" in members["log.txt"].decode()


@pytest.mark.system
def test_a_running_gateway_tells_how_it_is_and_values_only_when_asked(tmp_path: Path) -> None:
    port, closed = free_port(), free_port()
    plant = {
        "gateway": {"id": "g1", "site": "cz", "http_port": port},
        "page": {"enabled": False},
        "sources": {
            "sim": {
                "kind": "simulated",
                "devices": {
                    "d": {
                        "scan": "50ms",
                        "tags": {"x": {"shape": "sine", "low_value": 71.25, "high_value": 71.25}},
                    }
                },
            }
        },
        "sinks": {
            "cloud": {
                "kind": "mqtt",
                "host": "127.0.0.1",
                "port": closed,
                "username": "u",
                "password": "${env:WL_RUN}",
            }
        },
    }
    file = tmp_path / "plant.yaml"
    file.write_text(json.dumps(plant))
    secret = {"WL_RUN": "hush-of-the-service"}
    with started("gateway", python("-m", "gateway", "run", file), tmp_path, environment=secret) as gateway:
        wait_for(lambda: gateway.said("not connected"), "the refusal")
        wait_for(lambda: gateway.said("link connected"), "the source")
        log = tmp_path / "gateway.log"
        # Asked by somebody who does not have the service's environment.
        wanglian("support", file, "-o", tmp_path / "a.zip", "--log", log, "--lang", "zh")
        wanglian("support", file, "-o", tmp_path / "b.zip", "--values", **secret)
        assert gateway.end(signal.SIGTERM) == 0
    without = check_clean(tmp_path / "a.zip", list(secret.values()))
    told = json.loads(without["gateway/told.json"])
    assert {link["name"] for link in told["links"]} == {"sim", "cloud", "local"}
    assert f"127.0.0.1:{closed} refused the connection" in without["gateway/healthz.json"].decode()
    assert b"wanglian_source_rows_total" in without["gateway/metrics.txt"]
    assert json.loads(without["data/integrity.json"])["damaged"] == []
    store = json.loads(without["data/store.json"])
    assert store["tags"] == [{"tags": 1}]
    assert [each["ordinal"] for each in store["epochs"]] == [1]
    assert b"link not connected" in without["log.txt"]
    assert b"sim: simulated" in check_clean(tmp_path / "b.zip", list(secret.values()))["plant/plan.txt"]
    assert "values.json" not in without
    (row,) = json.loads(unpacked(tmp_path / "b.zip")["values.json"])["rows"]
    assert (row["path"], row["value"]) == ("cz/-/-/d/x", 71.25)
    plant_shown = without["plant/plant.yaml"]
    rest = b"".join(data for name, data in without.items() if name != "plant/plant.yaml")
    assert b"71.25" in plant_shown
    assert b"71.25" not in rest


@pytest.mark.system
def test_an_archive_is_never_overwritten_and_nobody_else_reads_it(tmp_path: Path) -> None:
    plant = tmp_path / "plant.yaml"
    plant.write_text("gateway: {id: g, site: s, http_port: 0}\n")
    wanglian("support", plant, "-o", tmp_path / "s.zip")
    assert (tmp_path / "s.zip").stat().st_mode & 0o077 == 0
    assert "[E-BK-0003]" in wanglian("support", plant, "-o", tmp_path / "s.zip", code=1)
    assert "[E-BK-0002]" in wanglian("support", tmp_path / "none.yaml", "-o", tmp_path / "t.zip", code=1)
