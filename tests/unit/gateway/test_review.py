"""After a change of template, ratio or register the first values wait for a person; nothing else does."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from config.connections import Cjt188Device, Dlt645Device, ModbusDevice, MqttSource, OpcUaSource
from connectors import Columns, Tag, TagTable
from connectors.cjt188.meter import meter as cjt188_meter
from connectors.dlt645.meter import meter as dlt645_meter
from connectors.modbus.device import Device, planned
from connectors.mqtt.rules import Rules
from connectors.opcua.items import Items
from connectors.quality import BAD_TIMEOUT, GOOD, UNCERTAIN_CONFIGURATION_ERROR
from gateway.cli import app
from gateway.review import REVIEW, Reviews, hold
from tests.conftest import FakeClock

TAG: dict[str, Any] = {"address": 6, "type": "float32", "unit": "kWh", "scale": 40}


class Gateway:
    """What the catalogue keeps over starts, and the plant file of each."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.catalogue: dict[int, Tag] = {}
        self.clock = FakeClock()

    def opened(self) -> tuple[Reviews, TagTable]:
        reviews = Reviews(self.directory, self.clock).__enter__()

        def persist(changed: Sequence[tuple[int, Tag]]) -> None:
            reviews.changed(table, changed)
            self.catalogue.update(changed)

        table = TagTable(self.catalogue.items(), persist)
        return reviews, table

    def start(self, **tags: dict[str, Any]) -> tuple[Reviews, TagTable, Device]:
        reviews, table = self.opened()
        device = Device("meter", planned(ModbusDevice.model_validate({"tags": tags})))
        device.numbered(table.announce(device.tags("line", "site")))
        return reviews, table, device

    def paths(self, **tags: dict[str, Any]) -> list[str]:
        """Return which tags are held after a start with these."""
        reviews, _, _ = self.start(**tags)
        with reviews:
            return [each.path.rpartition("/")[2] for each in reviews.held()]


def read(reviews: Reviews, table: TagTable, number: int, value: float, quality: int = GOOD) -> int:
    one = np.array([number], np.int32)
    columns = Columns(one, np.array([7], np.int64), np.array([value]), np.array([quality], np.uint32))
    return int(hold(table, reviews)(columns).quality[0])


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


