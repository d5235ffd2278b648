"""The JSON Schema of the plant file: valid itself, true to the shipped plants, in the words people write."""

from importlib import resources
from typing import Any

import jsonschema
import pytest
import yaml

from config.schema import plant_schema

TRADE = {"u": {"address": "4x00001"}}
PLANTS = sorted((resources.files("config") / "data" / "plants").iterdir(), key=lambda file: file.name)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(plant_schema())
    return jsonschema.Draft202012Validator(plant_schema())


def plant(**changes: Any) -> dict[str, Any]:
    device = {"tags": {"u": {"address": 0}}}
    source = {"kind": "modbus_tcp", "host": "h", "devices": {"m": device}}
    return {"gateway": {"id": "g", "site": "s"}, "sources": {"a": source}, **changes}


@pytest.mark.parametrize("file", PLANTS, ids=lambda file: file.name)
def test_shipped_plants_fit(validator: jsonschema.Draft202012Validator, file: Any) -> None:
    validator.validate(yaml.safe_load(file.read_text("utf-8")))


def test_the_schema_says_what_it_is() -> None:
    schema = plant_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"]
    assert schema["title"]
    assert schema["description"]
    assert set(schema["required"]) == {"gateway", "sources"}


def test_defaults_are_in_the_words_of_the_file() -> None:
    definitions = plant_schema()["$defs"]
    assert definitions["BufferOptions"]["properties"]["keep"]["default"] == "1d"
    assert definitions["BufferOptions"]["properties"]["max_bytes"]["default"] == "10GiB"
    assert definitions["ModbusDevice"]["properties"]["scan"]["default"] == "1s"


def test_fields_carry_their_descriptions() -> None:
    properties = plant_schema()["$defs"]["ModbusTag"]["properties"]
    assert "PDU address" in properties["address"]["description"]
    assert "class" in properties
    assert "class_" not in properties


@pytest.mark.parametrize(
    "good",
    [
        plant(),
        plant(buffer={"keep": "2h", "max_bytes": "${env:MAX}"}),
        plant(sinks={"c": {"kind": "mqtt", "host": "h", "port": "${env:PORT}", "password": "${file:p}"}}),
        plant(sources={"a": {"kind": "simulated", "devices": {"m_{1..9}": {"tags": {"x": {}}}}}}),
        plant(sources={"a": {"kind": "modbus_tcp", "host": "h", "devices": {"m": {"tags": TRADE}}}}),
    ],
)
def test_what_the_loader_takes_the_schema_takes(
    validator: jsonschema.Draft202012Validator, good: dict[str, Any]
) -> None:
    validator.validate(good)


@pytest.mark.parametrize(
    "bad",
    [
        plant(extra=1),
        plant(buffer={"keep": 5}),
        plant(buffer={"keep": "5 sec"}),
        plant(sinks={"c": {"kind": "mqtt", "host": "h", "password": "plain"}}),
        plant(sinks={"c d": {"kind": "mqtt", "host": "h"}}),
        plant(sources={}),
        plant(sources={"a": {"kind": "modbus", "host": "h"}}),
    ],
)
def test_what_the_loader_refuses_in_form_the_schema_refuses(
    validator: jsonschema.Draft202012Validator, bad: dict[str, Any]
) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(bad)
