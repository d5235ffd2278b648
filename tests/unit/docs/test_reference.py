from dataclasses import fields

import pytest

import connectors.broker.session
import connectors.influxdb.requests
import connectors.line.statistics
import connectors.mqtt.counts
import connectors.opcua.statistics
import connectors.sparkplug.counts
import connectors.sparkplug.edge.counts
from config.manual import manual
from tests.processes import ROOT

COUNTERS = {
    "InfluxDB": connectors.influxdb.requests.Statistics,
    "Modbus": connectors.line.statistics.Statistics,
    "MQTT source": connectors.mqtt.counts.Statistics,
    "MQTT sink": connectors.broker.session.Statistics,
    "Sparkplug source": connectors.sparkplug.counts.Statistics,
    "Sparkplug sink": connectors.sparkplug.edge.counts.Statistics,
    "OPC UA": connectors.opcua.statistics.Statistics,
}


def test_the_reference_of_the_plant_file_is_what_the_models_say() -> None:
    page = ROOT / "docs" / "reference" / "plant-file.md"
    assert page.read_text(encoding="utf-8") == manual(), "run `make docs`"


@pytest.mark.parametrize("name", COUNTERS)
def test_every_counter_of_a_connector_is_explained(name: str) -> None:
    kind = name.removesuffix(" source").removesuffix(" sink")
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    rows = "\n".join(line for line in page.splitlines() if f"| {kind}: " in line)
    missing = [each.name for each in fields(COUNTERS[name]) if f"_{each.name}_total`" not in rows]
    assert not missing