@pytest.mark.fault("D7")
@pytest.mark.parametrize(
    "change",
    [
        {"scale": 60},
        {"address": 8},
        {"type": "uint32"},
        {"order": "CDAB"},
        {"table": "input"},
        {"unit": "MWh"},
        {"offset": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_d7_a_tag_that_is_read_otherwise_than_before_is_held(
    gateway: Gateway, change: dict[str, Any], record_measure: Any
) -> None:
    assert gateway.paths(energy=TAG, other=TAG | {"address": 20}) == []
    reviews, table, device = gateway.start(energy=TAG | change, other=TAG | {"address": 20})
    with reviews:
        held, free = device._numbers.tolist()
        assert read(reviews, table, held, 492.0) == UNCERTAIN_CONFIGURATION_ERROR
        assert read(reviews, table, held, 500.0) == UNCERTAIN_CONFIGURATION_ERROR
        assert read(reviews, table, held, 0.0, BAD_TIMEOUT) == BAD_TIMEOUT
        assert read(reviews, table, free, 3.0) == GOOD
        (one,) = reviews.held()
        assert (one.value, one.time) == ("492.0", 7)
        assert one.was != one.now
    record_measure("each of seven changes held, the tag beside it not")


def by_dlt645(table: TagTable, tag: dict[str, Any], device: dict[str, Any]) -> None:
    made = {"address": "000000000001", "tags": {"energy": {"di": "00010000"} | tag, "u": {"di": "02010100"}}}
    table.announce(dlt645_meter("m", Dlt645Device.model_validate(made | device)).tags("line", "site"))


def by_cjt188(table: TagTable, tag: dict[str, Any], device: dict[str, Any]) -> None:
    made = {"address": "00000000000001", "tags": {"energy": {"place": 1} | tag, "u": {"place": 2}}}
    table.announce(cjt188_meter("m", Cjt188Device.model_validate(made | device)).tags("line", "site"))


def by_opcua(table: TagTable, tag: dict[str, Any], device: dict[str, Any]) -> None:
    tags = {"energy": {"node": "s=E", "type": "double"} | tag, "u": {"node": "s=U", "type": "double"}}
    told = {"kind": "opcua", "endpoint": "opc.tcp://h:4840", "devices": {"m": {"tags": tags}}} | device
    Items("line", "site", OpcUaSource.model_validate(told)).announce_known(table)


def by_mqtt(table: TagTable, tag: dict[str, Any], device: dict[str, Any]) -> None:
    tags = {"energy": {"path": "e"} | tag, "u": {"path": "u"}}
    told = {"kind": "mqtt", "host": "h", "messages": [{"topic": "t/1", "device": "m", "tags": tags} | device]}
    Rules("line", MqttSource.model_validate(told), "site", table).announce_known()


@pytest.mark.fault("D7")
@pytest.mark.parametrize(
    ("announce", "change", "held"),
    [
        (by_dlt645, ({"di": "00020000"}, {}), ["energy"]),
        (by_dlt645, ({"format": "XXXXX.XXX"}, {}), ["energy"]),
        (by_dlt645, ({"signed": True}, {}), ["energy"]),
        (by_dlt645, ({}, {"address": "000000000002"}), ["energy", "u"]),
        (by_dlt645, ({}, {"scan": "5s", "reply": "1s"}), []),
        (by_cjt188, ({"di": "9020"}, {}), ["energy"]),
        (by_cjt188, ({"place": 3}, {}), ["energy"]),
        (by_cjt188, ({"decimals": 1}, {}), ["energy"]),
        (by_cjt188, ({}, {"address": "00000000000002"}), ["energy", "u"]),
        (by_opcua, ({"node": "s=F"}, {}), ["energy"]),
        (by_opcua, ({}, {"namespace": "urn:other"}), ["energy", "u"]),
        (by_opcua, ({"scan": "5s"}, {}), []),
        (by_mqtt, ({"path": "f"}, {}), ["energy"]),
        (by_mqtt, ({}, {"topic": "t/2"}), ["energy", "u"]),
        (by_mqtt, ({}, {"quality": "q"}), []),
    ],
)
def test_d7_a_tag_of_another_address_identifier_or_node_is_held_whatever_is_spoken(
    gateway: Gateway, announce: Any, change: tuple[Any, Any], held: list[str], record_measure: Any
) -> None:
    for told, expected in (({}, {}), []), (change, held):
        reviews, table = gateway.opened()
        with reviews:
            announce(table, *told)
            assert [each.path.rpartition("/")[2] for each in reviews.held()] == expected
    record_measure(
        "meters, OPC UA, MQTT: another address, identifier, node, topic held; scan and quality not"
    )


@pytest.mark.parametrize(
    "change", [{"deadband": 2}, {"limits": {"high": 1e9}}, {"heartbeat": "1min"}, {"class": "energy"}]
)
def test_a_change_of_what_is_reported_holds_nothing(gateway: Gateway, change: dict[str, Any]) -> None:
    gateway.paths(energy=TAG)
    assert gateway.paths(energy=TAG | change) == []


def test_a_new_tag_is_not_held_and_a_renamed_one_stays_held(gateway: Gateway) -> None:
    gateway.paths(energy=TAG)
    assert gateway.paths(energy=TAG, new=TAG | {"address": 20}) == []
    assert gateway.paths(energy=TAG | {"scale": 60}) == ["energy"]
    was = next(tag.path for tag in gateway.catalogue.values() if tag.name == "energy")
    assert gateway.paths(total=TAG | {"scale": 60, "was": was}) == ["total"]


def test_it_stays_held_over_starts_until_it_is_accepted_or_changed_back(gateway: Gateway) -> None:
    gateway.paths(energy=TAG)
    other = TAG | {"scale": 60}
    assert gateway.paths(energy=other) == ["energy"]
    assert gateway.paths(energy=other) == ["energy"]
    assert gateway.paths(energy=TAG) == []
    assert gateway.paths(energy=other) == ["energy"]
    reviews, table, device = gateway.start(energy=other)
    with reviews, Reviews(gateway.directory, gateway.clock) as command:
        number = int(device._numbers[0])
        assert read(reviews, table, number, 1.0) == UNCERTAIN_CONFIGURATION_ERROR
        command.accept([each.path for each in command.held()])
        gateway.clock.move(2)
        assert read(reviews, table, number, 2.0) == GOOD
    assert gateway.paths(energy=other) == []


def test_a_catalogue_of_a_release_that_did_not_know_how_tags_are_read_holds_nothing(gateway: Gateway) -> None:
    gateway.paths(energy=TAG)
    for number, tag in gateway.catalogue.items():
        gateway.catalogue[number] = Tag(tag.path, tag.kind, tag.unit, tag.source, tag.scale)
    assert gateway.paths(energy=TAG) == []


def test_a_damaged_list_is_put_aside(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    (gateway.directory / REVIEW).write_bytes(b"not a database" * 400)
    assert gateway.paths(energy=TAG) == []
    assert "put aside" in caplog.text
    assert (gateway.directory / f"{REVIEW}.damaged").exists()


def test_the_command_shows_what_waits_and_releases_it(tmp_path: Path) -> None:
    file = tmp_path / "plant.json"
    sources = {
        "line": {"kind": "modbus_serial", "port": "p", "devices": {"meter": {"tags": {"energy": TAG}}}}
    }
    file.write_text(
        json.dumps({"gateway": {"id": "g", "site": "site", "data_dir": str(tmp_path)}, "sources": sources})
    )
    run = CliRunner().invoke
    assert run(app, ["review", str(file)]).exit_code == 0, "nothing has run yet"
    gateway = Gateway(tmp_path)
    gateway.paths(energy=TAG)
    gateway.paths(energy=TAG | {"scale": 60})
    shown = run(app, ["review", str(file), "--lang", "en"])
    assert shown.exit_code == 1
    assert "scale 40.0 → 60.0" in shown.output
    assert json.loads(run(app, ["review", str(file), "--json"]).output)[0]["now"]["scale"] == 60.0
    assert run(app, ["review", str(file), "--accept", "--tag", "**/nothing"]).exit_code == 0
    assert run(app, ["review", str(file)]).exit_code == 1
    assert run(app, ["review", str(file), "--accept"]).exit_code == 0
    assert run(app, ["review", str(file)]).exit_code == 0
