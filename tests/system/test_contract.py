"""The contract with subscribers: valid AsyncAPI, and every message of a run keeps it."""

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.processes import ROOT, free_port, python, started, wait_for
from tests.servers.broker import Broker
from tests.verify.recording import read

SPECIFICATION = ROOT / "tests/servers/asyncapi/node_modules/@asyncapi/specs/schemas/3.0.0.json"
DATA, TAGS, STATUS, GAPS = (
    "wanglian/cz/hall/line_1/mill",
    "wanglian/cz/hall/line_1/mill/_tags",
    "wanglian/cz/_gateway/g1/_status",
    "wanglian/cz/_gateway/g1/_gaps",
)
SPOILT = {
    "without its number": lambda m: m.pop("seq"),
    "of another device": lambda m: m.update(dev="cz/hall/line_1/other"),
    "with a tag nobody has": lambda m: m["tags"].__setitem__(0, "unheard_of"),
    "with a value in a list": lambda m: m["v"].__setitem__(0, [1.0]),
    "with an epoch that is none": lambda m: m.update(epoch="3"),
    "with a time that is a text": lambda m: m.update(t0="2026-11-29"),
    "read late but called live": lambda m: (m.pop("hist", None), m.update(fill=True)),
    "with a quality below zero": lambda m: m.update(q=[-1] * len(m["v"])),
    "empty": lambda m: m.update(v=[], tags=[]),
}


def plant(broker: int, dead: int) -> dict[str, Any]:
    shapes = ("constant", "sine", "counter", "square", "text")
    mill = {"at": "hall/line_1", "scan": "50ms", "tags": {name: {"shape": name} for name in shapes}}
    mill["tags"]["sine"] |= {"unit": "kW", "limits": {"low": 0, "high": 400}}
    mill["tags"]["counter"] |= {"unit": "kWh", "counter": True, "class": "energy"}
    away = {"kind": "modbus_tcp", "host": "127.0.0.1", "port": dead}
    away["devices"] = {"m": {"tags": {"u": {"address": 0, "type": "uint64"}}}}
    thinned = [{"path": "**/mill/sine", "every": "1s", "as": "mean"}]
    mqtt = {"kind": "mqtt", "host": "127.0.0.1", "port": broker}
    return {
        "gateway": {"id": "g1", "site": "cz", "http_port": free_port()},
        "page": {"enabled": False},
        "sources": {"sim": {"kind": "simulated", "devices": {"mill": mill}}, "away": away},
        "sinks": {"platform": mqtt, "slow": mqtt | {"prefix": "slow", "select": thinned}},
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """The contract of a gateway that ran, and what it published: topic -> payloads."""
    folder = tmp_path_factory.mktemp("contract")
    file = folder / "plant.yaml"
    got = folder / "got.bin"
    with Broker(folder / "broker") as broker:
        file.write_text(json.dumps(plant(broker.port, free_port())))
        with listening(broker, folder, got), started("gateway", python("-m", "gateway", "run", file), folder):
            wait_for(
                lambda: {GAPS, "wanglian/cz/-/-/m", "slow/cz/hall/line_1/mill"} <= set(messages(got)),
                "messages",
            )
            command = python("-m", "gateway", "contract", file, "--out", folder / "contract", "--lang", "zh")
            subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    told = yaml.safe_load((folder / "contract" / "asyncapi.yaml").read_text("utf-8"))
    for schema in (folder / "contract").glob("*.schema.json"):
        jsonschema.Draft202012Validator.check_schema(json.loads(schema.read_text("utf-8")))
    return told, messages(got)


def listening(broker: Broker, folder: Path, got: Path) -> Any:
    listen = python("-m", "tests.verify.subscriber", "--port", str(broker.port), "--prefix", "+")
    return started("subscriber", [*listen, "--out", got], folder)


def messages(got: Path) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for record in read(got) if got.exists() else ():
        found.setdefault(record.topic, []).append(json.loads(record.payload))
    return found


def validators(told: dict[str, Any]) -> dict[str, jsonschema.Draft202012Validator]:
    """A validator for each address: the payload's schema, with the document's components to refer to."""
    found = {}
    for channel in told["channels"].values():
        (message,) = channel["messages"].values()
        schema = {"$ref": f"{message['$ref']}/payload", "components": told["components"]}
        found[channel["address"]] = jsonschema.Draft202012Validator(schema)
    return found


def test_the_document_is_asyncapi_3_by_the_projects_own_schema(
    run: tuple[dict[str, Any], dict[str, list[Any]]],
) -> None:
    told, _ = run
    schema = json.loads(SPECIFICATION.read_text("utf-8"))
    jsonschema.Draft7Validator(schema).validate(told)
    assert told["info"]["description"].startswith("本网关")
    spoilt = copy.deepcopy(told)
    spoilt["channels"]["platform.status"]["messages"] = {"x": 7}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate(spoilt)


def test_every_message_of_a_run_keeps_the_contract_and_has_a_channel(
    run: tuple[dict[str, Any], dict[str, list[Any]]],
) -> None:
    told, received = run
    holds = validators(told)
    assert set(received) <= set(holds)
    assert {DATA, TAGS, STATUS, GAPS, "wanglian/cz/-/-/m", "slow/cz/hall/line_1/mill"} <= set(received)
    for topic, payloads in received.items():
        for payload in payloads:
            holds[topic].validate(payload)


@pytest.mark.parametrize("spoil", list(SPOILT.values()), ids=list(SPOILT))
def test_a_message_that_breaks_the_contract_is_found(
    spoil: Any, run: tuple[dict[str, Any], dict[str, list[Any]]]
) -> None:
    told, received = run
    message = copy.deepcopy(received[DATA][0])
    spoil(message)
    assert not validators(told)[DATA].is_valid(message)


def test_a_channel_tells_its_tags_and_their_kinds_and_what_is_thinned_has_its_own(
    run: tuple[dict[str, Any], dict[str, list[Any]]],
) -> None:
    told, _ = run
    addresses = {channel["address"] for channel in told["channels"].values()}
    assert {"slow/cz/hall/line_1/mill", "slow/cz/hall/line_1/mill/_tags"} <= addresses
    assert "slow/cz/-/-/m" not in addresses
    payload = told["components"]["messages"]["platform.cz.hall.line_1.mill"]["payload"]["allOf"][1]
    tags = payload["then"]["properties"]["tags"]["items"]["enum"]
    assert tags == ["constant", "counter", "sine", "square", "text"]
    kinds = [each["type"] for each in payload["then"]["properties"]["v"]["items"]["anyOf"]]
    assert kinds[0] == "null"
    assert {"boolean", "number", "string"} <= set(kinds)


def test_a_plant_that_never_ran_has_no_contract_yet(tmp_path: Path) -> None:
    file = tmp_path / "plant.yaml"
    file.write_text(json.dumps(plant(1883, 502)))
    command = python("-m", "gateway", "contract", file, "--lang", "en")
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "start the gateway once" in done.stderr
