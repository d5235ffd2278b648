"""What is wrong with a plant although every part of it is well formed, by the part that is wrong."""

from collections.abc import Iterator

from config.checks.alarms import check_alarms
from config.checks.buffer import check_buffer
from config.checks.derived import check_derived
from config.checks.energy import check_energy
from config.checks.history import check_history
from config.checks.meter_lines import check_meter_lines
from config.checks.modbus import check_modbus
from config.checks.mqtt import check_mqtt
from config.checks.mqtt_loops import check_loops
from config.checks.opcua import check_opcua
from config.checks.page import check_page
from config.checks.paths import check_paths
from config.checks.platforms import check_platforms
from config.checks.reach import check_reach
from config.checks.sinks import check_sinks
from config.checks.sparkplug import check_sparkplug
from config.checks.tags import check_tags
from config.checks.tariff import check_tariffs
from config.checks.zones import check_zones
from config.plant import Plant
from config.problems import Problem
from config.reading.document import Document

__all__ = ["check_plant", "check_tags"]


def check_plant(plant: Plant, document: Document, *, is_whole: bool) -> Iterator[Problem]:
    """Yield every mistake and doubt of an expanded plant.

    Without `is_whole` some entries were left out for other mistakes: nothing is said of what seems missing.
    """
    yield from check_paths(plant, document)
    yield from check_zones(plant, document)
    yield from check_modbus(plant, document)
    yield from check_meter_lines(plant, document)
    yield from check_mqtt(plant, document)
    yield from check_loops(plant, document)
    yield from check_opcua(plant, document)
    yield from check_sparkplug(plant, document)
    yield from check_sinks(plant, document, is_whole=is_whole)
    yield from check_platforms(plant, document, is_whole=is_whole)
    yield from check_buffer(plant, document)
    yield from check_history(plant, document, is_whole=is_whole)
    yield from check_page(plant, document)
    yield from check_reach(plant, document)
    yield from check_derived(plant, document, is_whole=is_whole)
    yield from check_energy(plant, document, is_whole=is_whole)
    yield from check_tariffs(plant, document)
    yield from check_alarms(plant, document)
